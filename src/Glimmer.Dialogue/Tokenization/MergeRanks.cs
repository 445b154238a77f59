using System.Numerics;
using System.Runtime.CompilerServices;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Says which neighbours may merge, how early, and into what.</summary>
internal interface IMergeRanks
{
    /// <summary>Rank of the pair, the lower the earlier; <see cref="int.MaxValue"/> when it never merges.</summary>
    /// <param name="left">Id of the left part.</param>
    /// <param name="right">Id of the right part.</param>
    /// <param name="both">The bytes of both.</param>
    int RankOf(int left, int right, ReadOnlySpan<byte> both);

    /// <summary>The id that a pair of this rank becomes.</summary>
    int ResultOf(int rank);
}

/// <summary>Ranks files: any two neighbours whose bytes together are a token, ordered by its id.</summary>
internal readonly struct TokenRanks(PieceTable pieces) : IMergeRanks
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RankOf(int left, int right, ReadOnlySpan<byte> both)
    {
        int id = pieces.Find(both);
        return id < 0 ? int.MaxValue : id;
    }

    /// <inheritdoc/>
    public int ResultOf(int rank) => rank;
}

/// <summary>A list of merges: pair of ids → position in the list, open addressing. Filled once, then only read.</summary>
internal sealed class MergeTable
{
    private const ulong Empty = ulong.MaxValue;

    private static readonly ulong _seed = (ulong)Random.Shared.NextInt64();

    private readonly Entry[] _entries;
    private readonly int[] _results;
    private readonly int _shift;

    /// <summary>An empty table.</summary>
    /// <param name="count">How many merges it will take.</param>
    public MergeTable(int count)
    {
        int size = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, count + count / 2L));
        _entries = new Entry[size];
        _entries.AsSpan().Fill(new Entry { Key = Empty });
        _results = new int[count];
        _shift = 64 - BitOperations.Log2((uint)size);
    }

    /// <summary>Adds a merge; a pair that comes again takes the later rank, as in the reference.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once for each merge at start, before the JIT would tier it up
    public void Add(int left, int right, int rank, int result)
    {
        ulong key = Key(left, right);
        ref Entry entry = ref Find(key);
        entry.Key = key;
        entry.Rank = rank;
        _results[rank] = result;
    }

    /// <summary>Rank of a pair; <see cref="int.MaxValue"/> for none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RankOf(int left, int right)
    {
        ref Entry entry = ref Find(Key(left, right));
        return entry.Key == Empty ? int.MaxValue : entry.Rank;
    }

    /// <summary>The id that the merge of this rank makes.</summary>
    public int ResultOf(int rank) => _results[rank];

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref Entry Find(ulong key)
    {
        Entry[] entries = _entries;
        int mask = entries.Length - 1;
        ulong high = Math.BigMul(key ^ _seed, 0x9E3779B97F4A7C15, out ulong low);
        int slot = (int)((high ^ low) >> _shift);
        while (true)
        {
            ref Entry entry = ref entries[slot];
            if (entry.Key == key || entry.Key == Empty)
                return ref entry;
            slot = (slot + 1) & mask;
        }
    }

    private struct Entry
    {
        public ulong Key;
        public int Rank;
    }
}

/// <summary>The ranks of a list of merges.</summary>
internal readonly struct ListedRanks(MergeTable merges) : IMergeRanks
{
    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RankOf(int left, int right, ReadOnlySpan<byte> both) => merges.RankOf(left, right);

    /// <inheritdoc/>
    public int ResultOf(int rank) => merges.ResultOf(rank);
}
