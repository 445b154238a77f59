namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>
/// A table automaton over Unicode scalar values. The alphabet is cut into classes that no edge tells apart; a state has one
/// target per class. Unreachable and dead states are gone.
/// </summary>
internal sealed class CodePointDfa : CodePointAutomaton
{
    /// <summary>No automaton has more states: past this a pattern is refused as too complex.</summary>
    public const int MaxStates = 20_000;

    private readonly int[] _intervalStarts;
    private readonly int[] _intervalClasses;
    private readonly int[] _asciiClasses = new int[128];
    private readonly int[] _next;
    private readonly bool[] _accepting;

    private CodePointDfa(int[] intervalStarts, int[] intervalClasses, int classes, int[] next, bool[] accepting, int start)
    {
        _intervalStarts = intervalStarts;
        _intervalClasses = intervalClasses;
        Classes = classes;
        _next = next;
        _accepting = accepting;
        Start = start;
        for (int c = 0; c < 128; c++)
            _asciiClasses[c] = _intervalClasses[IntervalOf(c)];
        IsTotal = Start >= 0 && FindTotal();
    }

    public override int Start { get; }

    /// <summary>Whether every state leads on by every character.</summary>
    public bool IsTotal { get; }

    public int StateCount => _accepting.Length;

    public int Classes { get; }

    /// <summary>First code points of the intervals that make up the classes; the first is 0.</summary>
    public ReadOnlySpan<int> IntervalStarts => _intervalStarts;

    public bool IsEmpty => Start < 0;

    public override bool IsAccepting(int state) => _accepting[state];

    public override int Next(int state, int codePoint) => _next[(state * Classes) + ClassOf(codePoint)];

    public override bool CanStep(int state, int first, int last)
    {
        int row = state * Classes;
        for (int i = IntervalOf(first); i < _intervalStarts.Length && _intervalStarts[i] <= last; i++)
        {
            if (_next[row + _intervalClasses[i]] >= 0)
                return true;
        }

        return false;
    }

    public bool Accepts(string text)
    {
        int state = Start;
        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            if (state < 0)
                return false;
            state = Next(state, rune.Value);
        }

        return state >= 0 && IsAccepting(state);
    }

    public int ClassOf(int codePoint) => codePoint < 128 ? _asciiClasses[codePoint] : _intervalClasses[IntervalOf(codePoint)];

    public int NextByClass(int state, int charClass) => _next[(state * Classes) + charClass];

    /// <summary>
    /// Makes an automaton from a raw table: drops what cannot be reached or cannot accept, and merges states with the
    /// same future.
    /// </summary>
    /// <param name="intervalStarts">Sorted first code points of the intervals, from 0.</param>
    /// <param name="intervalClasses">Class of each interval.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="next">Target per state and class, −1 for none.</param>
    /// <param name="accepting">Whether each state accepts.</param>
    /// <param name="start">First state.</param>
    public static CodePointDfa FromTable(int[] intervalStarts, int[] intervalClasses, int classes, int[] next, bool[] accepting, int start)
    {
        bool[] live = DfaReduction.FindLive(next, accepting, classes);
        int[] block = DfaReduction.Minimise(next, accepting, classes, live);
        if (!live[start])
            return new(intervalStarts, intervalClasses, classes, [], [], -1);

        // Number the blocks in the order in which they are met from the start.
        Dictionary<int, int> numbers = new() { [block[start]] = 0 };
        List<int> representatives = [start];
        List<int> table = [];
        for (int i = 0; i < representatives.Count; i++)
        {
            for (int c = 0; c < classes; c++)
            {
                int target = next[(representatives[i] * classes) + c];
                if (target < 0 || !live[target])
                {
                    table.Add(-1);
                    continue;
                }

                if (!numbers.TryGetValue(block[target], out int number))
                {
                    number = representatives.Count;
                    numbers.Add(block[target], number);
                    representatives.Add(target);
                }

                table.Add(number);
            }
        }

        return new(intervalStarts, intervalClasses, classes, [.. table], [.. representatives.Select(r => accepting[r])], 0);
    }

    private bool FindTotal()
    {
        for (int i = 0; i < _intervalStarts.Length; i++)
        {
            // No automaton has an edge on a surrogate.
            if (_intervalStarts[i] == 0xD800)
                continue;
            for (int s = 0; s < _accepting.Length; s++)
            {
                if (NextByClass(s, _intervalClasses[i]) < 0)
                    return false;
            }
        }

        return true;
    }

    private int IntervalOf(int codePoint)
    {
        int index = Array.BinarySearch(_intervalStarts, codePoint);
        return index >= 0 ? index : ~index - 1;
    }
}
