using System.Globalization;
using System.Text.Json.Nodes;

namespace Glimmer.Dialogue.Tests.Constraints.Schemas;

/// <summary>Random schemas, and random values that mostly satisfy them.</summary>
internal sealed class RandomSchemas(Random random)
{
    private static readonly string[] Keys = ["a", "b", "ab", "key one", "é", "x\"y", "zz"];
    private static readonly string[] Texts = ["", "a", "ab", "abc", "2024-02-29", "x y", "é👍", "q\"\\\n", "12", "aaab"];
    private static readonly string[] Patterns = ["^a+b?$", "b", "^[^x]{0,3}$", "^\\d{2}$", "^(ab|c)*$"];

    /// <summary>A schema; definitions that it may refer to are under <c>$defs</c> of the root.</summary>
    public JsonObject Root()
    {
        JsonObject root = Schema(3);
        root["$defs"] = new JsonObject
        {
            ["leaf"] = Schema(0),
            ["list"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject
                {
                    ["v"] = Schema(0),
                    ["next"] = new JsonObject { ["anyOf"] = new JsonArray(new JsonObject { ["$ref"] = "#/$defs/list" }, new JsonObject { ["type"] = "null" }) },
                },
                ["required"] = new JsonArray("v", "next"),
                ["additionalProperties"] = false,
            },
        };
        return root;
    }

    private bool Chance(int percent) => random.Next(100) < percent;

    private T Pick<T>(params ReadOnlySpan<T> items) => items[random.Next(items.Length)];

    private JsonObject Schema(int depth)
    {
        switch (random.Next(depth > 0 ? 14 : 7))
        {
            case 0 or 1:
                return Number();
            case 2 or 3:
                return Text();
            case 4:
                return new JsonObject { ["type"] = Pick("boolean", "null") };
            case 5:
                return new JsonObject { ["enum"] = new JsonArray([.. Enumerable.Range(0, 3).Select(_ => Scalar())]) };
            case 6:
                return new JsonObject { ["type"] = new JsonArray("string", "null", "integer") };
            case 7 or 8:
                return Array(depth);
            case 9 or 10:
                return Object(depth);
            case 11:
                return new JsonObject { [Pick("anyOf", "oneOf")] = new JsonArray(Schema(depth - 1), Schema(depth - 1)) };
            case 12:
                JsonObject both = Schema(depth - 1);
                both["allOf"] = new JsonArray(Chance(50) ? Number(typed: false) : Object(depth - 1, typed: false));
                if (Chance(30))
                    both["not"] = new JsonObject { ["enum"] = new JsonArray(Scalar(), Scalar()) };
                return both;
            default:
                return new JsonObject { ["$ref"] = Pick("#/$defs/leaf", "#/$defs/list") };
        }
    }

    private JsonObject Number(bool typed = true)
    {
        JsonObject schema = [];
        if (typed)
            schema["type"] = Pick("integer", "number");
        if (Chance(50))
            schema[Pick("minimum", "exclusiveMinimum")] = JsonNode.Parse(Pick("-12", "-0.5", "0", "3", "7.25", "95"));
        if (Chance(50))
            schema[Pick("maximum", "exclusiveMaximum")] = JsonNode.Parse(Pick("-3", "0.5", "10", "99.5", "1203"));
        if (Chance(15))
            schema["multipleOf"] = JsonNode.Parse(Pick("2", "3", "0.25", "0.1", "10"));
        return schema;
    }

    private JsonObject Text()
    {
        JsonObject schema = new() { ["type"] = "string" };
        if (Chance(30))
            schema["minLength"] = random.Next(3);
        if (Chance(30))
            schema["maxLength"] = 1 + random.Next(4);
        if (Chance(30))
            schema["pattern"] = Pick(Patterns);
        if (Chance(10))
            schema["format"] = "date";
        return schema;
    }

    private JsonObject Array(int depth)
    {
        JsonObject schema = new() { ["type"] = "array" };
        if (Chance(80))
            schema["items"] = Schema(depth - 1);
        if (Chance(25))
            schema["prefixItems"] = new JsonArray(Schema(0), Schema(0));
        if (Chance(30))
            schema["minItems"] = random.Next(4);
        if (Chance(30))
            schema["maxItems"] = 1 + random.Next(4);
        return schema;
    }

