using Microsoft.Extensions.Logging;

namespace Glimmer.Engine.Memory;

/// <summary>
/// Pages of the prefix cache on disk: what is evicted goes to a file and comes back when a prompt matches. Writing is done by a
/// thread of its own from a few buffers; when none is free a page is not kept, so that the engine never waits for the disk to write.
/// Reading is done where the page is needed, since computing it again takes longer.
/// </summary>
internal sealed partial class PrefixSpill : IDisposable
{
    private const int MostBuffers = 512;
    private const long BufferBytes = 64 << 20;
    private readonly SpillFile _file;
    private readonly byte[] _identity;
    private readonly ILogger _logger;
    private readonly Dictionary<SpillKey, int> _slots = [];
    private readonly SpillKey[] _keys;
    private readonly bool[] _used;
    private readonly Lock _gate = new();
    private readonly Stack<byte[]> _buffers = new();
    private readonly Queue<(SpillKey Key, int Slot, byte[] Buffer)> _wanted = new();
    private readonly Dictionary<SpillKey, byte[]> _onTheWay = [];
    private readonly SemaphoreSlim _work = new(0);
    private readonly Thread _thread;
    private readonly int _pageBytes;
    private int _buffersToMake;
    private int _hand;
    private long _written;
    private volatile bool _failed;
    private bool _ends;

    private PrefixSpill(SpillFile file, byte[] identity, int pageBytes, List<(SpillKey Key, int Slot)> found, ILogger logger)
    {
        _file = file;
        _identity = identity;
        _logger = logger;
        _keys = new SpillKey[file.Slots];
        _used = new bool[file.Slots];
        foreach ((SpillKey key, int slot) in found)
        {
            if (_slots.TryAdd(key, slot))
                _keys[slot] = key;
        }

        _pageBytes = pageBytes;
        _buffersToMake = (int)Math.Clamp(BufferBytes / pageBytes, 2, MostBuffers);
        _thread = new Thread(Write) { IsBackground = true, Name = "glimmer-spill" };
        _thread.Start();
    }

    /// <summary>Pages written.</summary>
    public long Written => Interlocked.Read(ref _written);

    /// <summary>Pages read back.</summary>
    public long Restored { get; private set; }

    /// <summary>Opens the file of a model in a folder; null, with a line in the log, when that can't be done.</summary>
    /// <param name="folder">The folder; made when it is missing.</param>
    /// <param name="bytes">Most bytes of the file.</param>
    /// <param name="identity">Model, format of rows and page size: 32 bytes.</param>
    /// <param name="pageBytes">Bytes of a page.</param>
    /// <param name="logger">Hears of damage.</param>
    public static PrefixSpill? Open(string folder, long bytes, byte[] identity, int pageBytes, ILogger logger)
    {
        string path = Path.Combine(folder, $"prefix-{Convert.ToHexStringLower(identity.AsSpan(0, 8))}.spill");
        int slots = SpillFile.SlotsIn(bytes, pageBytes);
        if (slots == 0)
        {
            LogTooSmall(logger, bytes, pageBytes);
            return null;
        }

        try
        {
            List<(SpillKey, int)> found = [];
            SpillFile file = SpillFile.Open(path, identity, pageBytes, slots, (key, slot) => found.Add((key, slot)), out string? damage);
            if (damage is not null)
                LogDamaged(logger, path, damage);
            return new PrefixSpill(file, identity, pageBytes, found, logger);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            LogUnusable(logger, path, fault.Message);
            return null;
        }
    }

    /// <summary>The key before a scope's first page.</summary>
    public SpillKey Root(string scope) => SpillKey.Root(_identity, scope);

    /// <summary>Whether the page is in the file or on its way there.</summary>
    public bool Contains(SpillKey key)
    {
        lock (_gate)
            return _slots.ContainsKey(key) || _onTheWay.ContainsKey(key);
    }

    /// <summary>Takes a copy of a page to be written, unless it is there already; false when no buffer is free.</summary>
    public bool TryKeep(SpillKey key, ReadOnlySpan<byte> page)
    {
        lock (_gate)
        {
            if (_failed || _slots.ContainsKey(key) || _onTheWay.ContainsKey(key))
                return true;
            if (!_buffers.TryPop(out byte[]? buffer))
            {
                if (_buffersToMake == 0)
                    return false;
                _buffersToMake--;
                buffer = GC.AllocateUninitializedArray<byte>(_pageBytes);
            }

            page.CopyTo(buffer);
            int slot = FindSlot();
            _onTheWay.Add(key, buffer);
            _wanted.Enqueue((key, slot, buffer));
        }

        _work.Release();
        return true;
    }

