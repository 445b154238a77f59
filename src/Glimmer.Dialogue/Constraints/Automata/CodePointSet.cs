namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>An inclusive range of Unicode scalar values.</summary>
internal readonly record struct CodePointRange(int First, int Last);

/// <summary>An immutable set of Unicode scalar values: sorted, disjoint, non-adjacent ranges. Surrogates are never members.</summary>
internal sealed class CodePointSet
{
    public const int MaxCodePoint = 0x10FFFF;

    private readonly CodePointRange[] _ranges;

    private CodePointSet(CodePointRange[] ranges) => _ranges = ranges;

    /// <summary>No code point.</summary>
    public static CodePointSet None { get; } = new([]);

    /// <summary>Every scalar value.</summary>
    public static CodePointSet Any { get; } = Of([new(0, MaxCodePoint)]);

    public ReadOnlySpan<CodePointRange> Ranges => _ranges;

    public bool IsEmpty => _ranges.Length == 0;

    public static CodePointSet Single(int codePoint) => Of([new(codePoint, codePoint)]);

    public static CodePointSet Between(int first, int last) => Of([new(first, last)]);

    /// <summary>The union of ranges in any order; reversed ranges are the caller's bug.</summary>
    public static CodePointSet Of(IEnumerable<CodePointRange> ranges)
    {
        List<CodePointRange> parts = [];
        foreach (CodePointRange range in ranges)
        {
            // Surrogates are cut out here, so that no automaton ever has an edge on one.
            if (range.First < 0xD800)
                parts.Add(new(range.First, Math.Min(range.Last, 0xD7FF)));
            if (range.Last > 0xDFFF)
                parts.Add(new(Math.Max(range.First, 0xE000), range.Last));
        }

        parts.Sort((a, b) => a.First.CompareTo(b.First));
        List<CodePointRange> merged = [];
        foreach (CodePointRange part in parts)
        {
            if (merged.Count > 0 && part.First <= merged[^1].Last + 1)
                merged[^1] = new(merged[^1].First, Math.Max(merged[^1].Last, part.Last));
            else
                merged.Add(part);
        }

        return new([.. merged]);
    }

    public CodePointSet Union(CodePointSet other) => Of([.. _ranges, .. other._ranges]);

    public CodePointSet Complement()
    {
        List<CodePointRange> parts = [];
        int next = 0;
        foreach (CodePointRange range in _ranges)
        {
            if (range.First > next)
                parts.Add(new(next, range.First - 1));
            next = range.Last + 1;
        }

        if (next <= MaxCodePoint)
            parts.Add(new(next, MaxCodePoint));
        return Of(parts);
    }

    public CodePointSet Except(CodePointSet other) => Complement().Union(other).Complement();

    public bool Contains(int codePoint)
    {
        int low = 0;
        int high = _ranges.Length - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            if (codePoint < _ranges[middle].First)
                high = middle - 1;
            else if (codePoint > _ranges[middle].Last)
                low = middle + 1;
            else
                return true;
        }

        return false;
    }
}
