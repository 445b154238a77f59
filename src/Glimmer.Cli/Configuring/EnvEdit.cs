using System.Text.RegularExpressions;

namespace Glimmer.Cli.Configuring;

/// <summary>Sets variables in a file of lines <c>NAME=value</c>; all other lines stay as they are.</summary>
internal static partial class EnvEdit
{
    /// <summary>The text with a variable set. Where the name comes twice its last line is changed, which is the one that counts.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="name">The variable.</param>
    /// <param name="value">Its value, of printable ASCII without quotes.</param>
    /// <exception cref="FormatException">A value has several lines.</exception>
    public static string Set(string text, string name, string value)
    {
        string newLine = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        List<string> lines = [.. text.Split('\n').Select(line => line.TrimEnd('\r'))];
        if (lines[^1].Length == 0)
            lines.RemoveAt(lines.Count - 1);
        int found = -1;
        for (int i = 0; i < lines.Count; i++)
        {
            if (Assignment().Match(lines[i]) is not { Success: true } match)
                continue;
            string rest = match.Groups["value"].Value;
            if (rest.Length > 0 && rest[0] is '"' or '\'' or '`' && rest.IndexOf(rest[0], 1) < 0)
                throw new FormatException($"the value of {match.Groups["name"].Value} in line {i + 1} has several lines");
            if (match.Groups["name"].Value == name)
                found = i;
        }

        string line = $"{name}={(Plain().IsMatch(value) ? value : $"'{value}'")}";
        if (found < 0)
            lines.Add(line);
        else if (Assignment().Match(lines[found]) is var known && known.Groups["value"].Value != value)
            lines[found] = known.Groups["export"].Value + line;
        return string.Join(newLine, lines) + newLine;
    }

    [GeneratedRegex("""^\s*(?<export>export\s+)?(?<name>[\w.-]+)\s*=\s*(?<value>.*?)\s*$""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Assignment();

    [GeneratedRegex("""^[\w.:/@%+-]*$""", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex Plain();
}