    private JsonObject Object(int depth, bool typed = true)
    {
        JsonObject schema = [];
        if (typed)
            schema["type"] = "object";
        JsonObject properties = [];
        JsonArray required = [];
        foreach (string key in Keys)
        {
            if (Chance(40))
                properties[key] = Schema(depth - 1);
            if (Chance(properties.ContainsKey(key) ? 40 : 4))
                required.Add(key);
        }

        schema["properties"] = properties;
        schema["required"] = required;
        if (Chance(50))
            schema["additionalProperties"] = Chance(60) ? false : Schema(0);
        if (Chance(10))
            schema["minProperties"] = random.Next(3);
        if (Chance(10))
            schema["maxProperties"] = 1 + random.Next(4);
        if (Chance(10))
            schema["patternProperties"] = new JsonObject { ["^a"] = Schema(0) };
        if (Chance(10))
            schema["dependentRequired"] = new JsonObject { [Pick(Keys)] = new JsonArray(Pick(Keys)) };
        return schema;
    }

    private JsonNode? Scalar() => JsonNode.Parse(Pick("1", "0", "-3", "2.5", "10", "true", "false", "null", "\"a\"", "\"ab\"", "\"é\""));

    /// <summary>A value that follows the schema where that is easy, keys in its order.</summary>
    public JsonNode? Value(JsonObject schema, JsonObject root, int depth)
    {
        if (schema["$ref"] is { } reference)
            return Value(root["$defs"]![reference.GetValue<string>()[8..]]!.AsObject(), root, depth - 1);
        if ((schema["anyOf"] ?? schema["oneOf"]) is { } branches)
            return Value(branches[depth > 0 ? random.Next(2) : 1]!.AsObject(), root, depth - 1);
        if (schema["enum"] is { } values)
            return values[random.Next(3)]?.DeepClone();
        string type = schema["type"] is JsonArray types ? types[random.Next(types.Count)]!.GetValue<string>() : schema["type"]?.GetValue<string>() ?? "object";
        return type switch
        {
            "integer" => JsonNode.Parse(random.Next(-20, 120).ToString(CultureInfo.InvariantCulture)),
            "number" => JsonNode.Parse((random.Next(-2000, 12000) / 100m).ToString(CultureInfo.InvariantCulture)),
            "string" => JsonValue.Create(Pick(Texts)),
            "boolean" => JsonValue.Create(Chance(50)),
            "null" => null,
            "array" => ArrayValue(schema, root, depth),
            _ => ObjectValue(schema, root, depth),
        };
    }

    private JsonArray ArrayValue(JsonObject schema, JsonObject root, int depth)
    {
        JsonArray array = [];
        int count = random.Next(5);
        for (int i = 0; i < count; i++)
        {
            JsonNode? item = schema["prefixItems"] is JsonArray prefix && i < prefix.Count ? prefix[i] : schema["items"];
            array.Add(item is JsonObject inner ? Value(inner, root, depth - 1) : Scalar());
        }

        return array;
    }

    private JsonObject ObjectValue(JsonObject schema, JsonObject root, int depth)
    {
        JsonObject value = [];
        string[] required = [.. schema["required"]?.AsArray().Select(k => k!.GetValue<string>()) ?? []];
        foreach ((string key, JsonNode? inner) in schema["properties"]?.AsObject() ?? [])
        {
            if (required.Contains(key, StringComparer.Ordinal) || Chance(60))
                value[key] = Value(inner!.AsObject(), root, depth - 1);
        }

        // In the order in which a grammar takes them: keys that only "required" names come last.
        foreach (string key in required)
        {
            if (!value.ContainsKey(key) && Chance(80))
                value[key] = Scalar();
        }

        if (schema["additionalProperties"] is not JsonValue && Chance(20))
            value.TryAdd("other", schema["additionalProperties"] is JsonObject extra ? Value(extra, root, depth - 1) : Scalar());
        return value;
    }

    /// <summary>A value with one part changed.</summary>
    public JsonNode? Mutate(JsonNode? value)
    {
        if (value is JsonObject { Count: > 0 } members && Chance(75))
        {
            string key = members.ElementAt(random.Next(members.Count)).Key;
            JsonObject copy = members.DeepClone().AsObject();
            if (Chance(20))
                copy.Remove(key);
            else if (Chance(20))
                copy.TryAdd(Pick(Keys), Scalar());
            else
                copy[key] = Mutate(members[key]);
            return copy;
        }

        if (value is JsonArray { Count: > 0 } items && Chance(75))
        {
            int index = random.Next(items.Count);
            JsonArray copy = items.DeepClone().AsArray();
            if (Chance(25))
                copy.RemoveAt(index);
            else if (Chance(25))
                copy.Add(Scalar());
            else
                copy[index] = Mutate(items[index]);
            return copy;
        }

        return Chance(60) ? Scalar() : Chance(50) ? JsonValue.Create(Pick(Texts)) : new JsonArray(Scalar());
    }
}
