using System.Buffers;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Binary heap of (rank, position), lowest first, the leftmost among equals.</summary>
/// <param name="capacity">How many entries to make room for; it grows.</param>
internal ref struct RankQueue(int capacity)
{
    private ulong[] _heap = ArrayPool<ulong>.Shared.Rent(capacity + 2);
    private int _count;

    /// <summary>Adds an entry, unless the rank says that there is none.</summary>
    public void Enqueue(int rank, int position)
    {
        if (rank == int.MaxValue)
            return;
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

    /// <summary>Takes the lowest entry.</summary>
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

    /// <summary>Gives the memory back.</summary>
    public readonly void Release() => ArrayPool<ulong>.Shared.Return(_heap);
}
