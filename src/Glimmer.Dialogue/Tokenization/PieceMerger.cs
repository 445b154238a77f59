using System.Buffers;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Merges the bytes of one piece into tokens: always the pair of lowest rank, the leftmost among equals (byte pair encoding).
/// </summary>
internal static class PieceMerger
{
    /// <summary>Up to this many bytes a search through all ranks is quicker than a heap.</summary>
    internal const int ShortPiece = 192;

    /// <summary>Appends the tokens of a piece.</summary>
    /// <param name="piece">The bytes, at least one.</param>
    /// <param name="bytes">What single bytes and pairs of them are.</param>
    /// <param name="ranks">Which pairs merge.</param>
    /// <param name="ids">Takes the tokens.</param>
    public static void Merge<TRanks>(ReadOnlySpan<byte> piece, BytePairs bytes, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks
    {
        if (piece.Length <= ShortPiece)
            MergeShort(piece, bytes, ranks, ids);
        else
            MergeLong(piece, bytes, ranks, ids);
    }

    [SkipLocalsInit]
    internal static void MergeShort<TRanks>(ReadOnlySpan<byte> piece, BytePairs bytes, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks
    {
        Span<int> memory = stackalloc int[MergeList.MemoryFor(ShortPiece)];
        var list = new MergeList(piece, bytes, memory[..MergeList.MemoryFor(piece.Length)]);
        while (true)
        {
            int position = LowestRank(list.PaddedRanks, out int rank);
            if (rank == int.MaxValue)
                break;
            list.Merge(position, ranks);
        }

        list.AppendTo(ids);
    }

    /// <summary>The same by a heap of candidates.</summary>
    /// <returns>How many candidates the heap gave: at most three for each byte.</returns>
    internal static long MergeLong<TRanks>(ReadOnlySpan<byte> piece, BytePairs bytes, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks
    {
        int[] rented = ArrayPool<int>.Shared.Rent(MergeList.MemoryFor(piece.Length));
        var list = new MergeList(piece, bytes, rented.AsSpan(0, MergeList.MemoryFor(piece.Length)));
        var queue = new RankQueue(list.Count);
        for (int i = 0; i < list.Count; i++)
            queue.Enqueue(list.RankAt(i), i);
        long steps = 0;
        while (queue.TryDequeue(out int rank, out int position))
        {
            // A candidate whose parts have merged otherwise since has another rank now, or none.
            steps++;
            if (list.RankAt(position) != rank)
                continue;
            list.Merge(position, ranks);
            queue.Enqueue(list.RankAt(position), position);
            int before = list.Before(position);
            if (before >= 0)
                queue.Enqueue(list.RankAt(before), before);
        }

        queue.Release();
        list.AppendTo(ids);
        ArrayPool<int>.Shared.Return(rented);
        return steps;
    }

    // The first place of the least value; the length is a multiple of eight.
    private static int LowestRank(ReadOnlySpan<int> ranks, out int lowest)
    {
        ref int first = ref MemoryMarshal.GetReference(ranks);
        Vector256<int> least = Vector256.LoadUnsafe(ref first);
        for (nuint i = 8; i < (nuint)ranks.Length; i += 8)
            least = Vector256.Min(least, Vector256.LoadUnsafe(ref first, i));
        Vector128<int> half = Vector128.Min(least.GetLower(), least.GetUpper());
        half = Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        half = Vector128.Min(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2)));
        lowest = half.ToScalar();
        return lowest == int.MaxValue ? -1 : ranks.IndexOf(lowest);
    }
}