    /// <summary>Reads a page back; false when it is not there, or damaged, in which case it is forgotten.</summary>
    public bool TryRestore(SpillKey key, Span<byte> page)
    {
        int slot;
        lock (_gate)
        {
            // What is still to be written is read from its buffer, which is not used again before it left this list.
            if (_onTheWay.TryGetValue(key, out byte[]? buffer))
            {
                buffer.CopyTo(page);
                Restored++;
                return true;
            }

            if (!_slots.TryGetValue(key, out slot))
                return false;
            _used[slot] = true;
        }

        try
        {
            if (_file.TryRead(slot, key, page))
            {
                Restored++;
                return true;
            }

            LogDamagedPage(_logger, slot);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            LogReadFault(_logger, fault);
        }

        lock (_gate)
            Forget(slot);
        return false;
    }

    /// <summary>Waits until everything taken so far is written; for tests.</summary>
    internal void Flush()
    {
        while (true)
        {
            lock (_gate)
            {
                if (_onTheWay.Count == 0)
                    return;
            }

            Thread.Sleep(1);
        }
    }

    /// <summary>Writes what was taken and closes the file.</summary>
    public void Dispose()
    {
        _ends = true;
        _work.Release();
        _thread.Join();
        _work.Dispose();
        _file.Dispose();
    }

    private void Write()
    {
        while (true)
        {
            _work.Wait();
            SpillKey key;
            int slot;
            byte[] buffer;
            lock (_gate)
            {
                if (_wanted.Count == 0)
                {
                    if (_ends)
                        return;
                    continue;
                }

                (key, slot, buffer) = _wanted.Dequeue();
            }

            bool written = false;
            try
            {
                if (!_failed)
                {
                    _file.Write(slot, key, buffer);
                    written = true;
                }
            }
            catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
            {
                // A full disk will stay full: reading goes on.
                _failed = true;
                LogWriteFault(_logger, fault);
            }

            lock (_gate)
            {
                if (written)
                {
                    // In a file of very few slots the hand may have come round meanwhile.
                    _slots.Remove(_keys[slot]);
                    _slots[key] = slot;
                    _keys[slot] = key;
                    _used[slot] = false;
                    _written++;
                }

                _onTheWay.Remove(key);
                _buffers.Push(buffer);
            }
        }
    }

    /// <summary>A slot to write to, by second chance: pages that were read since the hand last passed stay.</summary>
    private int FindSlot()
    {
        for (int step = 0; step < 2 * _used.Length; step++)
        {
            int slot = _hand;
            _hand = (_hand + 1) % _used.Length;
            if (!_used[slot])
            {
                Forget(slot);
                // Not before it is written, or the hand would come to it again.
                _used[slot] = true;
                return slot;
            }

            _used[slot] = false;
        }

        Forget(_hand);
        return _hand;
    }

    private void Forget(int slot)
    {
        _slots.Remove(_keys[slot]);
        _keys[slot] = default;
        _used[slot] = false;
    }

    [LoggerMessage(20, LogLevel.Warning, "The spill file {Path} is begun anew: {Damage}.")]
    private static partial void LogDamaged(ILogger logger, string path, string damage);

    [LoggerMessage(21, LogLevel.Warning, "The spill file {Path} cannot be used, prefixes stay in memory only: {Fault}")]
    private static partial void LogUnusable(ILogger logger, string path, string fault);

    [LoggerMessage(22, LogLevel.Warning, "The page in slot {Slot} of the spill file is damaged; it is computed again.")]
    private static partial void LogDamagedPage(ILogger logger, int slot);

    [LoggerMessage(23, LogLevel.Warning, "A page could not be read from the spill file; it is computed again.")]
    private static partial void LogReadFault(ILogger logger, Exception exception);

    [LoggerMessage(24, LogLevel.Warning, "The spill file cannot be written to; no more pages go there.")]
    private static partial void LogWriteFault(ILogger logger, Exception exception);

    [LoggerMessage(25, LogLevel.Warning, "A spill file of {Bytes} bytes has no room for a page of {PageBytes}; prefixes stay in memory only.")]
    private static partial void LogTooSmall(ILogger logger, long bytes, int pageBytes);
}
