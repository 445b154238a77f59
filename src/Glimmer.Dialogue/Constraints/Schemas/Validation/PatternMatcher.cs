using System.Collections.Concurrent;
using System.Text;
using System.Text.RegularExpressions;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>Patterns by the platform's own regular expressions.</summary>
internal static class PatternMatcher
{
    private const int MaxCached = 512;

    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);
    private static readonly ConcurrentDictionary<string, Regex> Cache = new(StringComparer.Ordinal);

    /// <exception cref="JsonSchemaException">The pattern is not a regular expression.</exception>
    public static bool IsMatch(string pattern, string text)
    {
        if (Cache.Count > MaxCached)
            Cache.Clear();
        return Cache.GetOrAdd(pattern, Compile).IsMatch(text);
    }

    private static Regex Compile(string pattern)
    {
        try
        {
            string named = pattern.Replace(@"\p{Letter}", @"\p{L}", StringComparison.Ordinal).Replace(@"\p{Number}", @"\p{N}", StringComparison.Ordinal);
            return new Regex(Translate(named), RegexOptions.CultureInvariant, Timeout);
        }
        catch (ArgumentException e)
        {
            throw new JsonSchemaException("", $"'{pattern}' is not a regular expression: {e.Message}");
        }
    }

    /// <summary>
    /// ECMA-262 to .NET: <c>$</c> is the very end, classes are ASCII, <c>\s</c> and the dot have their own members, a character
    /// outside the basic plane counts as one.
    /// </summary>
    private static string Translate(string pattern)
    {
        StringBuilder result = new();
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            switch (c)
            {
                case '\\' when i + 1 < pattern.Length:
                    result.Append(Escape(pattern[++i]));
                    break;
                case '[':
                    result.Append(Class(pattern, ref i));
                    break;
                case '$':
                    result.Append(@"\z");
                    break;
                case '.':
                    result.Append(AnyBut(@"\n\r\u2028\u2029"));
                    break;
                default:
                    result.Append(c);
                    break;
            }
        }

        return result.ToString();
    }

    /// <summary>One character outside a set; a pair of surrogates is one.</summary>
    private static string AnyBut(string members) => $@"(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^{members}\uD800-\uDFFF])";

    private static string Escape(char c) => c switch
    {
        'd' => "[0-9]",
        'D' => AnyBut("0-9"),
        'w' => "[a-zA-Z0-9_]",
        'W' => AnyBut("a-zA-Z0-9_"),
        's' => @"[\s\uFEFF]",
        'S' => AnyBut(@"\s\uFEFF"),
        '/' => "/",
        _ => $"\\{c}",
    };

    private static string Class(string pattern, ref int at)
    {
        StringBuilder members = new();
        bool negated = at + 1 < pattern.Length && pattern[at + 1] == '^';
        int i = at + (negated ? 2 : 1);
        for (; i < pattern.Length && pattern[i] != ']'; i++)
        {
            if (pattern[i] == '\\' && i + 1 < pattern.Length)
            {
                members.Append(pattern[++i] switch
                {
                    'd' => "0-9",
                    'w' => "a-zA-Z0-9_",
                    's' => @"\s\uFEFF",
                    '/' => "/",
                    char e => $"\\{e}",
                });
            }
            else
            {
                members.Append(pattern[i]);
            }
        }

        at = i;
        if (i >= pattern.Length)
            return "[" + members;
        if (members.Length == 0)
            return negated ? @"(?:[\s\S])" : "(?!)";
        return negated ? AnyBut(members.ToString()) : $"[{members}]";
    }
}
