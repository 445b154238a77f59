using System.Text.RegularExpressions;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>What has become of mapped files.</summary>
internal enum WeightFileState
{
    /// <summary>They are as they were.</summary>
    Unchanged,

    /// <summary>A name is gone; what is mapped stays valid as long as it is mapped.</summary>
    Gone,

    /// <summary>A file was replaced by another, or written to.</summary>
    Changed,

    /// <summary>A mapped file is shorter than it was: touching what is missing would end the process.</summary>
    Truncated,
}

/// <summary>
/// Remembers the weight files of a model as they were before they were mapped. It keeps them open, so that it can tell a
/// file that was cut short in place from another that came under its name.
/// </summary>
internal sealed partial class WeightFiles : IDisposable
{
    private readonly List<(string Path, SafeFileHandle Handle, Stamp Stamp)> _files;

    private WeightFiles(List<(string, SafeFileHandle, Stamp)> files) => _files = files;

    /// <summary>Opens the weight files of a model: the file, all parts of a split one, or those of a folder.</summary>
    /// <exception cref="IOException">One cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">One may not be read.</exception>
    public static WeightFiles Open(string path)
    {
        List<(string, SafeFileHandle, Stamp)> files = [];
        try
        {
            foreach (string file in FilesOf(path))
            {
                SafeFileHandle handle = OpenShared(file);
                files.Add((file, handle, Stamp.Of(handle)));
            }

            return new WeightFiles(files);
        }
        catch
        {
            foreach ((_, SafeFileHandle handle, _) in files)
                handle.Dispose();
            throw;
        }
    }

    /// <summary>Compares with now; of several findings the gravest counts.</summary>
    public WeightFileState Check()
    {
        WeightFileState state = WeightFileState.Unchanged;
        foreach ((string path, SafeFileHandle handle, Stamp before) in _files)
        {
            WeightFileState found = Check(path, handle, before);
            if (found > state)
                state = found;
        }

        return state;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach ((_, SafeFileHandle handle, _) in _files)
            handle.Dispose();
    }

    private static WeightFileState Check(string path, SafeFileHandle handle, Stamp before)
    {
        // 1. The file that is mapped, whatever its name is now.
        try
        {
            Stamp mapped = Stamp.Of(handle);
            if (mapped.Length < before.Length)
                return WeightFileState.Truncated;
            if (mapped != before)
                return WeightFileState.Changed;
        }
        catch (Exception fault) when (fault is IOException or ObjectDisposedException)
        {
            return WeightFileState.Changed; // its device does not answer, or the model was closed meanwhile
        }

        // 2. The file under the name.
        try
        {
            using SafeFileHandle named = OpenShared(path);
            return Stamp.Of(named) == before ? WeightFileState.Unchanged : WeightFileState.Changed;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return WeightFileState.Gone; // it cannot be loaded again now, so what is mapped goes on answering
        }
    }

    private static SafeFileHandle OpenShared(string path) =>
        File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);

    private static IEnumerable<string> FilesOf(string path)
    {
        if (Directory.Exists(path))
            return Directory.EnumerateFiles(path).Where(static file => Weights().IsMatch(file)).Order(StringComparer.Ordinal);
        string folder = Path.GetDirectoryName(Path.GetFullPath(path))!, name = Path.GetFileName(path);
        if (name.EndsWith(".index.json", StringComparison.OrdinalIgnoreCase))
            return Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal);
        Match part = Part().Match(name);
        return part.Success
            ? Directory.EnumerateFiles(folder).Where(file => Part().Match(Path.GetFileName(file)) is { Success: true } other && other.Groups["stem"].Value == part.Groups["stem"].Value).Order(StringComparer.Ordinal)
            : [path];
    }

    [GeneratedRegex(@"\.(gguf|safetensors)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Weights();

    [GeneratedRegex(@"^(?<stem>.*)-[0-9]{5}-of-[0-9]{5}\.gguf$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Part();

    private readonly record struct Stamp(long Length, DateTime Written)
    {
        public static Stamp Of(SafeFileHandle handle) => new(RandomAccess.GetLength(handle), File.GetLastWriteTimeUtc(handle));
    }
}
