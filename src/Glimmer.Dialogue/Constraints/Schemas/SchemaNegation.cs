using System.Text.Json;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// Turns "not this schema" into alternatives that a grammar can produce. A value fails a schema when it fails one of its
/// keywords, and each keyword has a counterpart: failing <c>minimum</c> is being a number below it, and so on.
/// </summary>
internal static class SchemaNegation
{
    /// <summary>Takes over the forms of <c>not</c> that are constraints of their own: of one type, value list or pattern.</summary>
    public static bool TryReadSimple(SchemaNode owner, SchemaNode inner)
    {
        if (inner.Element.ValueKind != JsonValueKind.Object || inner.Unsupported.Count > 0)
            return false;
        string? only = null;
        foreach (JsonProperty property in inner.Element.EnumerateObject())
        {
            if (IsAnnotation(property.Name))
                continue;
            if (only is not null)
                return false;
            only = property.Name;
        }

        switch (only)
        {
            case "type":
                owner.Types &= ~inner.Types;
                return true;
            case "enum" or "const":
                owner.ForbiddenValues.AddRange(inner.Values!);
                return true;
            case "pattern" when owner.NotPattern is null:
                owner.Types &= JsonTypes.String;
                owner.NotPattern = inner.Pattern;
                return true;
            case "multipleOf" when owner.NotMultipleOf is null:
                owner.Types &= JsonTypes.Number;
                owner.NotMultipleOf = inner.MultipleOf;
                return true;
            default:
                return false;
        }
    }

    /// <summary>Schemas of which at least one holds exactly when the given one fails; null when a keyword has no counterpart.</summary>
    public static List<SchemaNode>? Negate(SchemaDocument document, SchemaNode node)
    {
        if (node.Element.ValueKind != JsonValueKind.Object)
            return node.IsFalse ? [document.Derive(node.Pointer, "true")] : [];
        List<SchemaNode> alternatives = [];
        foreach (JsonProperty property in node.Element.EnumerateObject())
        {
            if (IsAnnotation(property.Name))
                continue;
            List<string>? parts = NegateKeyword(document, node, property.Name, property.Value.GetRawText());
            if (parts is null)
                return null;
            foreach (string part in parts)
                alternatives.Add(document.Derive(node.Pointer, part));
        }

        return alternatives;
    }

    private static bool IsAnnotation(string keyword) =>
        keyword is "title" or "description" or "default" or "examples" or "example" or "deprecated" or "readOnly" or "writeOnly"
            or "$schema" or "$comment" or "$defs" or "definitions" or "$anchor"
        || keyword.StartsWith("x-", StringComparison.Ordinal);

    private static List<string>? NegateKeyword(SchemaDocument document, SchemaNode node, string keyword, string raw)
    {
        switch (keyword)
        {
            case "type" or "enum" or "const" or "pattern" or "multipleOf":
                return [Not($"{{\"{keyword}\":{raw}}}")];
            case "$ref":
                return [Not(Raw(document.Resolve(node.Reference!, node.Pointer)))];
            case "allOf":
                return [.. node.AllOf.Select(n => Not(Raw(n)))];
            case "anyOf":
                return [$"{{\"allOf\":[{string.Join(',', node.AnyOf.Select(n => Not(Raw(n))))}]}}"];
            case "not":
                return [node.Element.GetProperty(keyword).GetRawText()];
            case "minimum":
                return [Typed("number", "exclusiveMaximum", raw)];
            case "maximum":
                return [Typed("number", "exclusiveMinimum", raw)];
            case "exclusiveMinimum":
                return [Typed("number", "maximum", raw)];
            case "exclusiveMaximum":
                return [Typed("number", "minimum", raw)];
            case "minLength":
                return Below("string", "maxLength", node.MinLength);
            case "maxLength":
                return [Typed("string", "minLength", $"{node.MaxLength + 1}")];
            case "minItems":
                return Below("array", "maxItems", node.MinItems);
            case "maxItems":
                return [Typed("array", "minItems", $"{node.MaxItems + 1}")];
            case "minProperties":
                return Below("object", "maxProperties", node.MinProperties);
            case "maxProperties":
                return [Typed("object", "minProperties", $"{node.MaxProperties + 1}")];
            case "required":
                return [.. node.Required.Select(name => Typed("object", "properties", Member(name, "false")))];
            case "properties":
                return [.. node.Properties.Select(p => Present(p.Name, Not(Raw(p.Schema))))];
            default:
                return null;
        }
    }

    /// <summary>A schema that holds of the objects in which a property is present and satisfies a schema.</summary>
    public static string Present(string name, string schema) =>
        $"{{\"type\":\"object\",\"required\":[{JsonText.Quote(name)}],\"properties\":{Member(name, schema)}}}";

    /// <summary>A schema that holds of everything but the objects in which a property is present.</summary>
    public static string Absent(string name) => $"{{\"properties\":{Member(name, "false")}}}";

    private static string Raw(SchemaNode node) => node.Element.GetRawText();

    private static string Not(string schema) => $"{{\"not\":{schema}}}";

    private static string Member(string name, string value) => $"{{{JsonText.Quote(name)}:{value}}}";

    private static string Typed(string type, string keyword, string value) => $"{{\"type\":\"{type}\",\"{keyword}\":{value}}}";

    private static List<string> Below(string type, string keyword, int bound) =>
        bound == 0 ? [] : [Typed(type, keyword, $"{bound - 1}")];
}
