using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>Sets single members of a JSON file and leaves everything else as it is written: comments, order, spaces, unknown members.</summary>
internal static class JsoncEdit
{
    private static readonly JsonReaderOptions Reading = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, MaxDepth = 64 };

    private static readonly JsonSerializerOptions Writing = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The text with a member set. A member that has the value already stays as it is.</summary>
    /// <param name="text">An object, with comments or without; an empty text is an empty object.</param>
    /// <param name="path">Names from the outermost object on; objects that are missing are made.</param>
    /// <param name="value">Its value.</param>
    /// <exception cref="FormatException">The text is no JSON object, or something on the path is none.</exception>
    public static string Set(string text, IReadOnlyList<string> path, JsonNode value)
    {
        if (text.Trim('\uFEFF', ' ', '\t', '\r', '\n').Length == 0)
            text = "{\n}\n";
        bool mark = text[0] == '\uFEFF';
        byte[] bytes = Encoding.UTF8.GetBytes(mark ? text[1..] : text);
        string line = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        Place place = Find(bytes, path);
        string result;
        if (place.Depth == path.Count)
        {
            if (JsonNode.DeepEquals(Parse(bytes.AsSpan(place.Start, place.End - place.Start)), value))
                return text;
            result = Text(bytes, 0, place.Start) + Write(value, Indent(bytes, place.Start), line) + Text(bytes, place.End, bytes.Length);
        }
        else
        {
            result = Insert(bytes, place, path, value, line);
        }

        return mark ? '\uFEFF' + result : result;
    }

    /// <summary>The member's value; null when there is none.</summary>
    /// <exception cref="FormatException">The text is no JSON object, or something on the path is none.</exception>
    public static JsonNode? Get(string text, IReadOnlyList<string> path)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text.TrimStart('\uFEFF'));
        if (bytes.AsSpan().IndexOfAnyExcept(" \t\r\n"u8) < 0)
            return null;
        Place place = Find(bytes, path);
        return place.Depth == path.Count ? Parse(bytes.AsSpan(place.Start, place.End - place.Start)) : null;
    }

    private static JsonNode? Parse(ReadOnlySpan<byte> bytes)
    {
        var reader = new Utf8JsonReader(bytes, Reading);
        return JsonNode.Parse(ref reader);
    }

    private static Place Find(byte[] bytes, IReadOnlyList<string> path)
    {
        try
        {
            var reader = new Utf8JsonReader(bytes, Reading);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new FormatException("it is no JSON object");
            Place place = FindIn(bytes, path);

            // The rest must be JSON too: nothing is written into a file that is broken elsewhere.
            while (reader.Read())
            {
            }

            return place;
        }
        catch (JsonException fault)
        {
            throw new FormatException($"it is no JSON: line {fault.LineNumber + 1}", fault);
        }
    }

    private static Place FindIn(byte[] bytes, IReadOnlyList<string> path)
    {
        var reader = new Utf8JsonReader(bytes, Reading);
        reader.Read();
        var place = new Place { Start = (int)reader.TokenStartIndex };
        while (true)
        {
            // Inside the object that begins at place.Start, for the member path[place.Depth].
            place = place with { FirstMember = -1, LastEnd = -1 };
            Place? found = null;
            while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
            {
                if (place.FirstMember < 0)
                    place = place with { FirstMember = (int)reader.TokenStartIndex };
                bool wanted = reader.ValueTextEquals(path[place.Depth]);
                reader.Read();
                int start = (int)reader.TokenStartIndex;
                if (wanted)
                {
                    Utf8JsonReader inside = reader;
                    reader.Skip();
                    found = new Place { Depth = place.Depth + 1, Start = start, End = (int)reader.BytesConsumed };
                    if (found.Value.Depth < path.Count)
                    {
                        if (inside.TokenType != JsonTokenType.StartObject)
                            throw new FormatException($"its member {string.Join('.', path.Take(found.Value.Depth))} is no object");
                        reader = inside;
                    }

                    break;
                }

                reader.Skip();
                place = place with { LastEnd = (int)reader.BytesConsumed };
            }

            if (found is null)
                return place with { End = (int)reader.TokenStartIndex };
            if (found.Value.Depth == path.Count)
                return found.Value;
            place = found.Value;
        }
    }

    private static string Insert(byte[] bytes, Place place, IReadOnlyList<string> path, JsonNode value, string line)
    {
        JsonNode member = value.DeepClone();
        for (int i = path.Count - 1; i > place.Depth; i--)
            member = new JsonObject { [path[i]] = member };
        string outer = Indent(bytes, place.Start);
        string inner = place.FirstMember >= 0 && Indent(bytes, place.FirstMember) is { Length: > 0 } used && used.Length > outer.Length ? used : outer + "  ";
        string said = inner + JsonSerializer.Serialize(path[place.Depth], Writing) + ": " + Write(member, inner, line);

        // Before the closing brace, whose own line it stays on; a comment after the last member stays where it is.
        int before = place.End;
        while (before > 0 && bytes[before - 1] is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n')
            before--;
        string head = place.LastEnd < 0 || HasComma(bytes, place.LastEnd, place.End)
            ? Text(bytes, 0, before)
            : Text(bytes, 0, place.LastEnd) + "," + Text(bytes, place.LastEnd, before);
        return head + line + said + line + outer + Text(bytes, place.End, bytes.Length);
    }

    /// <summary>Whether a comma stands between a member and the closing brace, outside of comments.</summary>
    private static bool HasComma(byte[] bytes, int start, int end)
    {
        for (int i = start; i < end; i++)
        {
            if (bytes[i] == (byte)',')
                return true;
            if (bytes[i] != (byte)'/')
                continue;
            int close = bytes.AsSpan(i, end - i).IndexOf(bytes[i + 1] == (byte)'*' ? "*/"u8 : "\n"u8);
            i = close < 0 ? end : i + close + (bytes[i + 1] == (byte)'*' ? 1 : 0);
        }

        return false;
    }

    private static string Write(JsonNode value, string indent, string line) => value.ToJsonString(Writing).ReplaceLineEndings(line + indent);

    /// <summary>The spaces that begin the line of an offset.</summary>
    private static string Indent(byte[] bytes, int offset)
    {
        int start = bytes.AsSpan(0, offset).LastIndexOf((byte)'\n') + 1;
        int end = start;
        while (end < offset && bytes[end] is (byte)' ' or (byte)'\t')
            end++;
        return Text(bytes, start, end);
    }

    private static string Text(byte[] bytes, int start, int end) => Encoding.UTF8.GetString(bytes, start, end - start);

    /// <summary>Where the path leads: its value, or the innermost object that is there.</summary>
    private readonly record struct Place
    {
        /// <summary>Names of the path that were found.</summary>
        public int Depth { get; init; }

        /// <summary>Offset of the value, or of the object's opening brace.</summary>
        public int Start { get; init; }

        /// <summary>Offset behind the value, or of the object's closing brace.</summary>
        public int End { get; init; }

        /// <summary>Offset of the object's first member; −1 for none.</summary>
        public int FirstMember { get; init; }

        /// <summary>Offset behind the object's last member; −1 for none.</summary>
        public int LastEnd { get; init; }
    }
}
