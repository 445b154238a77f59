using System.Text;

namespace Glimmer.Cli.Configuring;

/// <summary>Sets texts in a TOML file, line by line, and leaves every other line as it is.</summary>
internal static class TomlEdit
{
    /// <summary>The text with <c>name = "value"</c> in a table.</summary>
    /// <param name="text">The file.</param>
    /// <param name="table">Table; empty for the keys before the first one.</param>
    /// <param name="name">Bare key.</param>
    /// <param name="value">Its text.</param>
    /// <exception cref="FormatException">The key has a value of several lines.</exception>
    public static string Set(string text, string table, string name, string value)
    {
        string ending = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        List<string> lines = [.. text.Split('\n').Select(line => line.TrimEnd('\r'))];
        if (lines[^1].Length == 0)
            lines.RemoveAt(lines.Count - 1);
        string wanted = $"{name} = {Quote(value)}";
        (int start, int end, int found) = Find(lines, table, name);
        if (found >= 0)
        {
            string old = lines[found][(lines[found].IndexOf('=', StringComparison.Ordinal) + 1)..].Trim();
            if (old.StartsWith("\"\"\"", StringComparison.Ordinal) || old.StartsWith("'''", StringComparison.Ordinal) || old is ['[', ..] or ['{', ..])
                throw new FormatException($"its key {name} has a value of another kind");
            if (old == Quote(value))
                return text;
            lines[found] = wanted;
        }
        else if (start < 0)
        {
            if (lines.Count > 0)
                lines.Add("");
            lines.Add($"[{table}]");
            lines.Add(wanted);
        }
        else
        {
            // Behind the last line of the table that says something.
            while (end > start && lines[end - 1].Trim().Length == 0)
                end--;
            lines.Insert(end, wanted);
            if (table.Length == 0 && end + 1 < lines.Count && lines[end + 1].TrimStart().StartsWith('['))
                lines.Insert(end + 1, "");
        }

        return string.Join(ending, lines) + ending;
    }

    /// <summary>First line of a table behind its header and the line behind its last, and the line of a key; −1 for what is not there.</summary>
    private static (int Start, int End, int Key) Find(List<string> lines, string table, string name)
    {
        int start = table.Length == 0 ? 0 : -1, key = -1;
        string? open = null;
        for (int i = 0; i < lines.Count; i++)
        {
            string line = lines[i].Trim();
            bool inText = open is not null;
            foreach (string quotes in new[] { "\"\"\"", "'''" })
            {
                int count = (line.Length - line.Replace(quotes, "", StringComparison.Ordinal).Length) / 3;
                if (count % 2 == 1 && (open is null || open == quotes))
                    open = open is null ? quotes : null;
            }

            if (inText)
                continue;
            if (line.StartsWith('['))
            {
                if (start >= 0)
                    return (start, i, key);
                if (Header(line) == table)
                    start = i + 1;
            }
            else if (start >= 0 && key < 0 && line.Split('=')[0].Trim().Trim('"', '\'') == name && line.Contains('=', StringComparison.Ordinal))
            {
                key = i;
            }
        }

        return (start, lines.Count, key);
    }

    private static string Header(string line)
    {
        int close = line.IndexOf(']', StringComparison.Ordinal);
        return close < 0 ? "" : string.Concat(line[1..close].Where(letter => letter is not (' ' or '"' or '\'')));
    }

    private static string Quote(string value)
    {
        StringBuilder quoted = new("\"");
        foreach (char letter in value)
        {
            if (letter is '"' or '\\')
                quoted.Append('\\').Append(letter);
            else if (char.IsControl(letter))
                quoted.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}");
            else
                quoted.Append(letter);
        }

        return quoted.Append('"').ToString();
    }
}
