using Glimmer.Platform.Store;

namespace Glimmer.Platform.Nodes;

/// <summary>
/// A node's place: the file <c>node.lock</c> in the data folder, held open by one process. Whoever holds it knows that the process that
/// held it before is gone, so that what that one had need not wait for the end of its lease.
/// </summary>
internal sealed class NodeLeaseHome : IDisposable
{
    // A program that is being started holds for a moment what its parent had open; only a lock that stays is another process's.
    private static readonly TimeSpan _patience = TimeSpan.FromMilliseconds(200);
    private readonly FileStream _lock;

    private NodeLeaseHome(FileStream held, string id) => (_lock, Id) = (held, id);

    /// <summary>Name of the place, made once.</summary>
    public string Id { get; }

    /// <summary>Takes the place; null when another process has it or the folder cannot be written: then leases end by themselves.</summary>
    public static NodeLeaseHome? TryTake(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
            FileStream held = HeldFile.Open(Path.Combine(folder, "node.lock"), _patience);
            Span<byte> text = stackalloc byte[32];
            int length = held.ReadAtLeast(text, text.Length, throwOnEndOfStream: false);
            if (length == text.Length && Guid.TryParseExact(System.Text.Encoding.ASCII.GetString(text), "N", out Guid known))
                return new NodeLeaseHome(held, known.ToString("N"));
            string id = Guid.NewGuid().ToString("N");
            held.SetLength(0);
            held.Write(System.Text.Encoding.ASCII.GetBytes(id));
            held.Flush(flushToDisk: true);
            return new NodeLeaseHome(held, id);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Dispose() => _lock.Dispose();
}
