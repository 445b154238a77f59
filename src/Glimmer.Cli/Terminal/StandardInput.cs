namespace Glimmer.Cli.Terminal;

/// <summary>Whether there is a standard input to read.</summary>
internal static class StandardInput
{
    private static readonly Lazy<bool> _closed = new(static () => OperatingSystem.IsLinux() && LooksClosed("/proc/self"));

    /// <summary>
    /// Whether the program was started without one (<c>&lt;&amp;-</c>). Its number, 0, then goes to what the runtime opens first, before any code of ours: an end of a pipe of its own,
    /// which never ends.
    /// </summary>
    public static bool IsClosed => _closed.Value;

    /// <summary>All of its text; nothing when there is none.</summary>
    public static string ReadToEnd() => IsClosed ? "" : Console.In.ReadToEnd();

    /// <summary>Looks at a process's folder of /proc: number 0 is nothing that others can write to, or a pipe that this very process can write to.</summary>
    internal static bool LooksClosed(string process)
    {
        try
        {
            if (LinkOf(process, "0") is not { } input || input.StartsWith("anon_inode:", StringComparison.Ordinal))
                return true;
            return input.StartsWith("pipe:", StringComparison.Ordinal)
                && Directory.EnumerateFileSystemEntries(Path.Combine(process, "fd")).Select(Path.GetFileName)
                    .Any(number => number is not (null or "0") && LinkOf(process, number) == input && CanWrite(process, number));
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;   // without /proc nobody can tell
        }
    }

    private static string? LinkOf(string process, string number) => new FileInfo(Path.Combine(process, "fd", number)).LinkTarget;

    private static bool CanWrite(string process, string number)
    {
        // The last octal digit is how it was opened: 0 to read, 1 to write, 2 for both.
        string? flags = File.ReadLines(Path.Combine(process, "fdinfo", number)).FirstOrDefault(static line => line.StartsWith("flags:", StringComparison.Ordinal));
        return flags is [.., '1' or '2' or '5' or '6'];
    }
}
