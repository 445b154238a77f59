namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>
/// One of a list of byte strings. The list is sorted, and the state is the run of strings that begin with what was read: nothing has to
/// be built for long lists.
/// </summary>
internal sealed class LiteralSetTerminal : Terminal
{
    // State: bits 0–23 first string, 24–47 string after the last, 48–63 bytes read.
    private const int MaxStrings = 1 << 24;
    private const int MaxLength = (1 << 16) - 2;

    private readonly byte[][] _strings;

    /// <exception cref="GrammarException">Too many or too long strings.</exception>
    public LiteralSetTerminal(IEnumerable<string> texts)
    {
        _strings = [.. texts.Distinct(StringComparer.Ordinal).Select(System.Text.Encoding.UTF8.GetBytes)];
        if (_strings.Length >= MaxStrings || _strings.Any(s => s.Length > MaxLength))
            throw new GrammarException($"a value of more than {MaxLength} bytes");
        Array.Sort(_strings, static (a, b) => a.AsSpan().SequenceCompareTo(b));
    }

    /// <summary>The strings, as UTF-8.</summary>
    public IReadOnlyList<byte[]> Strings => _strings;

    public override ulong Start => Pack(0, _strings.Length, 0);

    public override bool IsEmpty => _strings.Length == 0;

    // A string that is a prefix of others is sorted before them.
    public override bool IsAccepting(ulong state) => _strings[First(state)].Length == Depth(state);

    public override bool CanStep(ulong state) => _strings[End(state) - 1].Length > Depth(state);

    public override bool TryStep(ulong state, byte value, out ulong next)
    {
        int depth = Depth(state);
        int first = Bound(First(state), End(state), depth, value);
        int end = first;
        if (first < End(state) && _strings[first].Length > depth && _strings[first][depth] == value)
            end = value == 255 ? End(state) : Bound(first, End(state), depth, value + 1);
        next = Pack(first, end, depth + 1);
        return end > first;
    }

    public override void AddNextBytes(ulong state, Span<ulong> following)
    {
        int depth = Depth(state);
        int at = First(state);
        while (at < End(state))
        {
            if (_strings[at].Length <= depth)
            {
                at++;
                continue;
            }

            int value = _strings[at][depth];
            following[value >> 6] |= 1UL << (value & 63);
            at = Bound(at, End(state), depth, value + 1);
        }
    }

    private static ulong Pack(int first, int end, int depth) => (uint)first | ((ulong)(uint)end << 24) | ((ulong)(uint)depth << 48);

    private static int First(ulong state) => (int)(state & 0xFFFFFF);

    private static int End(ulong state) => (int)((state >> 24) & 0xFFFFFF);

    private static int Depth(ulong state) => (int)(state >> 48);

    /// <summary>The first string of a run whose byte at a depth is at least a value.</summary>
    private int Bound(int low, int high, int depth, int value)
    {
        while (low < high)
        {
            int middle = (low + high) >> 1;
            int at = _strings[middle].Length > depth ? _strings[middle][depth] : -1;
            if (at < value)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
