using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>
/// Turns a schema of that API, a subset of OpenAPI's with types in capitals, into the JSON Schema it means: <c>nullable</c> becomes a type of its own,
/// <c>propertyOrdering</c> the order of the properties, numbers written as strings become numbers. What both have in common stays as it is.
/// </summary>
public static class GeminiSchema
{
    /// <summary>The JSON Schema.</summary>
    /// <param name="schema">An object; its depth is the body's, which is bounded.</param>
    public static JsonElement ToJsonSchema(JsonElement schema)
    {
        ArrayBufferWriter<byte> buffer = new(512);
        using (Utf8JsonWriter json = new(buffer, WireJson.WriterOptions))
            Write(json, schema);
        Utf8JsonReader reader = new(buffer.WrittenSpan, new JsonReaderOptions { MaxDepth = WireJson.MaxDepth + 2 });
        return JsonElement.ParseValue(ref reader);
    }

    private static void Write(Utf8JsonWriter json, JsonElement schema)
    {
        if (schema.ValueKind != JsonValueKind.Object)
        {
            schema.WriteTo(json);
            return;
        }

        bool nullable = Find(schema, "nullable") is { ValueKind: JsonValueKind.True };
        bool typed = Find(schema, "type") is { ValueKind: JsonValueKind.String or JsonValueKind.Array };
        json.WriteStartObject();
        foreach (JsonProperty member in schema.EnumerateObject())
            WriteMember(json, schema, member, nullable, typed);
        json.WriteEndObject();
    }

    private static void WriteMember(Utf8JsonWriter json, JsonElement schema, JsonProperty member, bool nullable, bool typed)
    {
        JsonElement value = member.Value;
        string name = member.Name.Contains('_', StringComparison.Ordinal) ? GeminiFields.ToCamel(member.Name) : member.Name;
        switch (name)
        {
            case "nullable" or "propertyOrdering" or "example":
            case "format" when value.ValueKind == JsonValueKind.String && value.GetString() is "int32" or "int64" or "float" or "double" or "byte" or "enum" or "":
            case "type" when value.ValueKind == JsonValueKind.String && value.ValueEquals("TYPE_UNSPECIFIED"u8):
                break;
            case "type":
                json.WritePropertyName("type"u8);
                WriteType(json, value, nullable);
                break;
            case "enum" when nullable && value.ValueKind == JsonValueKind.Array:
                json.WriteStartArray("enum"u8);
                foreach (JsonElement item in value.EnumerateArray())
                    item.WriteTo(json);
                json.WriteNullValue();
                json.WriteEndArray();
                break;
            case "properties" when value.ValueKind == JsonValueKind.Object:
                WriteProperties(json, value, Find(schema, "propertyOrdering") ?? Find(schema, "property_ordering"));
                break;
            case "defs" or "$defs" or "definitions" when value.ValueKind == JsonValueKind.Object:
                WriteMap(json, name == "definitions" ? name : "$defs", value);
                break;
            case "ref":
                json.WritePropertyName("$ref"u8);
                value.WriteTo(json);
                break;
            case "items" or "additionalProperties" or "not":
                json.WritePropertyName(name);
                Write(json, value);
                break;
            case "anyOf" or "oneOf" or "allOf" or "prefixItems" when value.ValueKind == JsonValueKind.Array:
                json.WriteStartArray(name);
                foreach (JsonElement item in value.EnumerateArray())
                    Write(json, item);
                if (nullable && !typed && name == "anyOf")
                {
                    json.WriteStartObject();
                    json.WriteString("type"u8, "null"u8);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                break;
            case "minItems" or "maxItems" or "minLength" or "maxLength" or "minProperties" or "maxProperties"
                when value.ValueKind == JsonValueKind.String && long.TryParse(value.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out long count):
                json.WriteNumber(name, count);
                break;
            default:
                json.WritePropertyName(member.Name.StartsWith('$') ? member.Name : name);
                value.WriteTo(json);
                break;
        }
    }

    private static void WriteType(Utf8JsonWriter json, JsonElement type, bool nullable)
    {
        if (type.ValueKind == JsonValueKind.Array)
        {
            json.WriteStartArray();
            foreach (JsonElement item in type.EnumerateArray())
                WriteType(json, item, false);
            json.WriteEndArray();
        }
        else if (type.ValueKind != JsonValueKind.String)
        {
            type.WriteTo(json);
        }
        else if (nullable)
        {
            json.WriteStartArray();
            json.WriteStringValue(type.GetString()!.ToLowerInvariant());
            json.WriteStringValue("null"u8);
            json.WriteEndArray();
        }
        else
        {
            json.WriteStringValue(type.GetString()!.ToLowerInvariant());
        }
    }

    /// <summary>Writes properties, those first that the order names.</summary>
    private static void WriteProperties(Utf8JsonWriter json, JsonElement properties, JsonElement? order)
    {
        json.WriteStartObject("properties"u8);
        var written = new HashSet<string>(StringComparer.Ordinal);
        if (order is { ValueKind: JsonValueKind.Array } names)
        {
            var known = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (JsonProperty property in properties.EnumerateObject())
                known[property.Name] = property.Value;
            foreach (JsonElement item in names.EnumerateArray())
            {
                if (item.ValueKind == JsonValueKind.String && item.GetString() is { } name && known.TryGetValue(name, out JsonElement value) && written.Add(name))
                {
                    json.WritePropertyName(name);
                    Write(json, value);
                }
            }
        }

        foreach (JsonProperty property in properties.EnumerateObject())
        {
            if (!written.Add(property.Name))
                continue;
            json.WritePropertyName(property.Name);
            Write(json, property.Value);
        }

        json.WriteEndObject();
    }

    private static void WriteMap(Utf8JsonWriter json, string name, JsonElement schemas)
    {
        json.WriteStartObject(name);
        foreach (JsonProperty schema in schemas.EnumerateObject())
        {
            json.WritePropertyName(schema.Name);
            Write(json, schema.Value);
        }

        json.WriteEndObject();
    }

    private static JsonElement? Find(JsonElement schema, string name) => schema.TryGetProperty(name, out JsonElement value) ? value : null;
}
