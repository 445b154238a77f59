using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>Reads the keywords of one schema into its node, and notes those that cannot be enforced.</summary>
internal sealed class SchemaReader(SchemaDocument document, SchemaNode node)
{
    /// <summary>Largest bound on lengths and counts.</summary>
    private const int MaxCount = 1_000_000_000;

    public void Read()
    {
        foreach (JsonProperty property in node.Element.EnumerateObject())
        {
            if (TryReadValueKeyword(property.Name, property.Value) || TryReadApplicator(property.Name, property.Value))
                node.IsTrivial = false;
            else
                ReadOther(property.Name);
        }
    }

    private JsonSchemaException Error(string message) => new(node.Pointer, message);

    private void Refuse(string keyword, string reason, JsonTypes types = JsonTypes.All)
    {
        node.IsTrivial = false;
        node.Unsupported.Add((types, new(node.Pointer, keyword, reason)));
    }

    private SchemaNode Child(JsonElement element, params ReadOnlySpan<string> path)
    {
        string pointer = node.Pointer;
        foreach (string name in path)
            pointer = JsonPointer.Append(pointer, name);
        return At(pointer, element);
    }

    // What is inside a derived schema has no place of its own in the document.
    private SchemaNode At(string pointer, JsonElement element) =>
        node.IsDerived ? document.Derive(node.Pointer, element.GetRawText()) : document.At(pointer, element);

    private bool TryReadValueKeyword(string keyword, JsonElement value)
    {
        switch (keyword)
        {
            case "type":
                node.Types &= JsonTypeNames.Parse(value, node.Pointer);
                break;
            case "enum":
                if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
                    throw Error("'enum' must list at least one value");
                node.Values = [.. value.EnumerateArray()];
                break;
            case "const":
                node.Values = [value];
                break;
            case "minimum":
                node.Minimum = Number(keyword, value);
                break;
            case "maximum":
                node.Maximum = Number(keyword, value);
                break;
            case "exclusiveMinimum":
                node.ExclusiveMinimum = Number(keyword, value);
                break;
            case "exclusiveMaximum":
                node.ExclusiveMaximum = Number(keyword, value);
                break;
            case "multipleOf":
                node.MultipleOf = Number(keyword, value);
                if (node.MultipleOf.Value.Sign <= 0)
                    throw Error("'multipleOf' must be greater than 0");
                break;
            case "minLength":
                node.MinLength = Count(keyword, value);
                break;
            case "maxLength":
                node.MaxLength = Count(keyword, value);
                break;
            case "pattern":
                node.Pattern = Text(keyword, value);
                break;
            case "format":
                node.Format = Text(keyword, value);
                break;
            case "minItems":
                node.MinItems = Count(keyword, value);
                break;
            case "maxItems":
                node.MaxItems = Count(keyword, value);
                break;
            case "uniqueItems":
                node.UniqueItems = Flag(keyword, value);
                break;
            case "minContains":
                node.MinContains = Count(keyword, value);
                break;
            case "maxContains":
                node.MaxContains = Count(keyword, value);
                break;
            case "required":
                node.Required.AddRange(Names(keyword, value));
                break;
            case "minProperties":
                node.MinProperties = Count(keyword, value);
                break;
            case "maxProperties":
                node.MaxProperties = Count(keyword, value);
                break;
            case "dependentRequired":
                foreach (JsonProperty entry in Members(keyword, value))
                    node.DependentRequired.Add((entry.Name, Names(keyword, entry.Value)));
                break;
            default:
                return false;
        }

        return true;
    }

