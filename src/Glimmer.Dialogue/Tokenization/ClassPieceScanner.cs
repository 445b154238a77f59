namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Pre-tokenizers other than GLM's own, as far as they can be run in linear time without surprises: alternatives of character
/// classes in a row, of which only the last may repeat without bound. What no alternative matches becomes a piece of its own, as the
/// reference's Split step does.
/// </summary>
internal sealed class ClassPieceScanner : PieceScanner
{
    private readonly ClassItem[][] _alternatives;

    private ClassPieceScanner(ClassItem[][] alternatives)
    {
        _alternatives = alternatives;
    }

    /// <summary>Reads an expression.</summary>
    /// <exception cref="TokenizerFileException">It is beyond the forms above.</exception>
    public static ClassPieceScanner Parse(string expression, string source)
    {
        try
        {
            return new ClassPieceScanner(ClassExpression.Parse(expression));
        }
        catch (FormatException fault)
        {
            throw new TokenizerFileException(
                source,
                $"the pre-tokenizer's expression '{expression}' is not supported ({fault.Message}). GLM's own is, and alternatives of character classes of which only the last repeats without bound.",
                fault);
        }
    }

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<byte> text, int start, out int reach)
    {
        reach = start;
        int position = start;
        while (position < text.Length)
        {
            foreach (ClassItem[] alternative in _alternatives)
            {
                int end = Match(alternative, 0, text, position, ref reach);
                if (end >= 0)
                    return position == start ? end : position;
            }

            Decode(text, position, out int length);
            position += length;
        }

        reach = text.Length;
        return position;
    }

    // Greedy with a way back, as a regular expression: the longest repetition first. The number of ways is bounded by the parser.
    private static int Match(ClassItem[] items, int index, ReadOnlySpan<byte> text, int position, ref int reach)
    {
        if (index == items.Length)
            return position;
        ClassItem item = items[index];
        int count = 0;
        int end = position;
        Span<int> ends = stackalloc int[ClassExpression.MaxBound + 1];
        ends[0] = position;
        while (count < item.Max)
        {
            reach = Math.Max(reach, end);
            if (end >= text.Length)
                break;
            int codePoint = Decode(text, end, out int length);
            if (!item.Contains(codePoint))
                break;
            end += length;
            count++;
            if (count < ends.Length)
                ends[count] = end;
        }

        if (index == items.Length - 1)
            return count >= item.Min ? end : -1;
        for (; count >= item.Min; count--)
        {
            int match = Match(items, index + 1, text, ends[count], ref reach);
            if (match >= 0)
                return match;
        }

        return -1;
    }
}
