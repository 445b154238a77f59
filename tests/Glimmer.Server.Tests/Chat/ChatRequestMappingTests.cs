using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Chat;

public sealed class ChatRequestMappingTests : IAsyncLifetime
{
    private const string Coding = "/api/coding/paas/v4/chat/completions";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    // models-catalog.md §2, family defaults; THK-2.
    [Theory]
    [InlineData("glm-5.1", 1.0, 0.95, 65536, true)]
    [InlineData("GLM-4.7", 1.0, 0.95, 65536, true)]
    [InlineData("glm-4.5-air", 0.6, 0.95, 65536, true)]
    [InlineData("glm-4-plus", 0.75, 0.9, 4095, false)]
    [InlineData("glm-4-32b-0414-128k", 0.75, 0.9, 16384, false)]
    [InlineData("glm-z1-air", 1.0, 0.95, 65536, true)]
    [InlineData("charglm-4", 0.95, 0.7, 1024, false)]
    [InlineData("glimmer-tiny", 1.0, 0.95, null, true)]
    public async Task Defaults_are_those_of_the_family(string model, double temperature, double topP, int? maxTokens, bool thinking)
    {
        ChatRequest request = await SendAsync($"\"model\":\"{model}\"");
        Assert.Equal((float)temperature, request.Sampling.Temperature);
        Assert.Equal((float)topP, request.Sampling.TopP);
        Assert.Equal(maxTokens, request.MaxTokens);
        Assert.Equal(thinking, request.Conversation.Options.EnableThinking);
        Assert.Equal("glimmer-tiny", request.Model);
        Assert.False(request.Sampling.Greedy);
    }

    [Theory]
    [InlineData("\"do_sample\":false", true, 1.0, 0.95)]
    [InlineData("\"do_sample\":\"False\",\"temperature\":0.01", true, 0.01, 0.95)]
    [InlineData("\"temperature\":0", true, 1.0, 0.95)]
    [InlineData("\"temperature\":0.99,\"top_p\":0.99", false, 0.99, 0.99)]
    [InlineData("\"temperature\":\"0.5\"", false, 0.5, 0.95)]
    [InlineData("\"temperature\":1.8", false, 1.0, 0.95)]
    [InlineData("\"top_p\":0", false, 1.0, 0.01)]
    public async Task Sampling_follows_the_request(string fields, bool greedy, double temperature, double topP)
    {
        ChatRequest request = await SendAsync("\"model\":\"glm-4.7\"," + fields);
        Assert.Equal((greedy, (float)temperature, (float)topP), (request.Sampling.Greedy, request.Sampling.Temperature, request.Sampling.TopP));
    }

    [Theory]
    [InlineData("glm-4.7", "", true)]
    [InlineData("glm-4.7", "\"thinking\":null", true)]
    [InlineData("glm-4.7", "\"thinking\":{\"type\":\"enabled\"}", true)]
    [InlineData("glm-4.7", "\"thinking\":{\"type\":\"disabled\"}", false)]
    [InlineData("glm-4.7", "\"reasoning_effort\":\"none\"", false)]
    [InlineData("glm-5.2", "\"reasoning_effort\":\"minimal\"", false)]
    [InlineData("glm-5.2", "\"reasoning_effort\":\"low\"", true, "high")]
    [InlineData("glm-5.2", "\"reasoning_effort\":\"xhigh\"", true, "max")]
    [InlineData("glm-5.3", "\"reasoning_effort\":\"low\"", true, "low")]
    [InlineData("glm-5.3", "\"reasoning_effort\":\"medium\"", true, "high")]
    [InlineData("glm-5.2", "\"reasoning_effort\":\"high\",\"thinking\":{\"type\":\"disabled\"}", false)]
    [InlineData("glm-4.7", "\"reasoning_effort\":\"low\"", true)]
    [InlineData("glm-4-plus", "\"thinking\":{\"type\":\"enabled\"}", false)]
    public async Task Thinking_follows_request_and_model(string model, string fields, bool thinking, string? effort = null)
    {
        RenderOptions options = (await SendAsync($"\"model\":\"{model}\"{(fields.Length > 0 ? "," : "")}{fields}")).Conversation.Options;
        Assert.Equal((thinking, effort), (options.EnableThinking!.Value, options.ReasoningEffort));
    }

