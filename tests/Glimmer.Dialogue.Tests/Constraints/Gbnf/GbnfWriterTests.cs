using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Tests.Constraints.Gbnf;

public sealed class GbnfWriterTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;

    internal static ConstraintCompiler Compiler { get; } = new(
        Tokenizer,
        [Tokenizer.Control("<|endoftext|>"), Tokenizer.Control("<|user|>"), Tokenizer.Control("<|observation|>")]);

    private static ToolDefinition Tool(string name, string parameters) =>
        new(name, JsonDocument.Parse($$$"""{"type":"function","function":{"name":"{{{name}}}","parameters":{{{parameters}}}}}""").RootElement);

    internal static CompiledConstraint Calls(string generation, params ToolDefinition[] tools) => Compiler.Tools(
        ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName(generation).Output, Tokenizer),
        new() { Tools = tools, Mode = ToolCallMode.Required },
        AnswerPreamble.None).Constraint!;

    private static bool Accepts(string grammar, string text) => TextGrammar.Gbnf(grammar).Accepts(Encoding.UTF8.GetBytes(text));

    internal static ToolDefinition Weather { get; } = Tool("get_weather", """
        {"type":"object","properties":{"city":{"type":"string"},"n":{"type":"integer","minimum":1,"maximum":12},"unit":{"enum":["c","f"]}},
         "required":["city"],"additionalProperties":false}
        """);

    [Fact]
    public void Says_of_the_golden_schemas_what_the_constraint_says()
    {
        int written = 0;
        foreach (SchemaRow row in SchemaRow.All)
        {
            CompiledConstraint? compiled;
            try
            {
                compiled = Compiler.JsonSchema(row.Schema, strict: true, AnswerPreamble.None).Constraint;
            }
            catch (Glimmer.Dialogue.Constraints.Schemas.JsonSchemaException)
            {
                continue;
            }

            if (compiled?.ToGbnf(GbnfDialect.Llama) is not { } grammar)
                continue;
            written++;
            TextGrammar read = TextGrammar.Gbnf(grammar);
            foreach (string text in row.Valid)
            {
                byte[] utf8 = Encoding.UTF8.GetBytes(text);
                Assert.True(read.Accepts(utf8) || !compiled.AcceptsText(utf8), $"{row.Name}: {text}\n{grammar}");
            }

            // A length beside a pattern is left out.
            string schema = row.Schema.GetRawText();
            if (schema.Contains("Length", StringComparison.Ordinal) && (schema.Contains("pattern", StringComparison.Ordinal) || schema.Contains("format", StringComparison.Ordinal)))
                continue;
            foreach (string text in row.Invalid)
                Assert.False(read.Accepts(Encoding.UTF8.GetBytes(text)), $"{row.Name}: {text}\n{grammar}");
        }

        Assert.True(written > 30, $"{written}");
    }

    [Fact]
    public void Random_texts_of_what_is_written_satisfy_the_constraint()
    {
        int ended = 0;
        foreach (SchemaRow row in SchemaRow.All.Where(row => row.Tier == "core"))
        {
            CompiledConstraint compiled = Compiler.JsonSchema(row.Schema, strict: false, AnswerPreamble.None).Constraint!;
            CompiledConstraint written = Compiler.Gbnf(compiled.ToGbnf(GbnfDialect.Llama)!, AnswerPreamble.None);
            for (int seed = 0; seed < RandomWalk.Cases(4); seed++)
            {
                if (RandomWalk.Run(written, Tokenizer, new Random(seed), free: 10 * seed) is not { } tokens)
                    continue;
                ended++;
                Assert.True(compiled.AcceptsText(RandomWalk.Bytes(Tokenizer, tokens)), $"{row.Name}: {Encoding.UTF8.GetString(RandomWalk.Bytes(Tokenizer, tokens))}");
            }
        }

        Assert.True(ended > 20, $"{ended}");
    }

    [Theory]
    [InlineData("<tool_call>get_weather<arg_key>city</arg_key><arg_value>北京</arg_value></tool_call>", true)]
    [InlineData("<tool_call>get_weather<arg_key>unit</arg_key><arg_value>f</arg_value><arg_key>n</arg_key><arg_value>12</arg_value><arg_key>city</arg_key><arg_value> x\n\"y\"</arg_value></tool_call>", true)]
    [InlineData("<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value></tool_call><tool_call>get_weather<arg_key>city</arg_key><arg_value>b</arg_value></tool_call>", true)]
    [InlineData("<tool_call>get_weather<arg_key>n</arg_key><arg_value>12</arg_value></tool_call>", false)]
    [InlineData("<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>city</arg_key><arg_value>b</arg_value></tool_call>", false)]
    [InlineData("<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>n</arg_key><arg_value>13</arg_value></tool_call>", false)]
    [InlineData("<tool_call>other</tool_call>", false)]
    [InlineData("Hello", false)]
    public void Arguments_come_in_any_order_each_once(string text, bool legal) =>
        Assert.Equal(legal, Accepts(Calls("glm-4.7", Weather).ToGbnf(GbnfDialect.XGrammar)!, text));

    [Theory]
    [InlineData("glm-4.5", "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Paris</arg_value>\n</tool_call>")]
    [InlineData("glm-4-0414", "get_weather\n{\"city\": \"Paris\"}")]
    public void Every_spelling_of_calls_is_written(string generation, string text) =>
        Assert.True(Accepts(Calls(generation, Weather).ToGbnf(GbnfDialect.XGrammar)!, text));

    [Fact]
    public void Many_properties_come_in_the_order_of_their_schema()
    {
        string properties = string.Join(',', "abcdefgh".Select(name => $"\"{name}\":{{\"type\":\"integer\"}}"));
        string grammar = Calls("glm-4.7", Tool("many", $$$"""{"type":"object","properties":{{{{properties}}}},"required":["b"],"additionalProperties":false}""")).ToGbnf(GbnfDialect.XGrammar)!;
        static string Call(string names) => $"<tool_call>many{string.Concat(names.Select(name => $"<arg_key>{name}</arg_key><arg_value>1</arg_value>"))}</tool_call>";

        Assert.True(Accepts(grammar, Call("abh")));
        Assert.True(Accepts(grammar, Call("b")));
        Assert.False(Accepts(grammar, Call("ac")));
        Assert.False(Accepts(grammar, Call("ba")));
    }

    [Fact]
    public void Control_tokens_are_named_by_their_ids_where_that_is_wanted()
    {
        string grammar = Calls("glm-4.7", Weather).ToGbnf(GbnfDialect.Llama)!;
        Assert.Contains($"<[{Tokenizer.Control("<tool_call>")}]>", grammar, StringComparison.Ordinal);
        Assert.DoesNotContain("<tool_call>", grammar, StringComparison.Ordinal);
        Assert.DoesNotContain($"<[{Tokenizer.Control("<|observation|>")}]>", grammar, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_be_too_long_is_not_written()
    {
        string values = string.Join(',', Enumerable.Range(0, 3_000).Select(i => $"\"{i}{new string('x', 200)}\""));
        Assert.Null(Compiler.JsonSchema(JsonDocument.Parse($$"""{"enum":[{{values}}]}""").RootElement, strict: false, AnswerPreamble.None).Constraint!.ToGbnf(GbnfDialect.XGrammar));
    }

    [Fact]
    public void The_preamble_is_not_written()
    {
        AnswerPreamble reasoning = new(AnswerStart.Reasoning, GrammarTag.Find(Tokenizer, "<think>"), GrammarTag.Find(Tokenizer, "</think>"));
        Assert.Equal(Compiler.Regex("a+", AnswerPreamble.None).ToGbnf(GbnfDialect.XGrammar), Compiler.Regex("a+", reasoning).ToGbnf(GbnfDialect.XGrammar));
    }
}
