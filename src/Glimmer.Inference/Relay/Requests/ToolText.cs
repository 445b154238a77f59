using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Writes tools in the forms of the services.</summary>
internal static class ToolText
{
    /// <summary>Writes <c>{"type":"function","function":{…}}</c>.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="tool">The tool.</param>
    /// <param name="asWritten">Whether the function is as the client wrote it; else its known keys alone.</param>
    public static void WriteWrapped(Utf8JsonWriter json, ToolDefinition tool, bool asWritten)
    {
        JsonElement function = tool.Function;
        json.WriteStartObject();
        json.WriteString("type"u8, "function"u8);
        json.WriteStartObject("function"u8);
        foreach (JsonProperty property in function.ValueKind == JsonValueKind.Object ? function.EnumerateObject() : default)
        {
            // A flat tool has the type among its own keys.
            if (asWritten ? property.Name != "type" : property.Name is "name" or "description" or "parameters" || property.Name == "strict" && property.Value.ValueKind == JsonValueKind.True)
                property.WriteTo(json);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Writes <c>{"name","description","input_schema"}</c>. A tool without a schema takes an object of anything.</summary>
    public static void WriteFlat(Utf8JsonWriter json, ToolDefinition tool)
    {
        json.WriteStartObject();
        json.WriteString("name"u8, tool.Name);
        if (tool.Function.ValueKind == JsonValueKind.Object && tool.Function.TryGetProperty("description"u8, out JsonElement description) && description.ValueKind == JsonValueKind.String)
        {
            json.WritePropertyName("description"u8);
            description.WriteTo(json);
        }

        json.WritePropertyName("input_schema"u8);
        if (tool.Parameters is { ValueKind: JsonValueKind.Object } schema)
            WriteSchema(json, schema);
        else
            json.WriteRawValue("""{"type":"object"}"""u8);
        if (tool.IsStrict)
            json.WriteBoolean("strict"u8, true);
        json.WriteEndObject();
    }

    /// <summary>The schema with its type said, which Anthropic demands and clients of other dialects leave out.</summary>
    private static void WriteSchema(Utf8JsonWriter json, JsonElement schema)
    {
        if (schema.TryGetProperty("type"u8, out _))
        {
            schema.WriteTo(json);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type"u8, "object"u8);
        foreach (JsonProperty property in schema.EnumerateObject())
            property.WriteTo(json);
        json.WriteEndObject();
    }
}