    [Fact]
    public async Task Expressions_grammars_and_budgets_reach_the_backend()
    {
        ChatRequest regex = await SendAsync("\"model\":\"glm-4.7\",\"response_format\":{\"type\":\"regex\",\"regex\":\"[a-z]+\"},\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":7}");
        ChatRequest grammar = await SendAsync("\"model\":\"glm-4.7\",\"response_format\":{\"type\":\"grammar\",\"grammar\":\"root ::= \\\"a\\\"\"},\"thinking\":{\"type\":\"disabled\",\"budget_tokens\":7}");
        Assert.Equal((new AnswerFormat(AnswerFormatKind.Regex, Source: "[a-z]+"), 7), (regex.Format, regex.ThinkingBudget));
        Assert.Equal((new AnswerFormat(AnswerFormatKind.Grammar, Source: "root ::= \"a\""), null), (grammar.Format, grammar.ThinkingBudget));
    }

    [Theory]
    [InlineData(false, "", true)]
    [InlineData(true, "", false)]
    [InlineData(false, ",\"thinking\":{\"clear_thinking\":false}", false)]
    [InlineData(true, ",\"thinking\":{\"clear_thinking\":\"true\"}", true)]
    public async Task Earlier_reasoning_is_kept_by_default_on_the_coding_base_only(bool coding, string fields, bool clear)
    {
        await _harness.ChatAsync(
            $$$"""{"model":"glm-4.7","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","reasoning_content":"why"},{"role":"user","content":"c"}]{{{fields}}}}""",
            coding ? Coding : "/api/paas/v4/chat/completions");
        Assert.Equal(clear, _harness.Backend.LastRequest!.Conversation.Options.ClearThinking);
        Assert.Equal("why", _harness.Backend.LastRequest.Conversation.Messages[1].ReasoningContent);
    }

    [Theory]
    [InlineData("\"model\":\"glm-4.7\",\"max_tokens\":1", 1)]
    [InlineData("\"model\":\"glm-4.7\",\"max_tokens\":131072", 131072)]
    [InlineData("\"model\":\"glm-4.5\",\"max_tokens\":131072", 98304)]
    [InlineData("\"model\":\"glm-4.7\",\"max_tokens\":50,\"max_completion_tokens\":40", 40)]
    [InlineData("\"model\":\"glimmer-tiny\",\"max_completion_tokens\":\"9\"", 9)]
    public async Task Output_limits_are_capped_by_the_model(string fields, int expected) =>
        Assert.Equal(expected, (await SendAsync(fields)).MaxTokens);

    [Theory]
    [InlineData("", ToolChoiceMode.Auto, null)]
    [InlineData(",\"tool_choice\":\"none\"", ToolChoiceMode.None, null)]
    [InlineData(",\"tool_choice\":\"required\"", ToolChoiceMode.Required, null)]
    [InlineData(",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}", ToolChoiceMode.Named, "f")]
    public async Task Tools_reach_the_backend_as_sent(string choice, ToolChoiceMode mode, string? name)
    {
        const string Tool = """{"type": "function", "function": {"name": "f", "x-extra": 1, "parameters": {"type": "object", "properties": {"b": {}, "a": {}}}}}""";
        ChatRequest request = await SendAsync($"\"model\":\"glm-4.7\",\"parallel_tool_calls\":false,\"tools\":[{Tool}]{choice}");
        Assert.Equal(Tool, Assert.Single(request.Conversation.Tools).Json.GetRawText());
        Assert.Equal((mode, name), (request.ToolChoice.Mode, request.ToolChoice.Name));
        Assert.False(request.ParallelToolCalls);
    }

