using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;
using Glimmer.Dialogue.Constraints.Tools;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Dialogue.Tests.Constraints.Tools;

public sealed class ToolConstraintTests
{
    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;

    private static readonly ConstraintCompiler Compiler = new(
        Tokenizer,
        [Tokenizer.Control("<|endoftext|>"), Tokenizer.Control("<|user|>"), Tokenizer.Control("<|observation|>")]);

    private static readonly ToolDefinition[] Tools =
    [
        Tool("get_weather", """
            {"type":"object","properties":{"city":{"type":"string"},"n":{"type":"integer","minimum":1,"maximum":12},"unit":{"enum":["c","f"]}},
             "required":["city"],"additionalProperties":false}
            """),
        Tool("now", null),
        Tool("mixed", """
            {"type":"object","properties":{"a":{"type":["string","null"]},"b":{"anyOf":[{"type":"string","maxLength":5},{"type":"integer"}]},
             "c":{"type":"array","items":{"type":"string"}},"d":{},"e":{"type":"boolean"},"f":{"type":"string","pattern":"^x+$"},
             "g":{"type":"object","properties":{"h":{"type":"number"}},"required":["h"],"additionalProperties":false}},
             "required":["c","a"],"additionalProperties":false}
            """),
        Tool("open", """{"type":"object","properties":{"x":{"type":"integer"}},"dependentRequired":{"x":["y"]}}"""),
        Tool("map", """{"type":"object","additionalProperties":{"type":["integer","string"],"minimum":0}}"""),
    ];

    private static ToolDefinition Tool(string name, string? parameters, bool strict = false) => new(
        name,
        JsonDocument.Parse(
            "{\"type\":\"function\",\"function\":{\"name\":\"" + name + "\",\"strict\":" + (strict ? "true" : "false")
            + (parameters is null ? "" : ",\"parameters\":" + parameters) + "}}").RootElement);

