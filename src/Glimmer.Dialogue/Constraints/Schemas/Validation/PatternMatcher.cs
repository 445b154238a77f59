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
            return new Regex(Translate(pattern), RegexOptions.CultureInvariant, Timeout);
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
        bool inClass = false;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                char e = pattern[++i];
                result.Append(e switch
                {
                    'd' => inClass ? "0-9" : "[0-9]",
                    'D' when !inClass => "[^0-9]",
                    'w' => inClass ? "a-zA-Z0-9_" : "[a-zA-Z0-9_]",
                    'W' when !inClass => "[^a-zA-Z0-9_]",
                    's' => inClass ? @"\s\uFEFF" : @"[\s\uFEFF]",
                    '/' => "/",
                    _ => $"\\{e}",
                });
                continue;
            }

            if (c == '[' && !inClass)
                inClass = true;
            else if (c == ']')
                inClass = false;
            result.Append((c, inClass) switch
            {
                ('$', false) => @"\z",
                ('.', false) => @"(?:[\uD800-\uDBFF][\uDC00-\uDFFF]|[^\n\r\u2028\u2029])",
                _ => c.ToString(),
            });
        }

        return result.ToString();
    }
}
