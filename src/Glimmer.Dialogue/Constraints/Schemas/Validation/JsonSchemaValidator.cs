using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>A place where a value breaks a schema.</summary>
/// <param name="InstancePointer">JSON pointer into the value.</param>
/// <param name="Keyword">The keyword that it breaks; empty for the schema <c>false</c>.</param>
/// <param name="Message">What is expected.</param>
public sealed record SchemaViolation(string InstancePointer, string Keyword, string Message);

/// <summary>
/// Validates parsed JSON against JSON Schema (draft 2020-12), formats asserted. It shares no code with the grammars that schemas are
/// compiled to, so that each can check the other. Nothing outside the document is ever fetched.
/// </summary>
public sealed class JsonSchemaValidator
{
    private readonly SchemaIndex _index;

    /// <param name="schema">The schema: an object, true or false.</param>
    public JsonSchemaValidator(JsonElement schema) => _index = new SchemaIndex(LoneSurrogates.Replace(schema));

    /// <summary>Whether the value satisfies the schema.</summary>
    /// <exception cref="JsonSchemaException">The schema is wrong, or recursion does not end.</exception>
    public bool IsValid(JsonElement instance) => IsValid(_index.Root, LoneSurrogates.Replace(instance));

    /// <summary>The first violations, at most a few per part of the value; empty when it satisfies the schema.</summary>
    /// <exception cref="JsonSchemaException">The schema is wrong, or recursion does not end.</exception>
    public IReadOnlyList<SchemaViolation> Validate(JsonElement instance)
    {
        List<SchemaViolation> violations = [];
        instance = LoneSurrogates.Replace(instance);
        new SchemaEvaluation(_index, violations).Evaluate(_index.Root, instance, "", new EvaluatedParts());
        return violations;
    }

    /// <summary>Whether the value satisfies a part of the document, or a schema whose references are to be followed in it.</summary>
    internal bool IsValid(JsonElement schema, JsonElement instance) =>
        new SchemaEvaluation(_index, null).Evaluate(schema, instance, "", new EvaluatedParts());
}

/// <summary>The members and items of one value that some schema has looked at, for the <c>unevaluated…</c> keywords.</summary>
internal sealed class EvaluatedParts
{
    public HashSet<string> Properties { get; } = new(StringComparer.Ordinal);

    public HashSet<int> Items { get; } = [];

    public void Add(EvaluatedParts other)
    {
        Properties.UnionWith(other.Properties);
        Items.UnionWith(other.Items);
    }
}
