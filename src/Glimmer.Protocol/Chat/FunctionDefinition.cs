using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>Functions in the form in which models of the platform are told of tools, for dialects that describe them otherwise.</summary>
internal static class FunctionDefinition
{
    /// <summary>The object <c>{"type":"function","function":{…}}</c>, detached.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does; null when nobody said.</param>
    /// <param name="schema">JSON Schema of its parameters.</param>
    /// <param name="strict">Whether a keyword that cannot be enforced is an error.</param>
    public static JsonElement Of(string name, string? description, JsonElement schema, bool strict)
    {
        ArrayBufferWriter<byte> buffer = new(512);
        using (Utf8JsonWriter json = new(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, name);
            if (description is not null)
                json.WriteString("description"u8, description);
            json.WritePropertyName("parameters"u8);
            schema.WriteTo(json);
            if (strict)
                json.WriteBoolean("strict"u8, true);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        Utf8JsonReader reader = new(buffer.WrittenSpan, new JsonReaderOptions { MaxDepth = WireJson.MaxDepth + 4 });
        return JsonElement.ParseValue(ref reader);
    }
}