    private static CompiledConstraint Compile(string generation, ToolCallMode mode = ToolCallMode.Required, bool parallel = true, params ToolDefinition[] tools) =>
        Compiler.Tools(
            ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName(generation).Output, Tokenizer),
            new() { Tools = tools.Length == 0 ? Tools : tools, Mode = mode, Parallel = parallel },
            AnswerPreamble.None).Constraint!;

    /// <summary>Tokens of a text in which tags are control tokens.</summary>
    private static List<int> Tokens(string text)
    {
        List<int> ids = [];
        int begin = 0;
        for (int i = 0; i < text.Length; i++)
        {
            int end = text[i] == '<' ? text.IndexOf('>', i) : -1;
            if (end < 0 || !Tokenizer.TryGetAdded(text.AsSpan(i, end + 1 - i), out int id))
                continue;
            Tokenizer.Encode(text.AsSpan(begin, i - begin), recogniseAdded: false, ids);
            ids.Add(id);
            begin = end + 1;
            i = end;
        }

        Tokenizer.Encode(text.AsSpan(begin), recogniseAdded: false, ids);
        return ids;
    }

    private static bool Accepts(CompiledConstraint compiled, string text)
    {
        GrammarConstraint constraint = compiled.Start();
        uint[] mask = new uint[Compiler.MaskWords];
        foreach (int id in Tokens(text))
        {
            constraint.FillMask(mask);
            bool allowed = (mask[id >> 5] >> (id & 31) & 1) != 0;
            Assert.Equal(allowed, constraint.TryAccept(id));
            if (!allowed)
                return false;
        }

        return constraint.HasEnded;
    }

    [Theory]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>北京</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>unit</arg_key><arg_value>f</arg_value><arg_key>n</arg_key><arg_value>12</arg_value><arg_key>city</arg_key><arg_value> x\n\"y\"</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>now</tool_call><tool_call>now</tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>mixed<arg_key>c</arg_key><arg_value>[\"<b>\", \"12\"]</arg_value><arg_key>a</arg_key><arg_value>null</arg_value><arg_key>b</arg_key><arg_value>12</arg_value><arg_key>d</arg_key><arg_value>any { thing</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>open<arg_key>zz</arg_key><arg_value>any</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>open<arg_key>x</arg_key><arg_value>1</arg_value><arg_key>y</arg_key><arg_value>1</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>map<arg_key>q</arg_key><arg_value>word</arg_value><arg_key>r</arg_key><arg_value>4</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.5", "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>北京</arg_value>\n</tool_call><|observation|>")]
    [InlineData("glm-4.5", "\n<tool_call>now\n</tool_call>\n<tool_call>now\n</tool_call><|observation|>")]
    [InlineData("glm-4-0414", "get_weather\n{\"city\": \"B\", \"n\": 3}<|observation|>")]
    [InlineData("glm-4-0414", "now\n{}<|assistant|>get_weather\n{\"city\": \"B\"}<|observation|>")]
    public void Well_formed_calls_are_possible(string generation, string text) => Assert.True(Accepts(Compile(generation), text));

    [Theory]
    [InlineData("glm-4.7", "<|observation|>")]
    [InlineData("glm-4.7", "Hello<|user|>")]
    [InlineData("glm-4.7", "<tool_call>now</tool_call><|user|>")]
    [InlineData("glm-4.7", "<tool_call>unknown</tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather</tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>n</arg_key><arg_value>1</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>city</arg_key><arg_value>b</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>x</arg_key><arg_value>b</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>n</arg_key><arg_value>13</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>get_weather<arg_key>city</arg_key><arg_value>a</arg_value><arg_key>unit</arg_key><arg_value>\"c\"</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>now<arg_key>a</arg_key><arg_value>b</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>now\n</tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>open<arg_key>x</arg_key><arg_value>1</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.7", "<tool_call>map<arg_key>r</arg_key><arg_value>-4</arg_value></tool_call><|observation|>")]
    [InlineData("glm-4.5", "<tool_call>now</tool_call><|observation|>")]
    [InlineData("glm-4-0414", "get_weather\n{\"n\": 3}<|observation|>")]
    [InlineData("glm-4-0414", "get_weather {\"city\": \"B\"}<|observation|>")]
    public void Other_turns_are_not(string generation, string text) => Assert.False(Accepts(Compile(generation), text));

    [Fact]
    public void One_call_only_when_calls_are_not_parallel()
    {
        CompiledConstraint single = Compile("glm-4.7", parallel: false);
        Assert.True(Accepts(single, "<tool_call>now</tool_call><|observation|>"));
        Assert.False(Accepts(single, "<tool_call>now</tool_call><tool_call>now</tool_call><|observation|>"));
    }

    [Fact]
    public void A_named_tool_is_forced()
    {
        GrammarConstraint constraint = Compile("glm-4.7", parallel: false, tools: Tools[1]).Start();
        constraint.Accept(Tokenizer.Control("<tool_call>"));
        List<int> forced = [];
        constraint.AppendForced(forced);
        Assert.Equal(Tokens("now</tool_call>"), forced);
        foreach (int token in forced)
            constraint.Accept(token);
        forced.Clear();
        constraint.AppendForced(forced);
        Assert.Equal([Tokenizer.Control("<|observation|>")], forced);
        constraint.Accept(forced[0]);
        Assert.True(constraint.HasEnded);
    }

    [Theory]
    [InlineData("glm-4.7", "Hello there.<|user|>", true)]
    [InlineData("glm-4.7", "<|endoftext|>", true)]
    [InlineData("glm-4.7", "Hello<|observation|>", false)]
    [InlineData("glm-4.7", "Hello<tool_call>now</tool_call><|observation|>", true)]
    [InlineData("glm-4.7", "Hello<tool_call>now</tool_call><|user|>", false)]
    [InlineData("glm-4.7", "Hello<tool_call>later</tool_call><|observation|>", false)]
    [InlineData("glm-4.5", "Hello\n<tool_call>now\n</tool_call><|observation|>", true)]
    [InlineData("glm-4-0414", "\nHello<|user|>", true)]
    [InlineData("glm-4-0414", "now\n{}<|observation|>", true)]
    public void The_model_may_answer_or_call_when_it_decides(string generation, string text, bool legal) =>
        Assert.Equal(legal, Accepts(Compile(generation, ToolCallMode.Auto), text));

    [Fact]
    public void An_answer_of_a_given_form_may_stand_in_for_calls()
    {
        CompiledConstraint constraint = Compiler.Tools(
            ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName("glm-4.7").Output, Tokenizer),
            new() { Tools = Tools, Mode = ToolCallMode.Auto, Answer = TextGrammar.JsonObject, AnswerKey = "json" },
            AnswerPreamble.None).Constraint!;
        Assert.True(Accepts(constraint, "{\"a\": 1}<|user|>"));
        Assert.True(Accepts(constraint, "<tool_call>now</tool_call><|observation|>"));
        Assert.False(Accepts(constraint, "Hello<|user|>"));
        Assert.False(Accepts(constraint, "{\"a\": 1}<tool_call>now</tool_call><|observation|>"));
    }

    [Fact]
    public void Calls_come_after_the_reasoning()
    {
        AnswerPreamble preamble = new(AnswerStart.Reasoning, GrammarTag.Find(Tokenizer, "<think>"), GrammarTag.Find(Tokenizer, "</think>"));
        CompiledConstraint constraint = Compiler.Tools(
            ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName("glm-4.7").Output, Tokenizer),
            new() { Tools = Tools, Mode = ToolCallMode.Required },
            preamble).Constraint!;
        Assert.True(Accepts(constraint, "I must call.</think><tool_call>now</tool_call><|observation|>"));
        Assert.False(Accepts(constraint, "<tool_call>now</tool_call><|observation|>"));
    }

    [Theory]
    [InlineData("glm-4.7")]
    [InlineData("glm-4.5")]
    [InlineData("glm-4-0414")]
    public void Random_turns_are_read_back_as_valid_calls(string name)
    {
        Generation generation = Glimmer.Dialogue.Generations.Generations.ForName(name);
        CompiledConstraint constraint = Compile(name);
        int ended = 0;
        int cases = RandomWalk.Cases(60);
        for (int seed = 0; seed < cases; seed++)
        {
            List<int>? tokens = RandomWalk.Run(constraint, Tokenizer, new Random(seed), free: seed % 30, checkMasks: seed % 20 == 0);
            if (tokens is null)
                continue;
            ended++;
            OutputAutomaton automaton = new(generation, Tokenizer, new() { Start = OutputStart.Content, Tools = Tools, Repairs = Repairs.None });
            List<ChatEvent> events = [];
            foreach (int token in tokens)
                automaton.Feed(token, events);
            automaton.Feed(Tokenizer.Control("<|observation|>"), events);
            automaton.Finish(EndCause.StopToken, events);
            MessageBuilder message = new();
            message.Add(events);
            string said = Encoding.UTF8.GetString(RandomWalk.Bytes(Tokenizer, tokens));
            Assert.True(message.Content is null, $"content '{message.Content}' of {said}");
            Assert.NotEmpty(message.Calls);
            foreach (SaidCall call in message.Calls)
            {
                ToolDefinition tool = Assert.Single(Tools, t => t.Name == call.Name);
                using JsonDocument arguments = JsonDocument.Parse(call.Arguments);
                if (tool.Parameters is { } parameters)
                    Assert.True(new JsonSchemaValidator(parameters).IsValid(arguments.RootElement), $"{call.Arguments} of {said}");
                else
                    Assert.Equal("{}", call.Arguments);
            }
        }

        Assert.InRange(ended, cases * 3 / 4, cases);
    }

    [Fact]
    public void Strict_tools_may_not_use_what_cannot_be_enforced()
    {
        const string Schema = """{"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}}""";
        ToolCallLayout layout = ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName("glm-4.7").Output, Tokenizer);
        ToolCallDemand strict = new() { Tools = [Tools[0], Tool("s", Schema, strict: true)], Mode = ToolCallMode.Required };
        SchemaCompilation refused = Compiler.Tools(layout, strict, AnswerPreamble.None);
        Assert.Null(refused.Constraint);
        Assert.Equal("/tools/1/function/parameters/properties/a", Assert.Single(refused.Unsupported).Pointer);
        ToolCallDemand loose = strict with { Tools = [Tools[0], Tool("s", Schema)] };
        SchemaCompilation relaxed = Compiler.Tools(layout, loose, AnswerPreamble.None);
        Assert.NotNull(relaxed.Constraint);
        Assert.Equal("uniqueItems", Assert.Single(relaxed.Unsupported).Keyword);
    }

    [Theory]
    [InlineData("""{"type":"string"}""")]
    [InlineData("""{"type":"object","properties":{"a":{"minimum":"x"}}}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"string","enum":[1]}},"required":["a"]}""")]
    public void Wrong_parameters_are_errors_that_name_the_tool(string schema)
    {
        ToolCallLayout layout = ToolCallLayout.Of(Glimmer.Dialogue.Generations.Generations.ForName("glm-4.7").Output, Tokenizer);
        JsonSchemaException error = Assert.Throws<JsonSchemaException>(() =>
            Compiler.Tools(layout, new() { Tools = [Tool("bad", schema)], Mode = ToolCallMode.Required }, AnswerPreamble.None));
        Assert.Contains("'bad'", error.Message, StringComparison.Ordinal);
        Assert.StartsWith("/tools/0/function/parameters", error.Pointer, StringComparison.Ordinal);
    }

    [Fact]
    public void Equal_demands_share_a_constraint()
    {
        Assert.Same(Compile("glm-4.7"), Compile("glm-4.7"));
        Assert.NotSame(Compile("glm-4.7"), Compile("glm-4.5"));
        Assert.NotSame(Compile("glm-4.7"), Compile("glm-4.7", parallel: false));
    }
}