    [Fact]
    public async Task The_rest_reaches_the_backend_too()
    {
        ChatRequest request = await SendAsync(
            """
            "model":"glm-4.7","seed":-1,"stop":["A","B"],"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":"true","schema":{"type":"object"}}}
            """);
        Assert.Equal(ulong.MaxValue, request.Sampling.Seed);
        Assert.Equal(["A", "B"], request.Stop);
        Assert.Equal(AnswerFormatKind.JsonSchema, request.Format.Kind);
        Assert.True(request.Format.Strict);
        Assert.Equal("""{"type":"object"}""", request.Format.Schema!.Value.GetRawText());
        Assert.Equal(_harness.Key.Split('.')[0], request.Tenant);
        Assert.Equal(AnswerFormat.JsonObject, (await SendAsync("\"model\":\"glm-4.7\",\"response_format\":{\"type\":\"json_object\"}")).Format);
    }

    [Fact]
    public async Task Messages_reach_the_backend_in_the_dialogue_s_terms()
    {
        await _harness.ChatAsync("""
            {"model":"glm-4.7","messages":[{"role":"developer","content":[{"type":"text","text":"s1"},{"type":"text","text":"s2"}]},
             {"role":"user","content":"q"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":{"a":1}}},{"function":{"name":"g"}}]},
             {"role":"tool","tool_call_id":"c1","content":[{"output":{"x":1}},{"output":"plain"}]},{"role":"function","content":"r"}]}
            """);
        IReadOnlyList<ChatMessage> messages = _harness.Backend.LastRequest!.Conversation.Messages;
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool, ChatRole.Tool], messages.Select(message => message.Role));
        Assert.Equal([new TextPart("s1"), new TextPart("s2")], messages[0].Content);
        Assert.Empty(messages[2].Content);
        Assert.Equal(("c1", "f", "{\"a\":1}"), (messages[2].ToolCalls[0].Id, messages[2].ToolCalls[0].Name, messages[2].ToolCalls[0].Arguments));
        Assert.Equal("{}", messages[2].ToolCalls[1].Arguments);
        Assert.StartsWith("call_", messages[2].ToolCalls[1].Id, StringComparison.Ordinal);
        Assert.Equal([new ToolOutputPart("{\"x\":1}"), new ToolOutputPart("plain")], messages[3].Content);
    }

    [Fact]
    public async Task A_persona_becomes_an_instruction_of_the_model_that_has_one()
    {
        const string Meta = ",\"meta\":{\"user_info\":\"ui\",\"bot_info\":\"bi\",\"bot_name\":\"Ada\",\"user_name\":\"Bob\"}";
        Assert.Equal(2, (await SendAsync("\"model\":\"charglm-4\"" + Meta)).Conversation.Messages.Count);
        Assert.Contains("Ada", ((TextPart)_harness.Backend.LastRequest!.Conversation.Messages[0].Content[0]).Text);
        Assert.Single((await SendAsync("\"model\":\"glm-4.7\"" + Meta)).Conversation.Messages);
        Assert.Equal(2, (await SendAsync("\"model\":\"codegeex-4\",\"extra\":{\"target\":{\"language\":\"C#\",\"code_prefix\":\"int x\",\"code_suffix\":\";\"}}")).Conversation.Messages.Count);
    }

    [Fact]
    public async Task Answers_of_a_model_of_its_own_name_carry_no_stand_in_header()
    {
        using HttpResponseMessage own = await _harness.PostAsync("""{"model":"Glimmer-Tiny","messages":[{"role":"user","content":"hi"}]}""");
        Assert.False(own.Headers.Contains("X-Glimmer-Model"));
        using HttpResponseMessage other = await _harness.PostAsync("""{"model":"glm-z1-air","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal("glimmer-tiny; stand-in-for=glm-4.6", Assert.Single(other.Headers.GetValues("X-Glimmer-Model")));
        Assert.Equal("glm-4.6", JsonDocument.Parse(await other.Content.ReadAsStringAsync()).RootElement.GetProperty("model").GetString());
    }

    private async Task<ChatRequest> SendAsync(string fields)
    {
        await _harness.ChatAsync($$$"""{{{{fields}}},"messages":[{"role":"user","content":"hi"}]}""");
        return _harness.Backend.LastRequest!;
    }
}
