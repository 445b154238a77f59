using System.Numerics;

namespace Glimmer.Inference.Routing.Choosing;

/// <summary>
/// Which backend served a prompt's block last: a fixed table of sets of four entries, the oldest of a set makes room. An entry is one word, 48 bits
/// of the hash and 16 of the backend, so it is read and written without a lock; when two writers meet, an entry may be lost or stand twice, which
/// costs a hit and never an error.
/// </summary>
internal sealed class AffinityTable
{
    private const int Ways = 4;
    private readonly ulong[] _entries;
    private readonly ulong _mask;

    /// <summary>A table.</summary>
    /// <param name="entries">Least number of entries, rounded up to a power of two.</param>
    public AffinityTable(int entries)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Clamp(entries, Ways, 1 << 24));
        _entries = new ulong[size];
        _mask = (ulong)(size / Ways) - 1;
    }

    /// <summary>The backend of a block; 0 when it is not known.</summary>
    public ushort Find(ulong hash)
    {
        ReadOnlySpan<ulong> set = SetOf(hash);
        for (int i = 0; i < Ways; i++)
        {
            ulong entry = Volatile.Read(in set[i]);
            if ((entry ^ hash) >> 16 == 0)
                return (ushort)entry;
        }

        return 0;
    }

    /// <summary>The backend of the deepest known block.</summary>
    /// <param name="hashes">Shallowest first.</param>
    /// <returns>The backend and how many blocks it has seen; 0 for none.</returns>
    public (ushort Backend, int Depth) FindDeepest(ReadOnlySpan<ulong> hashes)
    {
        for (int i = hashes.Length - 1; i >= 0; i--)
        {
            if (Find(hashes[i]) is not 0 and var backend)
                return (backend, i + 1);
        }

        return (0, 0);
    }

    /// <summary>Remembers that a backend has seen these blocks.</summary>
    public void Remember(ReadOnlySpan<ulong> hashes, ushort backend)
    {
        foreach (ulong hash in hashes)
        {
            Span<ulong> set = SetOf(hash);
            ulong carried = (hash & ~0xFFFFUL) | backend;

            // To the front; what stood there moves back by one, up to where the block stood before.
            for (int i = 0; i < Ways; i++)
            {
                ulong old = Volatile.Read(ref set[i]);
                Volatile.Write(ref set[i], carried);
                if ((old ^ hash) >> 16 == 0)
                    break;
                carried = old;
            }
        }
    }

    private Span<ulong> SetOf(ulong hash) => _entries.AsSpan((int)((hash >> 16) & _mask) * Ways, Ways);
}
