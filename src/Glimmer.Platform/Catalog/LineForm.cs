using Glimmer.Shared.Yaml;

namespace Glimmer.Platform.Catalog;

/// <summary>
/// Reads the built-in catalogue, which keeps to a narrow form of YAML: a section name on a line of its own, and below it
/// one entry per line, <c>name: { … }</c> or <c>- { … }</c>. A general YAML parser costs 50 ms of start-up for
/// compiling itself; this costs two. A test reads the same file with both and compares the trees.
/// </summary>
internal static class LineForm
{
    /// <exception cref="CatalogException">A line has another form.</exception>
    public static YamlTree Read(TextReader text, string file)
    {
        var sections = new List<(string Key, YamlTree Value)>();
        YamlTree? section = null;
        int number = 0;
        while (text.ReadLine() is { } line)
        {
            number++;
            ReadOnlySpan<char> rest = line.AsSpan().TrimEnd();
            if (rest.IsEmpty || rest.TrimStart()[0] == '#')
                continue;
            if (rest[0] != ' ')
            {
                string name = rest[^1] == ':' ? rest[..^1].ToString() : throw Wrong(file, number);
                section = null;
                sections.Add((name, YamlTree.OfScalar(number, "")));
                continue;
            }

            rest = rest.TrimStart();
            bool isItem = rest.StartsWith("- ");
            if (section is null && sections.Count > 0)
            {
                section = isItem ? YamlTree.OfItems(number, []) : YamlTree.OfMembers(number, []);
                sections[^1] = (sections[^1].Key, section);
            }

            if (section is null || isItem != section.Items is not null)
                throw Wrong(file, number);
            if (isItem)
            {
                section.Items!.Add(ReadEntry(rest[2..], file, number));
            }
            else
            {
                int colon = rest.IndexOf(": {");
                if (colon < 1)
                    throw Wrong(file, number);
                section.Members!.Add((rest[..colon].ToString(), ReadEntry(rest[(colon + 2)..], file, number)));
            }
        }

        return YamlTree.OfMembers(1, sections);
    }

    /// <summary><c>{ key: value, key: [1, 2] }</c>, perhaps with a comment behind it.</summary>
    private static YamlTree ReadEntry(ReadOnlySpan<char> text, string file, int line)
    {
        int close = text.LastIndexOf('}');
        if (close < 1 || text[0] != '{' || !(text[(close + 1)..].TrimStart() is [] or ['#', ..]))
            throw Wrong(file, line);
        text = text[1..close].Trim();
        var members = new List<(string Key, YamlTree Value)>();
        while (!text.IsEmpty)
        {
            int colon = text.IndexOf(": ");
            if (colon < 1 || colon + 2 == text.Length)
                throw Wrong(file, line);
            string key = text[..colon].ToString();
            text = text[(colon + 2)..];
            int end = text.IndexOf(text[0] == '[' ? ']' : ',');
            if (text[0] == '[')
            {
                if (end < 0)
                    throw Wrong(file, line);
                var items = new List<YamlTree>();
                foreach (Range part in text[1..end].Split(','))
                    items.Add(YamlTree.OfScalar(line, text[1..end][part].Trim().ToString()));
                members.Add((key, YamlTree.OfItems(line, items)));
                text = text[(end + 1)..].TrimStart().TrimStart(',').TrimStart();
                continue;
            }

            ReadOnlySpan<char> value = end < 0 ? text : text[..end];
            members.Add((key, YamlTree.OfScalar(line, value.Trim().Trim('"').ToString())));
            text = end < 0 ? default : text[(end + 1)..].TrimStart();
        }

        return YamlTree.OfMembers(line, members);
    }

    private static CatalogException Wrong(string file, int line) =>
        new(file, line, "this line is not a section, \"name: { … }\" or \"- { … }\".");
}
