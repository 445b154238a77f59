using System.Globalization;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>A character class that repeats.</summary>
/// <param name="Ranges">Single code points: first and last, in turn.</param>
/// <param name="Classes">Bit per <see cref="CodePointClass"/> whose members belong.</param>
/// <param name="OutsideClasses">Bit per <see cref="CodePointClass"/> whose non-members belong (<c>\S</c>, <c>\P{L}</c>).</param>
/// <param name="Negated">Whether the class is what the others are not.</param>
/// <param name="Min">Fewest repetitions.</param>
/// <param name="Max">Most repetitions; <see cref="int.MaxValue"/> for no bound.</param>
internal sealed record ClassItem(IReadOnlyList<int> Ranges, int Classes, int OutsideClasses, bool Negated, int Min, int Max)
{
    /// <summary>Whether a code point belongs.</summary>
    public bool Contains(int codePoint)
    {
        int bit = 1 << (int)UnicodeClasses.Of(codePoint);
        bool inside = (Classes & bit) != 0 || (OutsideClasses & ~bit) != 0;
        for (int i = 0; i < Ranges.Count && !inside; i += 2)
            inside = codePoint >= Ranges[i] && codePoint <= Ranges[i + 1];
        return inside != Negated;
    }
}

/// <summary>Reads the expressions that <see cref="ClassPieceScanner"/> can run.</summary>
internal ref struct ClassExpression
{
    /// <summary>Most repetitions that an item with a bound may ask for.</summary>
    public const int MaxBound = 16;

    private const int MaxAlternatives = 32;
    private const int MaxItems = 8;
    private const int MaxWays = 64;

    private readonly string _expression;
    private int _position;

    private ClassExpression(string expression)
    {
        _expression = expression;
    }

    private readonly bool AtEnd => _position >= _expression.Length;

    /// <summary>Reads an expression into its alternatives.</summary>
    /// <exception cref="FormatException">It is beyond what can be run.</exception>
    public static ClassItem[][] Parse(string expression)
    {
        var parser = new ClassExpression(expression);
        var alternatives = new List<ClassItem[]>();
        do
        {
            if (alternatives.Count == MaxAlternatives)
                throw new FormatException($"more than {MaxAlternatives} alternatives");
            alternatives.Add(parser.Alternative());
        }
        while (parser.Take('|'));
        return parser.AtEnd ? [.. alternatives] : throw new FormatException($"'{expression[parser._position]}' at {parser._position}");
    }

    private ClassItem[] Alternative()
    {
        var items = new List<ClassItem>();
        long ways = 1;
        while (!AtEnd && _expression[_position] != '|')
        {
            if (items.Count == MaxItems)
                throw new FormatException($"more than {MaxItems} classes in a row");
            if (items.Count > 0 && items[^1].Max == int.MaxValue)
                throw new FormatException("a repetition without bound that is not the last");
            items.Add(Item());
            if (items[^1].Max != int.MaxValue)
                ways *= items[^1].Max - items[^1].Min + 1;
        }

        if (ways > MaxWays)
            throw new FormatException("too many optional parts");
        return items.Sum(item => (long)item.Min) > 0 ? [.. items] : throw new FormatException("an alternative that matches nothing");
    }

    private ClassItem Item()
    {
        var ranges = new List<int>();
        int classes = 0;
        int outside = 0;
        bool negated = false;
        char next = _expression[_position++];
        if (next == '[')
        {
            negated = Take('^');
            bool any = false;
            while (!Take(']'))
            {
                Member(ranges, ref classes, ref outside);
                any = true;
            }

            if (!any)
                throw new FormatException("an empty class");
        }
        else if (next == '.')
        {
            negated = true;
            ranges.AddRange(['\n', '\n']);
        }
        else if ("()*+?{}^$]".Contains(next, StringComparison.Ordinal))
        {
            throw new FormatException($"'{next}' at {_position - 1}");
        }
        else
        {
            _position--;
            int single = Single(ref classes, ref outside);
            if (single >= 0)
                ranges.AddRange([single, single]);
        }

        (int min, int max) = Repetition();
        return new ClassItem(ranges, classes, outside, negated, min, max);
    }

    private void Member(List<int> ranges, ref int classes, ref int outside)
    {
        int first = Single(ref classes, ref outside);
        if (first < 0)
            return;
        int last = first;
        if (_position + 1 < _expression.Length && _expression[_position] == '-' && _expression[_position + 1] != ']')
        {
            _position++;
            last = Single(ref classes, ref outside);
            if (last < first)
                throw new FormatException("a range that runs backwards");
        }
        else if (!AtEnd && _expression[_position] is '[' or '&')
        {
            throw new FormatException("a class inside a class");
        }

        ranges.AddRange([first, last]);
    }

    // One character, or −1 when a class was read into the masks.
    private int Single(ref int classes, ref int outside)
    {
        if (AtEnd)
            throw new FormatException("the end comes too early");
        if (_expression[_position] == '[')
            throw new FormatException("a class inside a class");
        if (_expression[_position] != '\\')
        {
            if (!Rune.TryGetRuneAt(_expression, _position, out Rune rune))
                throw new FormatException("half a surrogate pair");
            _position += rune.Utf16SequenceLength;
            return rune.Value;
        }

        _position++;
        if (AtEnd)
            throw new FormatException("the end comes too early");
        char escaped = _expression[_position++];
        switch (escaped)
        {
            case 'r':
                return '\r';
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 's':
                classes |= 1 << (int)CodePointClass.WhiteSpace;
                return -1;
            case 'S':
                outside |= 1 << (int)CodePointClass.WhiteSpace;
                return -1;
            case 'p' when Take("{L}"):
                classes |= 1 << (int)CodePointClass.Letter;
                return -1;
            case 'p' when Take("{N}"):
                classes |= 1 << (int)CodePointClass.Number;
                return -1;
            case 'P' when Take("{L}"):
                outside |= 1 << (int)CodePointClass.Letter;
                return -1;
            case 'P' when Take("{N}"):
                outside |= 1 << (int)CodePointClass.Number;
                return -1;
        }

        return char.IsAscii(escaped) && !char.IsAsciiLetterOrDigit(escaped) ? escaped : throw new FormatException($"'\\{escaped}'");
    }

    private (int Min, int Max) Repetition()
    {
        (int Min, int Max) result = (1, 1);
        if (Take('?'))
            result = (0, 1);
        else if (Take('*'))
            result = (0, int.MaxValue);
        else if (Take('+'))
            result = (1, int.MaxValue);
        else if (Take('{'))
            result = Bounds();
        if (!AtEnd && _expression[_position] is '?' or '+' or '*' or '{')
            throw new FormatException($"'{_expression[_position]}' after a repetition");
        return result;
    }

    private (int Min, int Max) Bounds()
    {
        int close = _expression.IndexOf('}', _position);
        string[] parts = close < 0 ? [] : _expression[_position..close].Split(',');
        if (parts.Length is 0 or > 2 || !TryBound(parts[0], out int min))
            throw new FormatException($"a repetition beyond {{0,{MaxBound}}}");
        int max = min;
        if (parts.Length == 2 && parts[1].Length == 0)
            max = int.MaxValue;
        else if (parts.Length == 2 && (!TryBound(parts[1], out max) || max < min))
            throw new FormatException($"a repetition beyond {{0,{MaxBound}}}");
        _position = close + 1;
        return (min, max);
    }

    private static bool TryBound(string text, out int bound) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out bound) && bound <= MaxBound;

    private bool Take(char expected)
    {
        if (AtEnd || _expression[_position] != expected)
            return false;
        _position++;
        return true;
    }

    private bool Take(string expected)
    {
        if (!_expression.AsSpan(_position).StartsWith(expected, StringComparison.Ordinal))
            return false;
        _position += expected.Length;
        return true;
    }
}
