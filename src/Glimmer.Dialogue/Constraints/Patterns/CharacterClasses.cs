using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Patterns;

/// <summary>The named classes of ECMA-262 regular expressions.</summary>
internal static class CharacterClasses
{
    private static readonly ConcurrentDictionary<string, CodePointSet> Properties = new(StringComparer.Ordinal);

    private static readonly Dictionary<string, UnicodeCategory[]> Categories = new(StringComparer.Ordinal)
    {
        ["Lu"] = [UnicodeCategory.UppercaseLetter],
        ["Ll"] = [UnicodeCategory.LowercaseLetter],
        ["Lt"] = [UnicodeCategory.TitlecaseLetter],
        ["LC"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter],
        ["Lm"] = [UnicodeCategory.ModifierLetter],
        ["Lo"] = [UnicodeCategory.OtherLetter],
        ["L"] = [UnicodeCategory.UppercaseLetter, UnicodeCategory.LowercaseLetter, UnicodeCategory.TitlecaseLetter, UnicodeCategory.ModifierLetter, UnicodeCategory.OtherLetter],
        ["Mn"] = [UnicodeCategory.NonSpacingMark],
        ["Mc"] = [UnicodeCategory.SpacingCombiningMark],
        ["Me"] = [UnicodeCategory.EnclosingMark],
        ["M"] = [UnicodeCategory.NonSpacingMark, UnicodeCategory.SpacingCombiningMark, UnicodeCategory.EnclosingMark],
        ["Nd"] = [UnicodeCategory.DecimalDigitNumber],
        ["Nl"] = [UnicodeCategory.LetterNumber],
        ["No"] = [UnicodeCategory.OtherNumber],
        ["N"] = [UnicodeCategory.DecimalDigitNumber, UnicodeCategory.LetterNumber, UnicodeCategory.OtherNumber],
        ["Pc"] = [UnicodeCategory.ConnectorPunctuation],
        ["Pd"] = [UnicodeCategory.DashPunctuation],
        ["Ps"] = [UnicodeCategory.OpenPunctuation],
        ["Pe"] = [UnicodeCategory.ClosePunctuation],
        ["Pi"] = [UnicodeCategory.InitialQuotePunctuation],
        ["Pf"] = [UnicodeCategory.FinalQuotePunctuation],
        ["Po"] = [UnicodeCategory.OtherPunctuation],
        ["P"] = [UnicodeCategory.ConnectorPunctuation, UnicodeCategory.DashPunctuation, UnicodeCategory.OpenPunctuation, UnicodeCategory.ClosePunctuation, UnicodeCategory.InitialQuotePunctuation, UnicodeCategory.FinalQuotePunctuation, UnicodeCategory.OtherPunctuation],
        ["Sm"] = [UnicodeCategory.MathSymbol],
        ["Sc"] = [UnicodeCategory.CurrencySymbol],
        ["Sk"] = [UnicodeCategory.ModifierSymbol],
        ["So"] = [UnicodeCategory.OtherSymbol],
        ["S"] = [UnicodeCategory.MathSymbol, UnicodeCategory.CurrencySymbol, UnicodeCategory.ModifierSymbol, UnicodeCategory.OtherSymbol],
        ["Zs"] = [UnicodeCategory.SpaceSeparator],
        ["Zl"] = [UnicodeCategory.LineSeparator],
        ["Zp"] = [UnicodeCategory.ParagraphSeparator],
        ["Z"] = [UnicodeCategory.SpaceSeparator, UnicodeCategory.LineSeparator, UnicodeCategory.ParagraphSeparator],
        ["Cc"] = [UnicodeCategory.Control],
        ["Cf"] = [UnicodeCategory.Format],
    };

    private static readonly Dictionary<string, string> LongNames = new(StringComparer.Ordinal)
    {
        ["Letter"] = "L",
        ["Lowercase_Letter"] = "Ll",
        ["Uppercase_Letter"] = "Lu",
        ["Mark"] = "M",
        ["Number"] = "N",
        ["Decimal_Number"] = "Nd",
        ["Punctuation"] = "P",
        ["Symbol"] = "S",
        ["Separator"] = "Z",
    };

    /// <summary><c>\d</c>.</summary>
    public static CodePointSet Digit { get; } = CodePointSet.Between('0', '9');

    /// <summary><c>\w</c>.</summary>
    public static CodePointSet Word { get; } = CodePointSet.Of([new('0', '9'), new('A', 'Z'), new('_', '_'), new('a', 'z')]);

    /// <summary><c>\s</c>: white space and line ends of ECMA-262.</summary>
    public static CodePointSet Space { get; } = CodePointSet.Of(
    [
        new(9, 13), new(32, 32), new(0xA0, 0xA0), new(0x1680, 0x1680), new(0x2000, 0x200A), new(0x2028, 0x2029),
        new(0x202F, 0x202F), new(0x205F, 0x205F), new(0x3000, 0x3000), new(0xFEFF, 0xFEFF),
    ]);

    /// <summary>What <c>.</c> does not match.</summary>
    public static CodePointSet LineEnds { get; } = CodePointSet.Of([new('\n', '\n'), new('\r', '\r'), new(0x2028, 0x2029)]);

    public static CodePointSet Dot { get; } = LineEnds.Complement();

    /// <summary>The set of <c>\p{name}</c>; null for a name that is not known.</summary>
    public static CodePointSet? Property(string name)
    {
        int equals = name.IndexOf('=', StringComparison.Ordinal);
        if (equals >= 0)
        {
            if (name[..equals] is not ("gc" or "General_Category"))
                return null;
            name = name[(equals + 1)..];
        }

        if (LongNames.TryGetValue(name, out string? shortName))
            name = shortName;
        if (!Categories.TryGetValue(name, out UnicodeCategory[]? categories))
            return null;
        return Properties.GetOrAdd(name, static (_, wanted) => Scan(wanted), categories);
    }

    private static CodePointSet Scan(UnicodeCategory[] wanted)
    {
        List<CodePointRange> ranges = [];
        int first = -1;
        for (int c = 0; c <= CodePointSet.MaxCodePoint + 1; c++)
        {
            bool member = c <= CodePointSet.MaxCodePoint && Array.IndexOf(wanted, CharUnicodeInfo.GetUnicodeCategory(c)) >= 0;
            if (member && first < 0)
            {
                first = c;
            }
            else if (!member && first >= 0)
            {
                ranges.Add(new(first, c - 1));
                first = -1;
            }
        }

        return CodePointSet.Of(ranges);
    }
}
