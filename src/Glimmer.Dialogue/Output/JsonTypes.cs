using System.Text.Json;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>The JSON types that a schema admits.</summary>
[Flags]
internal enum JsonTypes
{
    None = 0,
    String = 1,
    Integer = 2,
    Fraction = 4,
    Boolean = 8,
    Null = 16,
    Object = 32,
    Array = 64,
    Number = Integer | Fraction,
    Any = 127,
}

/// <summary>
/// Which JSON types a schema admits: <c>type</c>, <c>const</c> and <c>enum</c> by their values, <c>anyOf</c> and
/// <c>oneOf</c> as union, <c>allOf</c> and keywords side by side as intersection, <c>$ref</c> within the document.
/// Other keywords do not narrow the types. What cannot be resolved admits anything.
/// </summary>
internal static class SchemaTypes
{
    // Deeper schemas than this are taken as admitting anything; it also ends circles of references.
    private const int MaxDepth = 32;

    // Most schemas looked at: references can make few lines mean very many.
    private const int Budget = 4096;

    /// <summary>The types that a schema admits.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="root">The document that references are looked up in.</param>
    public static JsonTypes Of(JsonElement schema, JsonElement root)
    {
        int budget = Budget;
        JsonTypes types = Of(schema, root, 0, ref budget);
        return types == JsonTypes.None ? JsonTypes.Any : types;
    }

    /// <summary>The schema of an argument within a tool's parameters, when there is one.</summary>
    public static bool TryGetProperty(JsonElement parameters, string name, out JsonElement schema) =>
        TryGetProperty(parameters, name, out schema, Budget);

    private static bool TryGetProperty(JsonElement parameters, string name, out JsonElement schema, int budget) =>
        TryGetProperty(parameters, parameters, name, 0, ref budget, out schema);

    private static bool TryGetProperty(JsonElement schema, JsonElement root, string name, int depth, ref int budget, out JsonElement found)
    {
        found = default;
        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth || --budget < 0)
            return false;
        if (JsonText.TryGet(schema, "properties", out JsonElement properties) && JsonText.TryGet(properties, name, out found))
            return true;
        if (JsonText.TryGet(schema, "$ref", out JsonElement reference) && TryResolve(root, reference, out JsonElement target) &&
            TryGetProperty(target, root, name, depth + 1, ref budget, out found))
        {
            return true;
        }

        if (!JsonText.TryGet(schema, "allOf", out JsonElement all) || all.ValueKind != JsonValueKind.Array)
            return false;
        foreach (JsonElement part in all.EnumerateArray())
        {
            if (TryGetProperty(part, root, name, depth + 1, ref budget, out found))
                return true;
        }

        return false;
    }

    private static JsonTypes Of(JsonElement schema, JsonElement root, int depth, ref int budget)
    {
        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth || --budget < 0)
            return JsonTypes.Any;
        JsonTypes types = JsonTypes.Any;
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            JsonElement value = keyword.Value;
            string name = JsonText.NameOf(keyword);
            if (name is "type")
                types &= OfType(value);
            else if (name is "const")
                types &= OfValue(value);
            else if (name is "enum" && value.ValueKind == JsonValueKind.Array)
                types &= value.EnumerateArray().Aggregate(JsonTypes.None, static (union, item) => union | OfValue(item));
            else if (name is "$ref")
                types &= TryResolve(root, value, out JsonElement target) ? Of(target, root, depth + 1, ref budget) : JsonTypes.Any;
            else if (name is "allOf" && value.ValueKind == JsonValueKind.Array)
                types &= All(value, root, depth, ref budget);
            else if (name is "anyOf" or "oneOf" && value.ValueKind == JsonValueKind.Array)
                types &= OneOf(value, root, depth, ref budget);
        }

        return types;
    }

    private static JsonTypes All(JsonElement parts, JsonElement root, int depth, ref int budget)
    {
        JsonTypes types = JsonTypes.Any;
        foreach (JsonElement part in parts.EnumerateArray())
            types &= Of(part, root, depth + 1, ref budget);
        return types;
    }

    private static JsonTypes OneOf(JsonElement parts, JsonElement root, int depth, ref int budget)
    {
        JsonTypes types = JsonTypes.None;
        foreach (JsonElement part in parts.EnumerateArray())
            types |= Of(part, root, depth + 1, ref budget);
        return types == JsonTypes.None ? JsonTypes.Any : types;
    }

    private static JsonTypes OfType(JsonElement type) => type.ValueKind switch
    {
        JsonValueKind.String => JsonText.StringOf(type) switch
        {
            "string" => JsonTypes.String,
            "integer" => JsonTypes.Integer,
            "number" => JsonTypes.Number,
            "boolean" => JsonTypes.Boolean,
            "null" => JsonTypes.Null,
            "object" => JsonTypes.Object,
            "array" => JsonTypes.Array,
            _ => JsonTypes.Any,
        },
        JsonValueKind.Array => type.EnumerateArray().Aggregate(JsonTypes.None, static (union, item) => union | OfType(item)),
        _ => JsonTypes.Any,
    };

    private static JsonTypes OfValue(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => JsonTypes.String,
        JsonValueKind.Number => JsonValue.TypeOfNumber(value.GetRawText()),
        JsonValueKind.True or JsonValueKind.False => JsonTypes.Boolean,
        JsonValueKind.Null => JsonTypes.Null,
        JsonValueKind.Object => JsonTypes.Object,
        _ => JsonTypes.Array,
    };

    private static bool TryResolve(JsonElement root, JsonElement reference, out JsonElement target)
    {
        target = root;
        if (reference.ValueKind != JsonValueKind.String)
            return false;
        string pointer = JsonText.StringOf(reference);
        if (pointer is "#" or "#/")
            return pointer == "#";
        if (!pointer.StartsWith("#/", StringComparison.Ordinal))
            return false;
        foreach (string part in Uri.UnescapeDataString(pointer[2..]).Split('/'))
        {
            string step = part.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (target.ValueKind == JsonValueKind.Object)
            {
                if (!JsonText.TryGet(target, step, out target))
                    return false;
            }
            else if (target.ValueKind == JsonValueKind.Array && int.TryParse(step, out int index) && index >= 0 && index < target.GetArrayLength())
            {
                target = target[index];
            }
            else
            {
                return false;
            }
        }

        return true;
    }
}
