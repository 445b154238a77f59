using System.Text.Json;
using Glimmer.Inference.Script;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Script;

/// <summary>The schema that editors use knows the keys that the reader takes, no more and no fewer: the reader is asked by a key that nobody has.</summary>
public sealed class ScenarioSchemaTests
{
    private static readonly JsonElement Schema = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Fixtures.RepositoryRoot, "samples", "emulator", "scenario.schema.json"))).RootElement;

    [Theory]
    [InlineData("qqqq: 1", "")]
    [InlineData("rules: [{ qqqq: 1 }]", "definitions.rule")]
    [InlineData("rules: [{ when: { qqqq: 1 } }]", "definitions.when")]
    [InlineData("rules: [{ expect: { qqqq: 1 } }]", "definitions.rule.properties.expect.oneOf.1")]
    [InlineData("fallback: { qqqq: 1 }", "definitions.reply.oneOf.1")]
    [InlineData("fallback: { error: { qqqq: 1 } }", "definitions.error.oneOf.1")]
    [InlineData("fallback: { tool_calls: [{ qqqq: 1 }] }", "definitions.reply.oneOf.1.properties.tool_calls.items")]
    [InlineData("limits: [{ qqqq: 1 }]", "definitions.limit")]
    [InlineData("embeddings: [{ qqqq: 1 }]", "definitions.embeddings")]
    [InlineData("embeddings: [{ vectors: [{ qqqq: 1 }] }]", "definitions.embeddings.properties.vectors.items")]
    public void The_schema_knows_what_the_reader_takes(string yaml, string where)
    {
        string message = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml)).Message;
        string[] taken = message[(message.LastIndexOf("use ", StringComparison.OrdinalIgnoreCase) + 4)..].TrimEnd('.').Split(", ");
        JsonElement at = Schema;
        foreach (string step in where.Split('.', StringSplitOptions.RemoveEmptyEntries))
            at = int.TryParse(step, out int place) ? at[place] : at.GetProperty(step);
        Assert.Equal(taken.Order(), at.GetProperty("properties").EnumerateObject().Select(static property => property.Name).Where(static name => name != "<<").Order());
        Assert.False(at.GetProperty("additionalProperties").GetBoolean());
    }
}
