using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Byte string → id, open addressing. Strings up to eight bytes are compared by their key alone; longer ones by hash, then by
/// content. Filled once, then only read.
/// </summary>
internal sealed class PieceTable
{
    // Seeded, so that no file can be made to collide on purpose.
    private static readonly ulong _seed = (ulong)Random.Shared.NextInt64();

    private readonly Entry[] _entries;
    private readonly int _shift;
    private readonly byte[] _bytes;
    private readonly int[] _starts;

    /// <summary>An empty table for strings that lie in a block of memory.</summary>
    /// <param name="count">The most strings it will take.</param>
    /// <param name="bytes">Bytes of all tokens.</param>
    /// <param name="starts">Where each id's bytes begin.</param>
    public PieceTable(int count, byte[] bytes, int[] starts)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count + count / 2L));
        _entries = new Entry[size];
        _shift = 64 - BitOperations.Log2((uint)size);
        _bytes = bytes;
        _starts = starts;
    }

    /// <summary>Adds an id's bytes; false when the same bytes are there already, with their id.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once for each token at start, before the JIT would tier it up
    public bool TryAdd(int id, out int known)
    {
        ReadOnlySpan<byte> piece = _bytes.AsSpan(_starts[id], _starts[id + 1] - _starts[id]);
        ref Entry entry = ref Find(piece, out ulong key);
        if (entry.Length != 0)
        {
            known = entry.Id;
            return false;
        }

        entry = new Entry { Key = key, Id = id, Length = piece.Length };
        known = id;
        return true;
    }

    /// <summary>The id of a byte string; −1 for none.</summary>
    public int Find(ReadOnlySpan<byte> piece)
    {
        if (piece.IsEmpty)
            return -1;
        ref Entry entry = ref Find(piece, out _);
        return entry.Length != 0 ? entry.Id : -1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Entry Find(ReadOnlySpan<byte> piece, out ulong key)
    {
        key = piece.Length <= 8 ? ShortKey(piece) : LongHash(piece);
        ulong hash = Fold(key ^ _seed, (ulong)piece.Length ^ 0x9E3779B97F4A7C15);
        Entry[] entries = _entries;
        int mask = entries.Length - 1;
        int slot = (int)(hash >> _shift);
        while (true)
        {
            ref Entry entry = ref entries[slot];
            if (entry.Length == 0)
                return ref entry;
            if (entry.Key == key && entry.Length == piece.Length &&
                (piece.Length <= 8 || piece.SequenceEqual(_bytes.AsSpan(_starts[entry.Id], entry.Length))))
            {
                return ref entry;
            }

            slot = (slot + 1) & mask;
        }
    }

    /// <summary>The bytes as a little-endian number, padded with zeros: equal keys of equal length mean equal strings.</summary>
    private static ulong ShortKey(ReadOnlySpan<byte> piece)
    {
        ref byte first = ref MemoryMarshal.GetReference(piece);
        int length = piece.Length;
        if (length >= 4)
        {
            // Two overlapping reads: where they overlap the bits are the same.
            ulong low = Unsafe.ReadUnaligned<uint>(ref first);
            ulong high = Unsafe.ReadUnaligned<uint>(ref Unsafe.Add(ref first, length - 4));
            return low | (high << ((length - 4) * 8));
        }

        ulong key = first;
        if (length > 1)
            key |= (ulong)Unsafe.Add(ref first, 1) << 8;
        if (length > 2)
            key |= (ulong)Unsafe.Add(ref first, 2) << 16;
        return key;
    }

    private static ulong LongHash(ReadOnlySpan<byte> piece)
    {
        ulong hash = (ulong)piece.Length;
        int position = 0;
        for (; position + 8 <= piece.Length; position += 8)
            hash = Fold(BinaryPrimitives.ReadUInt64LittleEndian(piece[position..]) ^ _seed, hash ^ 0xD6E8FEB86659FD93);
        return Fold(BinaryPrimitives.ReadUInt64LittleEndian(piece[^8..]) ^ _seed, hash ^ 0xA0761D6478BD642F);
    }

    private static ulong Fold(ulong a, ulong b)
    {
        ulong high = Math.BigMul(a, b, out ulong low);
        return high ^ low;
    }

    private struct Entry
    {
        public ulong Key;
        public int Id;
        public int Length;
    }
}
