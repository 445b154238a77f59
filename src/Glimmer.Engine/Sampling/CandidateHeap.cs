namespace Glimmer.Engine.Sampling;

/// <summary>
/// A heap over parallel arrays of ids and weights, heaviest first, equal weights by lower id. Popped entries gather at
/// the arrays' end, in reverse, so that taking the few best of very many costs one pass and few steps each.
/// </summary>
internal ref struct CandidateHeap
{
    private readonly int[] _ids;
    private readonly float[] _weights;
    private readonly int _all;

    /// <summary>Orders the first <paramref name="count"/> entries as a heap.</summary>
    public CandidateHeap(int[] ids, float[] weights, int count)
    {
        _ids = ids;
        _weights = weights;
        _all = Count = count;
        for (int i = count / 2 - 1; i >= 0; i--)
            SiftDown(i);
    }

    /// <summary>Entries not popped yet.</summary>
    public int Count { get; private set; }

    /// <summary>Weight of the heaviest entry.</summary>
    public readonly float Best => _weights[0];

    /// <summary>Weight of the i-th popped entry.</summary>
    public readonly float Popped(int i) => _weights[_all - 1 - i];

    /// <summary>Takes the heaviest entry away.</summary>
    public void Pop()
    {
        Count--;
        (_ids[0], _ids[Count]) = (_ids[Count], _ids[0]);
        (_weights[0], _weights[Count]) = (_weights[Count], _weights[0]);
        SiftDown(0);
    }

    /// <summary>Puts the popped entries in order at the front; the heap must not be used afterwards.</summary>
    public readonly void MovePoppedToFront(int popped)
    {
        Array.Reverse(_ids, _all - popped, popped);
        Array.Reverse(_weights, _all - popped, popped);
        Array.Copy(_ids, _all - popped, _ids, 0, popped);
        Array.Copy(_weights, _all - popped, _weights, 0, popped);
    }

    private readonly bool Before(int a, int b) =>
        _weights[a] > _weights[b] || (_weights[a] == _weights[b] && _ids[a] < _ids[b]);

    private readonly void SiftDown(int at)
    {
        while (true)
        {
            int child = 2 * at + 1;
            if (child >= Count)
                return;
            if (child + 1 < Count && Before(child + 1, child))
                child++;
            if (!Before(child, at))
                return;
            (_ids[at], _ids[child]) = (_ids[child], _ids[at]);
            (_weights[at], _weights[child]) = (_weights[child], _weights[at]);
            at = child;
        }
    }
}
