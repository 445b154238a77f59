namespace Glimmer.Cli.Hub;

/// <summary>How the hub vouches for a file's content.</summary>
internal enum ChecksumKind
{
    /// <summary>SHA-256 of the bytes (LFS objects, ModelScope).</summary>
    Sha256,

    /// <summary>Git's blob id: SHA-1 of <c>blob SIZE\0</c> and the bytes (small files of a git repository).</summary>
    GitBlob,
}

/// <summary>A file of a repository.</summary>
/// <param name="Path">Path inside the repository, checked to stay inside (<see cref="IsSafePath"/>).</param>
/// <param name="Size">Bytes.</param>
/// <param name="Kind">What <paramref name="Checksum"/> is.</param>
/// <param name="Checksum">Lower-case hexadecimal digits; null when the hub gives none.</param>
internal sealed record HubFile(string Path, long Size, ChecksumKind Kind, string? Checksum)
{
    private const int LongestPath = 512;

    /// <summary>Whether a path that a hub names may be written below a folder of ours: relative, no <c>..</c>, no odd characters.</summary>
    public static bool IsSafePath(string path) =>
        path.Length is > 0 and <= LongestPath
        && path.Split('/').All(part =>
            part.Length > 0
            && part is not "." and not ".."
            && !part.AsSpan().ContainsAny('\\', ':', '\0')
            && !part.Any(char.IsControl));
}
