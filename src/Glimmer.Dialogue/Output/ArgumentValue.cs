using System.Text;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Turns the text between value tags into JSON. The declared type decides; without one, JSON that parses is JSON and
/// anything else a string. Nothing is repaired to fit a schema: that is the client's business.
/// </summary>
internal static class ArgumentValue
{
    /// <summary>Appends the JSON text of the value.</summary>
    public static void Write(StringBuilder json, ReadOnlyMemory<char> text, JsonTypes types)
    {
        ReadOnlySpan<char> trimmed = PythonText.Strip(text).Span;
        if (types == JsonTypes.String)
            PythonJson.WriteString(json, text.Span);
        else if (JsonValue.TryGetType(trimmed, out JsonTypes type))
            WriteJson(json, text.Span, trimmed, type, types);
        else if (types.HasFlag(JsonTypes.String) || !TryWriteLenient(json, trimmed, types))
            PythonJson.WriteString(json, text.Span);
    }

    private static void WriteJson(StringBuilder json, ReadOnlySpan<char> text, ReadOnlySpan<char> trimmed, JsonTypes type, JsonTypes types)
    {
        // A union with string takes JSON only of one of its other types; a type that admits anything, or no string, takes all.
        bool union = types != JsonTypes.Any && types.HasFlag(JsonTypes.String);
        if (union && (type == JsonTypes.String || !types.HasFlag(type)))
            PythonJson.WriteString(json, text);
        else
            json.Append(trimmed);
    }

    private static bool TryWriteLenient(StringBuilder json, ReadOnlySpan<char> text, JsonTypes types)
    {
        if (types.HasFlag(JsonTypes.Boolean))
        {
            bool isTrue = text.Equals("true", StringComparison.OrdinalIgnoreCase);
            if (isTrue || text.Equals("false", StringComparison.OrdinalIgnoreCase))
            {
                json.Append(isTrue ? "true" : "false");
                return true;
            }
        }

        return PythonLiteral.TryWriteJson(text, json);
    }
}
