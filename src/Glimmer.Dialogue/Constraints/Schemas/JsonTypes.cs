using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>Sets of JSON types. Numbers are split in two, since JSON Schema has a name for one half.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    Null = 1,
    Boolean = 2,
    Integer = 4,

    /// <summary>Numbers that are not integers.</summary>
    Fraction = 8,
    Number = Integer | Fraction,
    String = 16,
    Array = 32,
    Object = 64,
    All = 127,
}

/// <summary>Reads the names of types.</summary>
internal static class JsonTypeNames
{
    public static JsonTypes Parse(JsonElement element, string pointer)
    {
        if (element.ValueKind == JsonValueKind.String)
            return One(element.GetString()!, pointer);
        if (element.ValueKind != JsonValueKind.Array || element.GetArrayLength() == 0)
            throw new JsonSchemaException(pointer, "'type' must be the name of a type or a list of such names");
        JsonTypes types = JsonTypes.None;
        foreach (JsonElement item in element.EnumerateArray())
        {
            types |= item.ValueKind == JsonValueKind.String
                ? One(item.GetString()!, pointer)
                : throw new JsonSchemaException(pointer, "'type' must list names of types");
        }

        return types;
    }

    private static JsonTypes One(string name, string pointer) => name switch
    {
        "null" => JsonTypes.Null,
        "boolean" => JsonTypes.Boolean,
        "integer" => JsonTypes.Integer,
        "number" => JsonTypes.Number,
        "string" => JsonTypes.String,
        "array" => JsonTypes.Array,
        "object" => JsonTypes.Object,
        _ => throw new JsonSchemaException(
            pointer,
            $"'{name}' is not a type; the types are null, boolean, integer, number, string, array and object"),
    };
}
