using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;

namespace Glimmer.Dialogue.Tests.Constraints.Schemas;

/// <summary>Grammars against the validator, on random schemas and values.</summary>
public sealed class SchemaFuzzTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;
    private static readonly ConstraintCompiler Compiler = new(Tokenizer, [Tokenizer.Control("<|user|>")]);
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void Grammar_and_validator_agree_on_random_schemas_and_values()
    {
        int valid = 0;
        int invalid = 0;
        for (int seed = 0; seed < RandomWalk.Cases(400); seed++)
        {
            RandomSchemas source = new(new Random(seed));
            JsonObject root = source.Root();
            JsonElement schema = JsonSerializer.SerializeToElement(root);
            TextGrammar grammar;
            try
            {
                grammar = TextGrammar.JsonSchema(schema, out IReadOnlyList<UnsupportedKeyword> unsupported);
                if (unsupported.Count > 0)
                    continue;
            }
            catch (JsonSchemaException e)
            {
                Assert.StartsWith("No value", e.Message);
                grammar = null!;
            }

            JsonSchemaValidator validator = new(schema);
            JsonNode? value = null;
            for (int i = 0; i < 20; i++)
            {
                bool mutated = i % 2 == 1;
                value = mutated ? source.Mutate(value) : source.Value(root, root, 6);
                string text = Write(value);
                bool expected = validator.IsValid(JsonSerializer.SerializeToElement(value));
                bool accepted = grammar?.Accepts(Encoding.UTF8.GetBytes(text)) ?? false;

                // A mutation may put keys out of order, and merged schemas have an order of their own; that alone may be refused.
                if (accepted != expected && !(expected && (mutated || HasMergedOrder(schema.GetRawText()))))
                    Assert.Fail($"seed {seed}: {text} should be {(expected ? "accepted" : "refused")} under {schema.GetRawText()}");
                valid += accepted ? 1 : 0;
                invalid += expected ? 0 : 1;
            }
        }

        Assert.True(valid > 100 && invalid > 100, $"{valid} accepted, {invalid} refused: the generator no longer makes both kinds");
    }

    [Fact]
    public void Random_walks_under_random_schemas_give_valid_texts()
    {
        int ended = 0;
        for (int seed = 0; seed < RandomWalk.Cases(60); seed++)
        {
            JsonElement schema = JsonSerializer.SerializeToElement(new RandomSchemas(new Random(seed)).Root());
            CompiledConstraint? constraint;
            try
            {
                constraint = Compiler.JsonSchema(schema, strict: true, AnswerPreamble.None).Constraint;
            }
            catch (JsonSchemaException)
            {
                continue;
            }

            if (constraint is null)
                continue;
            JsonSchemaValidator validator = new(schema);
            for (int walk = 0; walk < 4; walk++)
            {
                List<int>? tokens = RandomWalk.Run(constraint, Tokenizer, new Random(walk), free: 10 * walk, limit: 600, checkMasks: walk == 1 && seed % 5 == 0);
                if (tokens is null)
                    continue;
                ended++;
                using JsonDocument document = JsonDocument.Parse(RandomWalk.Bytes(Tokenizer, tokens), new() { MaxDepth = 1000 });
                Assert.True(validator.IsValid(document.RootElement), $"seed {seed}: {document.RootElement.GetRawText()} under {schema.GetRawText()}");
            }
        }

        Assert.True(ended > 20, $"only {ended} walks ended");
    }

    private static bool HasMergedOrder(string schema) =>
        schema.Contains("allOf", StringComparison.Ordinal) || schema.Contains("dependentRequired", StringComparison.Ordinal)
        || schema.Contains("oneOf", StringComparison.Ordinal);

    /// <summary>The spelling that grammars must be able to produce: a space after commas and colons.</summary>
    private static string Write(JsonNode? value) => value switch
    {
        JsonObject members => "{" + string.Join(", ", members.Select(m => JsonSerializer.Serialize(m.Key, Plain) + ": " + Write(m.Value))) + "}",
        JsonArray items => "[" + string.Join(", ", items.Select(Write)) + "]",
        null => "null",
        _ => value.ToJsonString(Plain),
    };
}
