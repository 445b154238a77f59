namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>
/// The texts of an automaton whose length lies between two bounds. States pair the automaton's state with the count, and are
/// made as they are met: a table of which lengths can still be completed says which pairs are live.
/// </summary>
internal sealed class BoundedLengthDfa : CodePointAutomaton
{
    /// <summary>Largest bound for which lengths are tracked.</summary>
    public const int MaxBound = 10_000;

    private readonly CodePointDfa _inner;
    private readonly int _minimum;
    private readonly int? _maximum;
    private readonly int _counts;
    private readonly bool[] _live;

    /// <exception cref="AutomatonTooLargeException">A bound, or the table of lengths, is too large.</exception>
    public BoundedLengthDfa(CodePointDfa inner, int minimum, int? maximum)
    {
        int top = maximum ?? minimum;
        if (top > MaxBound || (long)(top + 1) * inner.StateCount > 4_000_000)
            throw new AutomatonTooLargeException("a length bound too large to combine with a pattern");
        _inner = inner;
        _minimum = minimum;
        _maximum = maximum;
        _counts = top + 1;
        _live = FindLive();
        Start = inner.Start < 0 || !_live[inner.Start * _counts] ? -1 : inner.Start * _counts;
    }

    /// <summary>The texts without the bounds.</summary>
    public CodePointDfa Unbounded => _inner;

    public override int Start { get; }

    public override bool IsAccepting(int state) => state % _counts >= _minimum && _inner.IsAccepting(state / _counts);

    public override int Next(int state, int codePoint)
    {
        int count = CountAfter(state % _counts);
        if (count < 0)
            return -1;
        int inner = _inner.Next(state / _counts, codePoint);
        if (inner < 0)
            return -1;
        int next = (inner * _counts) + count;
        return _live[next] ? next : -1;
    }

    public override bool CanStep(int state, int first, int last)
    {
        int count = CountAfter(state % _counts);
        if (count < 0)
            return false;
        ReadOnlySpan<int> starts = _inner.IntervalStarts;
        int inner = state / _counts;
        int i = starts.BinarySearch(first);
        for (i = i >= 0 ? i : ~i - 1; i < starts.Length && starts[i] <= last; i++)
        {
            int target = _inner.NextByClass(inner, _inner.ClassOf(starts[i]));
            if (target >= 0 && _live[(target * _counts) + count])
                return true;
        }

        return false;
    }

    private int CountAfter(int count)
    {
        if (_maximum is { } maximum)
            return count < maximum ? count + 1 : -1;
        return Math.Min(count + 1, _minimum);
    }

    private bool[] FindLive()
    {
        int states = _inner.StateCount;
        bool[] live = new bool[states * _counts];
        for (int count = _counts - 1; count >= 0; count--)
        {
            int after = CountAfter(count);

            // Without a maximum the last count leads to itself, and every state of the inner automaton is live there.
            for (int s = 0; s < states; s++)
            {
                bool alive = (count >= _minimum && _inner.IsAccepting(s)) || after == count;
                for (int c = 0; !alive && after > count && c < _inner.Classes; c++)
                {
                    int target = _inner.NextByClass(s, c);
                    alive = target >= 0 && live[(target * _counts) + after];
                }

                live[(s * _counts) + count] = alive;
            }
        }

        return live;
    }
}
