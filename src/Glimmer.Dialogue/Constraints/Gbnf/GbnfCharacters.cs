using System.Globalization;
using System.Text;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>Writes sets of characters, plainly or as a JSON string may spell them: as they are, by a letter after a reverse solidus, by <c>\u</c> and digits.</summary>
internal sealed class GbnfCharacters(GbnfWriter writer)
{
    /// <summary>Longest notation of the spellings of a set by digits, in characters; of a longer one only the plain spellings are written.</summary>
    private const int MaxDigits = 4_000;

    private const string AnyDigit = "[0-9a-fA-F]";
    private static readonly (int Character, char Letter)[] _letters = [('"', '"'), ('\\', '\\'), ('/', '/'), ('\b', 'b'), ('\f', 'f'), ('\n', 'n'), ('\r', 'r'), ('\t', 't')];

    // How many bits each hexadecimal digit holds after those that are always so: four digits, or two escapes of surrogates.
    private static readonly int[] _plainDigits = [4, 4, 4, 4];
    private static readonly int[] _pairDigits = [2, 4, 4, 2, 4, 4];
    private readonly Dictionary<string, string> _rules = new(StringComparer.Ordinal);

    /// <summary>One of some characters, as something that a repetition sign can follow; null when none can be written.</summary>
    public string? OneOf(List<CodePointRange> ranges, bool isJson)
    {
        List<CodePointRange> set = [];
        foreach (CodePointRange range in ranges)
        {
            if (!isJson)
            {
                Add(set, Math.Max(range.First, 1), range.Last);
                continue;
            }

            Add(set, Math.Max(range.First, 0x20), Math.Min(range.Last, '"' - 1));
            Add(set, Math.Max(range.First, '"' + 1), Math.Min(range.Last, '\\' - 1));
            Add(set, Math.Max(range.First, '\\' + 1), range.Last);
        }

        string? plain = set.Count > 0 ? Set(set) : null;
        if (!isJson)
            return plain;
        List<string> escapes = [];
        List<CodePointRange> letters = [.. _letters.Where(one => ranges.Exists(range => range.First <= one.Character && one.Character <= range.Last)).Select(static one => new CodePointRange(one.Letter, one.Letter))];
        if (letters.Count > 0)
            escapes.Add(Set(letters));
        if (Digits(ranges) is { } digits)
            escapes.Add($"\"u\" {digits}");
        if (escapes.Count == 0)
            return plain;
        string escaped = $"\"\\\\\" {(escapes.Count == 1 ? escapes[0] : $"({string.Join(" | ", escapes)})")}";
        return Named(plain is null ? escaped : $"{plain} | {escaped}");
    }

    /// <summary>A rule for a text that many states have.</summary>
    private string Named(string body)
    {
        if (_rules.TryGetValue(body, out string? name))
            return name;
        name = writer.NewName("c");
        writer.Define(name, body);
        _rules.Add(body, name);
        return name;
    }

    /// <summary>The characters by four hexadecimal digits, or by two times four; null when there are none, or too many to be written.</summary>
    private static string? Digits(List<CodePointRange> ranges)
    {
        List<CodePointRange> basic = [], pairs = [];
        foreach (CodePointRange range in ranges)
        {
            Add(basic, range.First, Math.Min(range.Last, 0xFFFF));
            if (range.Last > 0xFFFF)
                pairs.Add(new CodePointRange(Math.Max(range.First, 0x10000) - 0x10000, range.Last - 0x10000));
        }

        List<string> choices = [];
        if (basic.Count > 0)
            choices.Add(Digits(basic, _plainDigits, 0));
        if (pairs.Count > 0)
            choices.Add($"[dD] {Digits(pairs, _pairDigits, 0)}");
        int length = choices.Sum(static choice => choice.Length);
        return length is 0 or > MaxDigits ? null : choices.Count == 1 ? choices[0] : $"({string.Join(" | ", choices)})";
    }

    /// <summary>The digits from one on, of values that begin at 0.</summary>
    private static string Digits(List<CodePointRange> ranges, int[] layout, int digit)
    {
        int rest = layout[(digit + 1)..].Sum();
        bool isPair = layout.Length > 4;
        int digits = 1 << layout[digit], offset = !isPair || layout[digit] == 4 ? 0 : digit == 0 ? 8 : 12;
        List<(string After, List<CodePointRange> Values)> groups = [];
        for (int value = 0; value < digits; value++)
        {
            int first = value << rest, last = first + (1 << rest) - 1;
            List<CodePointRange> within = [.. ranges.Where(range => range.First <= last && range.Last >= first).Select(range => new CodePointRange(Math.Max(range.First, first) - first, Math.Min(range.Last, last) - first))];
            if (within.Count == 0)
                continue;
            string after = digit + 1 == layout.Length ? "" : isPair && digit == 2 ? $" \"\\\\u\" [dD] {Digits(within, layout, digit + 1)}" : $" {Digits(within, layout, digit + 1)}";
            int known = groups.FindIndex(group => group.After == after);
            if (known < 0)
                groups.Add((after, [new CodePointRange(value + offset, value + offset)]));
            else
                groups[known].Values.Add(new CodePointRange(value + offset, value + offset));
        }

        List<string> choices = [.. groups.Select(static group => (group.Values.Count == 16 ? AnyDigit : DigitSet(group.Values)) + group.After)];
        return choices.Count == 1 ? choices[0] : $"({string.Join(" | ", choices)})";
    }

    private static string DigitSet(List<CodePointRange> values)
    {
        StringBuilder set = new("[");
        foreach (CodePointRange value in values)
        {
            set.Append(value.First.ToString("x", CultureInfo.InvariantCulture));
            if (value.First >= 10)
                set.Append(value.First.ToString("X", CultureInfo.InvariantCulture));
        }

        return set.Append(']').ToString();
    }

    private static void Add(List<CodePointRange> set, int first, int last)
    {
        if (first < 0xD800 && last > 0xDFFF)
        {
            set.Add(new CodePointRange(first, 0xD7FF));
            first = 0xE000;
        }

        if (first is >= 0xD800 and <= 0xDFFF)
            first = 0xE000;
        if (last is >= 0xD800 and <= 0xDFFF)
            last = 0xD7FF;
        if (first <= last)
            set.Add(new CodePointRange(first, last));
    }

    private string Set(List<CodePointRange> ranges)
    {
        StringBuilder set = new("[");
        if (writer.Dialect == GbnfDialect.XGrammar && ranges.Exists(static range => range.Last >= 128))
        {
            set.Append('^');
            AppendCharacter(set, 0);
            for (int c = 1; c < 128; c++)
            {
                if (!ranges.Exists(range => range.First <= c && c <= range.Last))
                    AppendCharacter(set, c);
            }

            return set.Append(']').ToString();
        }

        foreach (CodePointRange range in ranges)
        {
            AppendCharacter(set, range.First);
            if (range.Last > range.First)
            {
                set.Append('-');
                AppendCharacter(set, range.Last);
            }
        }

        return set.Append(']').ToString();
    }

    // Escapes of a fixed length: what follows could be read as a part of shorter ones.
    private static void AppendCharacter(StringBuilder set, int c)
    {
        if (c < 128 && char.IsAsciiLetterOrDigit((char)c))
            set.Append((char)c);
        else
            set.Append(c <= 0xFFFF ? "\\u" : "\\U").Append(c.ToString(c <= 0xFFFF ? "X4" : "X8", CultureInfo.InvariantCulture));
    }
}
