using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Cli.Hub;

/// <summary>Compares a file with the digest its hub vouches for.</summary>
internal static class FileChecksum
{
    /// <summary>Null when size and digest agree, else what differs. A file without a digest is compared by size.</summary>
    public static async Task<string?> FaultAsync(string path, HubFile expected, IProgress<long>? read, CancellationToken cancel)
    {
        if (!File.Exists(path))
            return "missing";
        await using FileStream stream = new(path, new FileStreamOptions
        {
            Access = FileAccess.Read,
            Share = FileShare.Read,
            BufferSize = 0,
            Options = FileOptions.SequentialScan | FileOptions.Asynchronous,
        });
        return await FaultAsync(stream, expected, read, cancel);
    }

    /// <summary>The same for an open file, read from its beginning.</summary>
    public static async Task<string?> FaultAsync(FileStream stream, HubFile expected, IProgress<long>? read, CancellationToken cancel)
    {
        if (stream.Length != expected.Size)
            return $"{stream.Length} bytes where {expected.Size} were expected";
        if (expected.Checksum is null)
            return null;
        stream.Position = 0;
        string actual = await DigestAsync(stream, expected, read, cancel);
        return string.Equals(actual, expected.Checksum, StringComparison.OrdinalIgnoreCase)
            ? null
            : $"checksum {actual} where {expected.Checksum} was expected";
    }

    private static async Task<string> DigestAsync(FileStream stream, HubFile expected, IProgress<long>? read, CancellationToken cancel)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(expected.Kind == ChecksumKind.Sha256 ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA1);
        if (expected.Kind == ChecksumKind.GitBlob)
            hash.AppendData(Encoding.ASCII.GetBytes($"blob {expected.Size}\0"));
        byte[] buffer = new byte[1 << 20];
        for (int count; (count = await stream.ReadAsync(buffer, cancel)) > 0;)
        {
            hash.AppendData(buffer, 0, count);
            read?.Report(count);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
