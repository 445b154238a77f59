using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Dialogue.Tests.Conversations;

public sealed class LoneSurrogatesTests
{
    private static readonly string[] Pieces = ["\\ud83d", "\\ude00", "\\\\", "\\\\u", "\\n", "d83d", "\\u0041", "é", "\\ud83d\\ude00", "\\uD800", "\\udBFF", "\\uDFFF"];

    [Fact]
    public void Every_text_becomes_readable_and_good_ones_stay() => Fuzz.Run(300, random =>
    {
        string text = string.Concat(Enumerable.Range(0, random.Next(8)).Select(_ => Pieces[random.Next(Pieces.Length)]));
        JsonElement given = Json($$"""{"{{text}}":["{{text}}"]}""");
        JsonElement mended = LoneSurrogates.Replace(given);
        JsonProperty only = mended.EnumerateObject().Single();
        Assert.Equal(only.Name, only.Value[0].GetString());
        Assert.DoesNotContain(only.Name.EnumerateRunes(), rune => rune.Value is >= 0xD800 and <= 0xDFFF);
        Assert.Equal(Readable(given), string.Equals(given.GetRawText(), mended.GetRawText(), StringComparison.Ordinal));
    });

    [Theory]
    [InlineData("""{"type":"object","properties":{"a\ud800":{"type":"integer"}},"required":["a\ud800"]}""", "{\"a\uFFFD\": 1}", "{\"b\": 1}")]
    [InlineData("""{"enum":["\udc00"]}""", "\"\uFFFD\"", "\"x\"")]
    [InlineData("""{"const":{"\ud800":1}}""", "{\"\uFFFD\": 1}", "{}")]
    [InlineData("""{"type":"string","pattern":"^\ud800$"}""", "\"\uFFFD\"", "\"x\"")]
    public void Schemas_with_them_are_enforced(string schema, string valid, string invalid)
    {
        TextGrammar grammar = TextGrammar.JsonSchema(Json(schema), out IReadOnlyList<UnsupportedKeyword> unsupported);
        Assert.Empty(unsupported);
        Assert.True(grammar.Accepts(Encoding.UTF8.GetBytes(valid)));
        Assert.False(grammar.Accepts(Encoding.UTF8.GetBytes(invalid)));
        JsonSchemaValidator validator = new(Json(schema));
        Assert.True(validator.IsValid(Json(valid)));
        Assert.False(validator.IsValid(Json(invalid)));
        Assert.True(validator.IsValid(Json(valid.Replace("\uFFFD", "\\ud9ff", StringComparison.Ordinal))));
    }

    [Theory]
    [InlineData("glm-4.7")]
    [InlineData("glm-4-0414")]
    public void Tools_with_them_are_rendered_constrained_and_read(string name)
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        JsonElement json = Json("""{"\ud800":1,"type":"function","function":{"\udc00":2,"name":"f\ud800","strict":true,"parameters":{"type":"object","properties":{"k\ud800":{"enum":["v\udc00"]},"\u006b\udc00":{"type":"integer"}},"required":["k\ud800"]}}}""");
        Assert.True(ConversationReader.TryReadTool(json, out ToolDefinition? tool, out _));
        Assert.True(tool.IsStrict);
        Assert.NotNull(generation.Render(new([ChatMessage.OfText(ChatRole.User, "Q")], [tool], new()), Vocabularies.Small).Prompt);
        SchemaCompilation compiled = new ConstraintCompiler(Vocabularies.Small, [0]).Tools(
            ToolCallLayout.Of(generation.Output, Vocabularies.Small), new ToolCallDemand { Tools = [tool], Mode = ToolCallMode.Required }, AnswerPreamble.None);
        Assert.True(compiled.Succeeded);
        OutputAutomaton automaton = new(generation, null, new OutputOptions { Start = OutputStart.Content, Tools = [tool] });
        List<ChatEvent> events = [];
        automaton.FeedText("<tool_call>f\uFFFD<arg_key>k\uFFFD</arg_key><arg_value>v</arg_value></tool_call>", events);
        automaton.Finish(events);
        Assert.NotEmpty(events);
    }

    // What the library says.
    private static bool Readable(JsonElement value)
    {
        try
        {
            return value.EnumerateObject().Single().Value[0].GetString() is not null;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    private static JsonElement Json(string text) => JsonSerializer.Deserialize<JsonElement>(text);
}
