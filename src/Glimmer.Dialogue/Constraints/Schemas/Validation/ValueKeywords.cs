using System.Globalization;
using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>The keywords that look at one value only.</summary>
internal static class ValueKeywords
{
    public static bool Check(JsonElement schema, JsonElement instance, Func<string, string, bool> fail)
    {
        bool valid = true;
        foreach (JsonProperty keyword in schema.EnumerateObject())
        {
            if (FindFault(keyword.Name, keyword.Value, instance) is { } message)
                valid = fail(keyword.Name, message);
        }

        return valid;
    }

    /// <summary>A bound on a count; those too large for any value stand for the largest number.</summary>
    public static int Bound(JsonElement element) =>
        decimal.TryParse(element.GetRawText(), NumberStyles.Float, CultureInfo.InvariantCulture, out decimal value)
            ? (int)Math.Min(value, int.MaxValue)
            : int.MaxValue;

    private static string? FindFault(string keyword, JsonElement value, JsonElement instance)
    {
        switch (keyword)
        {
            case "type":
                return IsOfType(value, instance) ? null : $"must be of type {value.GetRawText()}";
            case "const":
                return JsonElement.DeepEquals(value, instance) ? null : $"must be {value.GetRawText()}";
            case "enum":
                foreach (JsonElement option in value.EnumerateArray())
                {
                    if (JsonElement.DeepEquals(option, instance))
                        return null;
                }

                return "must be one of the listed values";
        }

        return instance.ValueKind switch
        {
            JsonValueKind.Number => NumberFault(keyword, value, instance),
            JsonValueKind.String => StringFault(keyword, value, instance.GetString()!),
            JsonValueKind.Array => ArrayFault(keyword, value, instance),
            JsonValueKind.Object => ObjectFault(keyword, value, instance),
            _ => null,
        };
    }

    private static bool IsOfType(JsonElement types, JsonElement instance)
    {
        if (types.ValueKind == JsonValueKind.Array)
        {
            foreach (JsonElement type in types.EnumerateArray())
            {
                if (IsOfType(type, instance))
                    return true;
            }

            return false;
        }

        return types.GetString() switch
        {
            "null" => instance.ValueKind == JsonValueKind.Null,
            "boolean" => instance.ValueKind is JsonValueKind.True or JsonValueKind.False,
            "string" => instance.ValueKind == JsonValueKind.String,
            "array" => instance.ValueKind == JsonValueKind.Array,
            "object" => instance.ValueKind == JsonValueKind.Object,
            "number" => instance.ValueKind == JsonValueKind.Number,
            "integer" => instance.ValueKind == JsonValueKind.Number && JsonDecimal.OfInstance(instance).IsInteger,
            _ => throw new JsonSchemaException("", $"{types.GetRawText()} is not a type"),
        };
    }

    private static string? NumberFault(string keyword, JsonElement value, JsonElement instance)
    {
        if (keyword is not ("minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" or "multipleOf"))
            return null;
        JsonDecimal bound = JsonDecimal.Of(value, "");
        JsonDecimal number = JsonDecimal.OfInstance(instance);
        int order = number.CompareTo(bound);
        return keyword switch
        {
            "minimum" when order < 0 => $"must be at least {value.GetRawText()}",
            "maximum" when order > 0 => $"must be at most {value.GetRawText()}",
            "exclusiveMinimum" when order <= 0 => $"must be greater than {value.GetRawText()}",
            "exclusiveMaximum" when order >= 0 => $"must be less than {value.GetRawText()}",
            "multipleOf" when !number.IsMultipleOf(bound) => $"must be a multiple of {value.GetRawText()}",
            _ => null,
        };
    }

    private static string? StringFault(string keyword, JsonElement value, string text) => keyword switch
    {
        "minLength" when LengthOf(text) < Bound(value) => $"must have at least {value.GetRawText()} characters",
        "maxLength" when LengthOf(text) > Bound(value) => $"must have at most {value.GetRawText()} characters",
        "pattern" when !PatternMatcher.IsMatch(value.GetString()!, text) => $"must match {value.GetRawText()}",
        "format" when !FormatChecks.IsMatch(value.GetString()!, text) => $"must be of the format {value.GetRawText()}",
        _ => null,
    };

    private static int LengthOf(string text)
    {
        int length = 0;
        foreach (System.Text.Rune _ in text.EnumerateRunes())
            length++;
        return length;
    }

    private static string? ArrayFault(string keyword, JsonElement value, JsonElement instance)
    {
        switch (keyword)
        {
            case "minItems" when instance.GetArrayLength() < Bound(value):
                return $"must have at least {value.GetRawText()} items";
            case "maxItems" when instance.GetArrayLength() > Bound(value):
                return $"must have at most {value.GetRawText()} items";
            case "uniqueItems" when value.ValueKind == JsonValueKind.True:
                for (int i = 0; i < instance.GetArrayLength(); i++)
                {
                    for (int j = 0; j < i; j++)
                    {
                        if (JsonElement.DeepEquals(instance[i], instance[j]))
                            return $"items {j} and {i} are equal";
                    }
                }

                return null;
            default:
                return null;
        }
    }

    private static string? ObjectFault(string keyword, JsonElement value, JsonElement instance)
    {
        switch (keyword)
        {
            case "required":
                foreach (JsonElement name in value.EnumerateArray())
                {
                    if (!instance.TryGetProperty(name.GetString()!, out _))
                        return $"lacks {name.GetRawText()}";
                }

                return null;
            case "minProperties" when CountOf(instance) < Bound(value):
                return $"must have at least {value.GetRawText()} members";
            case "maxProperties" when CountOf(instance) > Bound(value):
                return $"must have at most {value.GetRawText()} members";
            case "dependentRequired":
                foreach (JsonProperty entry in value.EnumerateObject())
                {
                    if (!instance.TryGetProperty(entry.Name, out _))
                        continue;
                    foreach (JsonElement name in entry.Value.EnumerateArray())
                    {
                        if (!instance.TryGetProperty(name.GetString()!, out _))
                            return $"has '{entry.Name}' and lacks {name.GetRawText()}";
                    }
                }

                return null;
            default:
                return null;
        }
    }

    private static int CountOf(JsonElement instance) =>
        instance.EnumerateObject().Select(m => m.Name).Distinct(StringComparer.Ordinal).Count();
}
