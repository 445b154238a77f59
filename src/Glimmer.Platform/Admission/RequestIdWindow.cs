using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Admission;

/// <summary>
/// Remembers the <c>request_id</c>s that clients gave, per account, for at least a window and at most two. Only hashes are kept, in two
/// generations; a generation that is full makes room early, so that memory is bounded whatever clients send.
/// </summary>
public sealed class RequestIdWindow(TimeSpan window, int capacity, TimeProvider time)
{
    private readonly Lock _turning = new();
    private volatile ConcurrentDictionary<UInt128, bool> _current = new();
    private volatile ConcurrentDictionary<UInt128, bool> _previous = new();
    private long _turnAt = time.GetTimestamp() + (long)(window.TotalSeconds * time.TimestampFrequency);
    private int _count;

    /// <summary>Takes an id; false when it was taken already.</summary>
    public bool TryTake(string account, string id)
    {
        if (time.GetTimestamp() >= Volatile.Read(ref _turnAt) || Volatile.Read(ref _count) >= capacity)
            Turn();
        UInt128 hash = Hash(account, id);
        if (_previous.ContainsKey(hash) || !_current.TryAdd(hash, true))
            return false;
        Interlocked.Increment(ref _count);
        return true;
    }

    /// <summary>Frees an id: its request was refused or made nothing, so the same request may come again.</summary>
    public void Forget(string account, string id)
    {
        UInt128 hash = Hash(account, id);
        if (_current.TryRemove(hash, out _))
            Interlocked.Decrement(ref _count);
        _previous.TryRemove(hash, out _);
    }

    private void Turn()
    {
        lock (_turning)
        {
            long now = time.GetTimestamp(), length = (long)(window.TotalSeconds * time.TimestampFrequency);
            long overdue = now - _turnAt;
            if (overdue < 0 && Volatile.Read(ref _count) < capacity)
                return;
            _previous = overdue >= length ? new() : _current;
            _current = new();
            Volatile.Write(ref _count, 0);
            Volatile.Write(ref _turnAt, now + length);
        }
    }

    private static UInt128 Hash(string account, string id)
    {
        int most = Encoding.UTF8.GetMaxByteCount(account.Length + id.Length + 1);
        Span<byte> text = most <= 512 ? stackalloc byte[512] : new byte[most];
        int length = Encoding.UTF8.GetBytes(account, text);
        text[length++] = 0;
        length += Encoding.UTF8.GetBytes(id, text[length..]);
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(text[..length], hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
