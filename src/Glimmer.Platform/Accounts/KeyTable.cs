using Glimmer.Platform.Keys;

namespace Glimmer.Platform.Accounts;

/// <summary>
/// Keys by their index: an open-addressing table of references that any number of threads read without a lock while one
/// writes. A slot goes from empty to a key, and from a key to another or to a mark that it is gone; it is never empty
/// again, so that a reader's walk cannot end too early. Growing publishes another table.
/// </summary>
internal sealed class KeyTable
{
    private static readonly KeyEntry _gone = new() { Index = default, Name = "" };
    private KeyEntry?[] _slots;
    private int _taken;

    /// <summary>With room for so many keys.</summary>
    public KeyTable(long keys) => _slots = new KeyEntry?[Size(keys)];

    /// <summary>Number of keys.</summary>
    public int Count { get; private set; }

    /// <summary>The key at an index; null when there is none.</summary>
    public KeyEntry? Find(UInt128 index)
    {
        KeyEntry?[] slots = Volatile.Read(ref _slots);
        for (int at = Home(index, slots); ; at = (at + 1) & (slots.Length - 1))
        {
            KeyEntry? entry = Volatile.Read(ref slots[at]);
            if (entry is null)
                return null;
            if (entry.Index == index && !ReferenceEquals(entry, _gone))
                return entry;
        }
    }

    /// <summary>Puts a key in, in place of the one with its index. One writer at a time.</summary>
    public void Set(KeyEntry key)
    {
        if (_taken * 2 >= _slots.Length)
            Grow();
        int at = Walk(key.Index, _slots);
        if (_slots[at] is null)
        {
            _taken++;
            Count++;
        }

        Volatile.Write(ref _slots[at], key);
    }

    /// <summary>Takes a key out. One writer at a time.</summary>
    public void Remove(UInt128 index)
    {
        int at = Walk(index, _slots);
        if (_slots[at] is null)
            return;
        Volatile.Write(ref _slots[at], _gone);
        Count--;
    }

    /// <summary>The slot of an index, or the empty one that ends its walk.</summary>
    private static int Walk(UInt128 index, KeyEntry?[] slots)
    {
        int at = Home(index, slots);
        while (slots[at] is { } entry && (entry.Index != index || ReferenceEquals(entry, _gone)))
            at = (at + 1) & (slots.Length - 1);
        return at;
    }

    private static int Home(UInt128 index, KeyEntry?[] slots) =>
        (int)((((ulong)index ^ (ulong)(index >> 64)) * 0x9E3779B97F4A7C15) >> 32) & (slots.Length - 1);

    private static int Size(long keys) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)Math.Clamp(keys * 2, 1024, 1 << 29));

    private void Grow()
    {
        var larger = new KeyEntry?[Size(Count * 2L)];
        foreach (KeyEntry? entry in _slots)
        {
            if (entry is not null && !ReferenceEquals(entry, _gone))
                larger[Walk(entry.Index, larger)] = entry;
        }

        _taken = Count;
        Volatile.Write(ref _slots, larger);
    }
}
