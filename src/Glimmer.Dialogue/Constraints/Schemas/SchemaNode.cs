using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>One schema of a document, or one derived from it, with its keywords read and checked.</summary>
internal sealed class SchemaNode
{
    public required int Id { get; init; }

    /// <summary>The schema as written.</summary>
    public required JsonElement Element { get; init; }

    /// <summary>Where it is, or where what it is derived from is.</summary>
    public required string Pointer { get; init; }

    /// <summary>Whether it was derived, and is not itself part of the document.</summary>
    public required bool IsDerived { get; init; }

    /// <summary>Whether it says nothing about values.</summary>
    public bool IsTrivial { get; set; } = true;

    /// <summary>Whether it is <c>false</c>.</summary>
    public bool IsFalse => Element.ValueKind == JsonValueKind.False;

    public JsonTypes Types { get; set; } = JsonTypes.All;

    /// <summary>The values of <c>enum</c>, or the one of <c>const</c>; null for neither.</summary>
    public List<JsonElement>? Values { get; set; }

    /// <summary>Values that a <c>not</c> forbids.</summary>
    public List<JsonElement> ForbiddenValues { get; } = [];

    /// <summary>What <c>$ref</c> says; followed when the node is used.</summary>
    public string? Reference { get; set; }

    public List<SchemaNode> AllOf { get; } = [];

    public List<SchemaNode> AnyOf { get; } = [];

    public List<SchemaNode> OneOf { get; } = [];

    /// <summary>What <c>not</c> forbids, unless that is one of the simple forms above and below.</summary>
    public SchemaNode? Not { get; set; }

    public SchemaNode? If { get; set; }

    public SchemaNode? Then { get; set; }

    public SchemaNode? Else { get; set; }

    // Numbers.
    public JsonDecimal? Minimum { get; set; }

    public JsonDecimal? Maximum { get; set; }

    public JsonDecimal? ExclusiveMinimum { get; set; }

    public JsonDecimal? ExclusiveMaximum { get; set; }

    public JsonDecimal? MultipleOf { get; set; }

    public JsonDecimal? NotMultipleOf { get; set; }

    // Strings.
    public int MinLength { get; set; }

    public int? MaxLength { get; set; }

    public string? Pattern { get; set; }

    public string? NotPattern { get; set; }

    public string? Format { get; set; }

    // Arrays.
    public List<SchemaNode> PrefixItems { get; } = [];

    public SchemaNode? Items { get; set; }

    public int MinItems { get; set; }

    public int? MaxItems { get; set; }

    public bool UniqueItems { get; set; }

    public SchemaNode? Contains { get; set; }

    public int MinContains { get; set; } = 1;

    public int? MaxContains { get; set; }

    // Objects.
    public List<(string Name, SchemaNode Schema)> Properties { get; } = [];

    public List<(string Pattern, SchemaNode Schema)> PatternProperties { get; } = [];

    public SchemaNode? AdditionalProperties { get; set; }

    public SchemaNode? PropertyNames { get; set; }

    public List<string> Required { get; } = [];

    public int MinProperties { get; set; }

    public int? MaxProperties { get; set; }

    public List<(string Name, List<string> Required)> DependentRequired { get; } = [];

    public List<(string Name, SchemaNode Schema)> DependentSchemas { get; } = [];

    /// <summary>Keywords that were read but cannot be enforced for values of some types.</summary>
    public List<(JsonTypes Types, UnsupportedKeyword Keyword)> Unsupported { get; } = [];

    /// <summary>The schema that applies to a declared property by name; null when there is none.</summary>
    public SchemaNode? FindProperty(string name)
    {
        foreach ((string declared, SchemaNode schema) in Properties)
        {
            if (declared == name)
                return schema;
        }

        return null;
    }
}
