namespace Glimmer.Platform.Store;

/// <summary>A file that one process at a time holds open, as a lock.</summary>
internal static class HeldFile
{
    // EWOULDBLOCK of Linux and of macOS, ERROR_SHARING_VIOLATION of Windows.
    private static readonly int[] _held = [11, 35, unchecked((int)0x80070020)];

    /// <summary>Opens and holds a file, which is made when it is missing.</summary>
    /// <param name="path">Where it is.</param>
    /// <param name="patience">How long it is tried while another holds it. Pauses have many lengths, since who holds it may take it again at once.</param>
    /// <exception cref="IOException">Another holds it, or it cannot be opened; the latter is said at once.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be opened.</exception>
    public static FileStream Open(string path, TimeSpan patience)
    {
        long begun = Environment.TickCount64;
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException fault) when (_held.Contains(fault.HResult) && Environment.TickCount64 - begun < patience.TotalMilliseconds)
            {
                Thread.Sleep(Random.Shared.Next(1, 25));
            }
        }
    }
}
