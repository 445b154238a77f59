namespace Glimmer.Cli.Emulator;

/// <summary>
/// A data folder for as long as the process runs. What a process that was killed left behind is taken away by the next one: each holds a file in its own open, which
/// nobody holds any more then.
/// </summary>
internal sealed class TemporaryFolder : IDisposable
{
    private const string Prefix = "glimmer-emulate-";
    private const string LockName = "in-use";
    private static readonly TimeSpan Young = TimeSpan.FromMinutes(1);
    private readonly FileStream _lock;

    private TemporaryFolder(string path)
    {
        Path = path;
        _lock = new FileStream(System.IO.Path.Combine(path, LockName), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
    }

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Makes one among the machine's temporary files.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public static TemporaryFolder Make() => new(Directory.CreateTempSubdirectory(Prefix).FullName);

    /// <summary>Takes away what processes left behind that were killed.</summary>
    /// <param name="now">The machine's time.</param>
    public static void Sweep(DateTimeOffset now)
    {
        try
        {
            foreach (DirectoryInfo folder in new DirectoryInfo(System.IO.Path.GetTempPath()).EnumerateDirectories(Prefix + "*"))
            {
                if (now.UtcDateTime - folder.CreationTimeUtc > Young)
                    TryDelete(folder.FullName);
            }
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // Somebody else's folder; it is theirs to take away.
        }
    }

    public void Dispose()
    {
        _lock.Dispose();
        TryDelete(Path);
    }

    private static void TryDelete(string folder)
    {
        try
        {
            string held = System.IO.Path.Combine(folder, LockName);
            if (File.Exists(held))
                new FileStream(held, FileMode.Open, FileAccess.ReadWrite, FileShare.None).Dispose();
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // In use, or another user's.
        }
    }
}
