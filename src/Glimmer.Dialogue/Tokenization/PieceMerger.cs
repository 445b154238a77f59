using System.Buffers;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Merges the bytes of one piece into tokens: always the pair of lowest rank, the leftmost among equals (byte pair encoding).
/// </summary>
internal static class PieceMerger
{
    /// <summary>Up to this many bytes a plain search for the lowest rank is quicker than a heap.</summary>
    internal const int ShortPiece = 48;

    /// <summary>Appends the tokens of a piece.</summary>
    /// <param name="piece">The bytes, at least one.</param>
    /// <param name="idOfByte">Id of each of the 256 bytes; −1 for a byte without a token, which is dropped.</param>
    /// <param name="ranks">Which pairs merge.</param>
    /// <param name="ids">Takes the tokens.</param>
    /// <returns>How many pairs were looked at: bounded by a small multiple of n · log n.</returns>
    public static long Merge<TRanks>(ReadOnlySpan<byte> piece, ReadOnlySpan<int> idOfByte, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks =>
        piece.Length <= ShortPiece ? MergeShort(piece, idOfByte, ranks, ids) : MergeLong(piece, idOfByte, ranks, ids);

    internal static long MergeShort<TRanks>(ReadOnlySpan<byte> piece, ReadOnlySpan<int> idOfByte, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks
    {
        Span<int> parts = stackalloc int[ShortPiece];
        Span<int> starts = stackalloc int[ShortPiece + 1];
        Span<int> pairs = stackalloc int[ShortPiece];
        int count = Split(piece, idOfByte, parts, starts);
        for (int i = 0; i + 1 < count; i++)
            pairs[i] = ranks.RankOf(parts[i], parts[i + 1], piece[starts[i]..starts[i + 2]]);

        long steps = count;
        while (count > 1)
        {
            int best = 0;
            int lowest = pairs[0];
            for (int i = 1; i < count - 1; i++)
            {
                if (pairs[i] < lowest)
                {
                    lowest = pairs[i];
                    best = i;
                }
            }

            steps += count;
            if (lowest == int.MaxValue)
                break;
            parts[best] = ranks.ResultOf(lowest);
            parts[(best + 2)..count].CopyTo(parts[(best + 1)..]);
            starts[(best + 2)..(count + 1)].CopyTo(starts[(best + 1)..]);
            if (best + 2 < count)
                pairs[(best + 2)..(count - 1)].CopyTo(pairs[(best + 1)..]);
            count--;
            if (best > 0)
                pairs[best - 1] = ranks.RankOf(parts[best - 1], parts[best], piece[starts[best - 1]..starts[best + 1]]);
            if (best + 1 < count)
                pairs[best] = ranks.RankOf(parts[best], parts[best + 1], piece[starts[best]..starts[best + 2]]);
        }

        for (int i = 0; i < count; i++)
            ids.Add(parts[i]);
        return steps;
    }

    internal static long MergeLong<TRanks>(ReadOnlySpan<byte> piece, ReadOnlySpan<int> idOfByte, in TRanks ranks, List<int> ids)
        where TRanks : struct, IMergeRanks
    {
        // Parts are a linked list over positions; a position that merged into its left neighbour has no rank any more.
        int[] rented = ArrayPool<int>.Shared.Rent(checked(5 * (piece.Length + 1)));
        Span<int> parts = rented.AsSpan(0, piece.Length);
        Span<int> starts = rented.AsSpan(piece.Length, piece.Length + 1);
        Span<int> next = rented.AsSpan(2 * piece.Length + 1, piece.Length);
        Span<int> previous = rented.AsSpan(3 * piece.Length + 1, piece.Length + 1);
        Span<int> pairs = rented.AsSpan(4 * piece.Length + 2, piece.Length);
        int count = Split(piece, idOfByte, parts, starts);

        var queue = new RankQueue(count);
        long steps = count;
        for (int i = 0; i < count; i++)
        {
            next[i] = i + 1;
            previous[i] = i - 1;
        }

        for (int i = 0; i < count; i++)
            Look(i, i + 1 < count ? i + 1 : -1, piece, ranks, parts, starts, next, pairs, ref queue);

        while (queue.TryDequeue(out int rank, out int position))
        {
            steps++;
            if (pairs[position] != rank)
                continue;
            int right = next[position];
            parts[position] = ranks.ResultOf(rank);
            pairs[right] = int.MaxValue;
            int after = next[right];
            next[position] = after;
            if (after < count)
                previous[after] = position;
            Look(position, after < count ? after : -1, piece, ranks, parts, starts, next, pairs, ref queue);
            if (previous[position] >= 0)
                Look(previous[position], position, piece, ranks, parts, starts, next, pairs, ref queue);
        }

        queue.Release();
        for (int i = 0; i < count; i = next[i])
            ids.Add(parts[i]);
        ArrayPool<int>.Shared.Return(rented);
        return steps;
    }

    private static void Look<TRanks>(
        int left, int right, ReadOnlySpan<byte> piece, in TRanks ranks, Span<int> parts, Span<int> starts, Span<int> next, Span<int> pairs,
        ref RankQueue queue)
        where TRanks : struct, IMergeRanks
    {
        int rank = right < 0 ? int.MaxValue : ranks.RankOf(parts[left], parts[right], piece[starts[left]..starts[next[right]]]);
        pairs[left] = rank;
        if (rank != int.MaxValue)
            queue.Enqueue(rank, left);
    }

    // One part a byte; starts has one entry more, the end of the last.
    private static int Split(ReadOnlySpan<byte> piece, ReadOnlySpan<int> idOfByte, Span<int> parts, Span<int> starts)
    {
        int count = 0;
        for (int i = 0; i < piece.Length; i++)
        {
            int id = idOfByte[piece[i]];
            if (id < 0)
                continue;
            parts[count] = id;
            starts[count++] = i;
        }

        starts[count] = piece.Length;
        return count;
    }

    /// <summary>Binary heap of (rank, position), lowest first; entries may be stale.</summary>
    private ref struct RankQueue(int capacity)
    {
        private ulong[] _heap = ArrayPool<ulong>.Shared.Rent(capacity + 2);
        private int _count;

        public void Enqueue(int rank, int position)
        {
            if (_count == _heap.Length)
            {
                ulong[] larger = ArrayPool<ulong>.Shared.Rent(checked(_heap.Length * 2));
                _heap.AsSpan().CopyTo(larger);
                ArrayPool<ulong>.Shared.Return(_heap);
                _heap = larger;
            }

            ulong value = ((ulong)(uint)rank << 32) | (uint)position;
            int hole = _count++;
            while (hole > 0 && _heap[(hole - 1) / 2] > value)
            {
                _heap[hole] = _heap[(hole - 1) / 2];
                hole = (hole - 1) / 2;
            }

            _heap[hole] = value;
        }

        public bool TryDequeue(out int rank, out int position)
        {
            if (_count == 0)
            {
                rank = position = 0;
                return false;
            }

            ulong lowest = _heap[0];
            rank = (int)(lowest >> 32);
            position = (int)(uint)lowest;
            ulong value = _heap[--_count];
            int hole = 0;
            while (true)
            {
                int child = 2 * hole + 1;
                if (child >= _count)
                    break;
                if (child + 1 < _count && _heap[child + 1] < _heap[child])
                    child++;
                if (_heap[child] >= value)
                    break;
                _heap[hole] = _heap[child];
                hole = child;
            }

            _heap[hole] = value;
            return true;
        }

        public readonly void Release() => ArrayPool<ulong>.Shared.Return(_heap);
    }
}
