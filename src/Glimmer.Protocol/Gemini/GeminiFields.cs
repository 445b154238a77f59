using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>
/// How that API reads JSON, beyond what every dialect does: names may be written <c>likeThis</c> or <c>like_this</c>, one object counts as a list of one,
/// and a name that it does not know is an error.
/// </summary>
internal static class GeminiFields
{
    /// <summary>The spelling of a name that an object uses; the first when it has neither.</summary>
    public static string Spelt(this FieldReader reader, string name)
    {
        if (reader.Element.TryGetProperty(name, out _) || !name.AsSpan().ContainsAnyInRange('A', 'Z'))
            return name;
        string other = ToSnake(name);
        return reader.Element.TryGetProperty(other, out _) ? other : name;
    }

    /// <summary>Refuses members that nobody knows.</summary>
    public static void Know(this FieldReader reader, FrozenSet<string> names)
    {
        if (reader.Error is not null)
            return;
        foreach (JsonProperty member in reader.Element.EnumerateObject())
        {
            if (names.Contains(member.Name) || (member.Name.Contains('_', StringComparison.Ordinal) && names.Contains(ToCamel(member.Name))))
                continue;
            string name = member.Name.Length > 40 ? member.Name[..40] + "…" : member.Name;
            reader.Fail(PlatformError.Invalid(reader.PathOf(name), "there is no such field", "Leave it out"));
            return;
        }
    }

    /// <summary>A list of objects, or one object.</summary>
    public static IReadOnlyList<FieldReader>? ObjectsOrOne(this FieldReader reader, string name, string legal, bool required = false, int max = FieldReader.MaxItems)
    {
        name = reader.Spelt(name);
        if (reader.TryGet(name, out JsonElement value) && value.ValueKind == JsonValueKind.Object && reader.Object(name, legal) is { } one)
            return [one];
        return reader.Objects(name, legal, required, max);
    }

    /// <summary><c>likeThis</c> from <c>like_this</c>.</summary>
    public static string ToCamel(string name)
    {
        var text = new StringBuilder(name.Length);
        bool upper = false;
        foreach (char c in name)
        {
            if (c == '_' && text.Length > 0)
            {
                upper = true;
                continue;
            }

            text.Append(upper ? char.ToUpperInvariant(c) : c);
            upper = false;
        }

        return text.ToString();
    }

    private static string ToSnake(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (char c in name)
        {
            if (char.IsAsciiLetterUpper(c))
                text.Append('_');
            text.Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