    private bool TryReadApplicator(string keyword, JsonElement value)
    {
        switch (keyword)
        {
            case "$ref":
                node.Reference = Text(keyword, value);
                break;
            case "allOf":
                node.AllOf.AddRange(Children(keyword, value));
                break;
            case "anyOf":
                node.AnyOf.AddRange(Children(keyword, value));
                break;
            case "oneOf":
                node.OneOf.AddRange(Children(keyword, value));
                break;
            case "not":
                SchemaNode inner = Child(value, keyword);
                if (!SchemaNegation.TryReadSimple(node, inner))
                    node.Not = inner;
                break;
            case "if":
                node.If = Child(value, keyword);
                break;
            case "then":
                node.Then = Child(value, keyword);
                break;
            case "else":
                node.Else = Child(value, keyword);
                break;
            case "prefixItems":
                node.PrefixItems.AddRange(Children(keyword, value));
                break;
            case "items" when value.ValueKind == JsonValueKind.Array:
                Refuse(keyword, "a list of schemas is the form of older drafts; write it as 'prefixItems'", JsonTypes.Array);
                break;
            case "items":
                node.Items = Child(value, keyword);
                break;
            case "contains":
                node.Contains = Child(value, keyword);
                break;
            case "properties":
                foreach (JsonProperty entry in Members(keyword, value))
                    node.Properties.Add((entry.Name, Child(entry.Value, keyword, entry.Name)));
                break;
            case "patternProperties":
                foreach (JsonProperty entry in Members(keyword, value))
                    node.PatternProperties.Add((entry.Name, Child(entry.Value, keyword, entry.Name)));
                break;
            case "additionalProperties":
                node.AdditionalProperties = Child(value, keyword);
                break;
            case "propertyNames":
                node.PropertyNames = Child(value, keyword);
                break;
            case "dependentSchemas":
                foreach (JsonProperty entry in Members(keyword, value))
                    node.DependentSchemas.Add((entry.Name, Child(entry.Value, keyword, entry.Name)));
                break;
            case "dependencies":
                foreach (JsonProperty entry in Members(keyword, value))
                {
                    if (entry.Value.ValueKind == JsonValueKind.Array)
                        node.DependentRequired.Add((entry.Name, Names(keyword, entry.Value)));
                    else
                        node.DependentSchemas.Add((entry.Name, Child(entry.Value, keyword, entry.Name)));
                }

                break;
            default:
                return false;
        }

        return true;
    }

    private void ReadOther(string keyword)
    {
        switch (keyword)
        {
            case "title" or "description" or "default" or "examples" or "example" or "deprecated" or "readOnly" or "writeOnly":
            case "$schema" or "$comment" or "$defs" or "definitions" or "$anchor" or "$vocabulary":
            case "contentEncoding" or "contentMediaType" or "contentSchema":
                break;
            case "$id" when node.Pointer.Length == 0:
                break;
            case "$id":
                Refuse(keyword, "a schema inside another may not have an address of its own");
                break;
            case "$dynamicRef" or "$recursiveRef":
                Refuse(keyword, "references that depend on the way they are reached are not followed");
                break;
            case "$dynamicAnchor" or "$recursiveAnchor":
                break;
            case "unevaluatedProperties":
                Refuse(keyword, "use 'additionalProperties'", JsonTypes.Object);
                break;
            case "unevaluatedItems" or "additionalItems":
                Refuse(keyword, "use 'prefixItems' and 'items'", JsonTypes.Array);
                break;
            default:
                // Names that begin with "x-" are by convention notes to other tools.
                if (!keyword.StartsWith("x-", StringComparison.Ordinal))
                    Refuse(keyword, "not a keyword of JSON Schema draft 2020-12");
                break;
        }
    }

    private JsonDecimal Number(string keyword, JsonElement value) =>
        value.ValueKind == JsonValueKind.Number ? JsonDecimal.Of(value, node.Pointer) : throw Error($"'{keyword}' must be a number");

    private int Count(string keyword, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
            throw Error($"'{keyword}' must be a whole number from 0 to {MaxCount}");
        JsonDecimal number = JsonDecimal.Of(value, node.Pointer);
        if (!number.IsInteger || number.Sign < 0 || number.CompareTo(new(MaxCount, 0)) > 0)
            throw Error($"'{keyword}' must be a whole number from 0 to {MaxCount}");
        return (int)number.Scaled(0);
    }

    private string Text(string keyword, JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Error($"'{keyword}' must be a string");

    private bool Flag(string keyword, JsonElement value) =>
        value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw Error($"'{keyword}' must be true or false");

    private List<string> Names(string keyword, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.EnumerateArray().Any(v => v.ValueKind != JsonValueKind.String))
            throw Error($"'{keyword}' must list names of properties");
        return [.. value.EnumerateArray().Select(v => v.GetString()!)];
    }

    private IEnumerable<JsonProperty> Members(string keyword, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Error($"'{keyword}' must be an object");

        // Of two members with one name the last counts, as for every reader of JSON.
        Dictionary<string, JsonProperty> members = new(StringComparer.Ordinal);
        foreach (JsonProperty entry in value.EnumerateObject())
            members[entry.Name] = entry;
        return members.Values;
    }

    private IEnumerable<SchemaNode> Children(string keyword, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Array || value.GetArrayLength() == 0)
            throw Error($"'{keyword}' must list at least one schema");
        List<SchemaNode> children = [];
        int index = 0;
        foreach (JsonElement item in value.EnumerateArray())
            children.Add(At(JsonPointer.Append(JsonPointer.Append(node.Pointer, keyword), index++), item));
        return children;
    }
}
