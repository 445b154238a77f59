using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Script;

public sealed class ScriptChatBackendTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    private const string Everything = """
        models: [glm-4.7]
        generation: GENERATION
        rules:
          - reply:
              thinking: First I read the file — all of it.
              text: Reading {"now"}.
              tool_calls:
                - name: read_file
                  arguments: { path: "src/A b.cs", lines: [1, 2.5, "drei"], deep: true }
                - name: read_file
                  arguments: '{"path": "x\ny"}'
        """;

    private readonly Tokenizer _tokenizer = bundled.Backend.Package.Tokenizer;

    public static TheoryData<string> Tagged => [.. Generations.All.Where(generation => generation.Output is { ToolCalls: ToolCallSyntax.Tags, Reasons: true, AnswerTags: false }).Select(generation => generation.Name)];

    public static TheoryData<string> Plain => [.. Generations.All.Where(generation => generation.Output is { AudioCodes: false, TrimsAnswer: false }).Select(generation => generation.Name)];

    [Fact]
    public async Task Replies_follow_one_another_and_the_last_stays()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("rules: [{ name: r, expect: 4, replies: [{ error: { code: 1302, retry_after: 2s } }, first, second] }]", _tokenizer);
        for (int round = 0; round < 2; round++)
        {
            ChatStart refused = await backend.StartAsync(ScriptRequests.User("x"), default);
            Assert.Equal((BusinessCode.ConcurrencyExceeded, TimeSpan.FromSeconds(2)), (refused.Error!.Code, refused.Error.RetryAfter));
            foreach (string said in new[] { "first", "second", "second" })
                Assert.Equal(said, (await ScriptRequests.Ask(backend, ScriptRequests.User("x"))).Message.Content);
            Assert.True(backend.Verify().Holds);
            backend.Reset();
        }
    }

    [Fact]
    public async Task Any_looks_into_every_message_and_its_groups_are_places()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("rules: [{ when: { any: '/order (\\d+)/' }, reply: 'order {{1}}' }]", _tokenizer);
        ChatRequest asked = ScriptRequests.Request(ChatMessage.OfText(ChatRole.User, "my order 42"), ChatMessage.OfText(ChatRole.Assistant, "Yes?"), ChatMessage.OfText(ChatRole.User, "where is it"));
        Assert.Equal("order 42", (await ScriptRequests.Ask(backend, asked)).Message.Content);
        ChatStart none = await backend.StartAsync(ScriptRequests.User("hello"), default);
        Assert.Contains("- any: expected \"/order (\\d+)/\", actual none of 1 messages", none.Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_that_the_request_does_not_allow_are_a_mistake_of_the_scenario_not_text()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("rules: [{ name: caller, reply: { tool_calls: [{ name: f, arguments: {} }] } }]", _tokenizer);
        foreach ((ChatRequest request, string why) in new[]
        {
            (ScriptRequests.User("x"), "offers no tools"),
            (ScriptRequests.User("x").WithTools("f") with { ToolChoice = new ToolChoice(ToolChoiceMode.None) }, "forbids calls"),
        })
        {
            ChatStart start = await backend.StartAsync(request, default);
            Assert.Null(start.Answer);
            Assert.Contains("(caller) calls f, but the request", start.Error!.Message, StringComparison.Ordinal);
            Assert.Contains(why, start.Error.Message, StringComparison.Ordinal);
        }

        Assert.All(backend.Log.Requests, request => Assert.Equal(RequestOutcome.Invalid, request.Outcome));
    }

    [Theory]
    [MemberData(nameof(Tagged))]
    public async Task What_is_written_comes_out_of_the_automaton(string generation)
    {
        ScriptChatBackend backend = ScriptRequests.Backend(Everything.Replace("GENERATION", generation, StringComparison.Ordinal), _tokenizer);
        foreach (bool? thinks in new bool?[] { null, true, false })
        {
            (MessageBuilder message, IChatAnswer answer) = await ScriptRequests.Ask(backend, ScriptRequests.User("Go").WithTools("read_file").Thinking(thinks));

            Assert.Equal(thinks == false ? null : "First I read the file — all of it.", message.Reasoning);
            Assert.Equal("Reading {\"now\"}.", message.Content?.Trim());
            Assert.Equal(["read_file", "read_file"], message.Calls.Select(call => call.Name));
            Assert.Equal("""{"path":"src/A b.cs","lines":[1,2.5,"drei"],"deep":true}""", message.Calls[0].Arguments.Replace(": ", ":", StringComparison.Ordinal).Replace(", ", ",", StringComparison.Ordinal));
            Assert.Equal("""{"path":"x\ny"}""", message.Calls[1].Arguments.Replace(": ", ":", StringComparison.Ordinal));
            Assert.Equal(FinishReason.ToolCalls, answer.Finish);
            Assert.Equal(thinks != false, answer.Usage.ReasoningTokens > 0);
        }
    }

    [Theory]
    [MemberData(nameof(Plain))]
    public async Task Every_generation_can_say_a_text(string generation)
    {
        ScriptChatBackend backend = ScriptRequests.Backend($"generation: {generation}\nfallback: Good morning, 世界 🌍!", _tokenizer);
        (MessageBuilder message, IChatAnswer answer) = await ScriptRequests.Ask(backend, ScriptRequests.User("Hi").Thinking(false));

        Assert.Equal("Good morning, 世界 🌍!", message.Content?.Trim());
        Assert.Null(message.Reasoning);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Equal(await backend.CountTokensAsync(ScriptRequests.User("Hi").Thinking(false), default), answer.Usage.PromptTokens);
    }

    [Fact]
    public async Task Rules_are_tried_in_order_and_used_up()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("""
            rules:
              - times: 1
                when: { last: hello }
                reply: one
              - when: { last: "/HEL+O (?<who>\\w+)/i" }
                reply: "two {{1}} {{9}} {{last}}"
            fallback: none
            """, _tokenizer);

        string[] said = new string[4];
        for (int i = 0; i < said.Length; i++)
            said[i] = (await ScriptRequests.Ask(backend, ScriptRequests.User(i == 3 ? "bye" : $"hello w{i}").Thinking(false))).Message.Content!;

        Assert.Equal(["one", "two w1 {{9}} hello w1", "two w2 {{9}} hello w2", "none"], said);
        Assert.Equal((1, 2), (backend.CountOf(0), backend.CountOf(1)));
    }

    [Fact]
    public async Task Conditions_look_at_the_whole_request()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("""
            rules:
              - { name: other model, when: { model: [glm-5, glm-5.2] }, reply: model }
              - { name: result, when: { result_of: read_file, last: 42 }, reply: "it holds {{last}}" }
              - { name: third, when: { turn: 2 }, reply: third }
              - { name: tool, when: { tool: read_file, thinking: false }, reply: tool }
              - { name: system, when: { system: "You are Bob", user: name }, reply: Bob }
            """, _tokenizer);
        ChatMessage call = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("a", "read_file", "{}"), new ToolCall("b", "list", "{}")] };
        ChatMessage result = ChatMessage.OfText(ChatRole.Tool, "42 lines") with { ToolCallId = "a" };
        ChatMessage user = ChatMessage.OfText(ChatRole.User, "your name?"), said = ChatMessage.OfText(ChatRole.Assistant, "x");

        Assert.Equal("model", await Say(ScriptRequests.User("x") with { Model = "GLM-5" }));
        Assert.Equal("it holds 42 lines", await Say(ScriptRequests.Request(user, call, result)));
        Assert.Equal("third", await Say(ScriptRequests.Request(user, said, user, said, user)));
        Assert.Equal("tool", await Say(ScriptRequests.User("x").WithTools("read_file")));
        Assert.Equal("Bob", await Say(ScriptRequests.Request(ChatMessage.OfText(ChatRole.System, "You are Bob."), user)));
        ChatStart none = await backend.StartAsync(ScriptRequests.Request(user, call, result with { ToolCallId = "b" }).Thinking(false), default);
        Assert.Equal(BusinessCode.CallFailed, none.Error!.Code);
        Assert.Contains("Nearest is", none.Error.Message, StringComparison.Ordinal);

        async Task<string?> Say(ChatRequest request) => (await ScriptRequests.Ask(backend, request.Thinking(false))).Message.Content;
    }

    [Fact]
    public async Task Raw_output_goes_through_the_automaton_as_it_is()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("""
            fallback:
              raw: "thought</think>Hi <tool_call>read_file<arg_key>path</arg_key><arg_value>a.txt</arg_value>"
            """, _tokenizer);
        (MessageBuilder message, _) = await ScriptRequests.Ask(backend, ScriptRequests.User("Go").WithTools("read_file"));

        Assert.Equal("thought", message.Reasoning);
        Assert.StartsWith("Hi", message.Content, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits_stops_and_faults_end_it()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("""
            rules:
              - { when: { last: cut }, reply: { text: one two three four five, cut_after: 2 } }
              - { when: { last: length }, reply: { text: one two, end: length } }
              - { when: { last: unsafe }, reply: { text: one two, end: sensitive } }
              - { when: { last: error }, reply: { error: { code: 1302, message: Slow down, retry_after: 7 } } }
            fallback: { text: "one two three four five ", repeat: 100, cached_tokens: 5 }
            """, _tokenizer);

        Assert.Equal(FinishReason.BackendFault, (await Ask("cut")).Answer.Finish);
        Assert.Equal(2, (await Ask("cut")).Answer.Usage.CompletionTokens);
        Assert.Equal(FinishReason.Length, (await Ask("length")).Answer.Finish);
        Assert.Equal(FinishReason.Sensitive, (await Ask("unsafe")).Answer.Finish);
        (MessageBuilder message, IChatAnswer answer) = await ScriptRequests.Ask(backend, ScriptRequests.User("x").Thinking(false) with { MaxTokens = 3 });
        Assert.Equal((FinishReason.Length, 3, 5), (answer.Finish, answer.Usage.CompletionTokens, answer.Usage.CachedTokens));
        (message, answer) = await ScriptRequests.Ask(backend, ScriptRequests.User("x").Thinking(false) with { Stop = ["four"] });
        Assert.Equal(("one two three ", FinishReason.Stop), (message.Content, answer.Finish));
        PlatformError error = (await backend.StartAsync(ScriptRequests.User("error"), default)).Error!;
        Assert.Equal((BusinessCode.ConcurrencyExceeded, "Slow down", TimeSpan.FromSeconds(7)), (error.Code, error.Message, error.RetryAfter));

        Task<(MessageBuilder Message, IChatAnswer Answer)> Ask(string text) => ScriptRequests.Ask(backend, ScriptRequests.User(text).Thinking(false));
    }

    [Fact]
    public async Task Prompt_and_answer_together_fit_into_the_context_that_the_catalogue_says()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("fallback: { text: \"one two three four five \", repeat: 100 }", _tokenizer);
        ChatRequest request = ScriptRequests.User("Hello there").Thinking(false);
        int prompt = await backend.CountTokensAsync(request, default);

        PlatformError error = (await backend.StartAsync(request with { ContextLength = prompt }, default)).Error!;
        Assert.Equal((BusinessCode.PromptTooLong, "messages"), (error.Code, error.Field));
        Assert.Contains($"{prompt} tokens; with the model glm-4.7", error.Message, StringComparison.Ordinal);

        (_, IChatAnswer one) = await ScriptRequests.Ask(backend, request with { ContextLength = prompt + 1 });
        Assert.Equal((FinishReason.ContextWindow, 1), (one.Finish, one.Usage.CompletionTokens));
        (_, IChatAnswer limited) = await ScriptRequests.Ask(backend, request with { ContextLength = prompt + 5, MaxTokens = 5 });
        Assert.Equal((FinishReason.Length, 5), (limited.Finish, limited.Usage.CompletionTokens));
        (_, IChatAnswer whole) = await ScriptRequests.Ask(backend, request with { ContextLength = 204800 });
        Assert.Equal(FinishReason.Stop, whole.Finish);
    }

    [Theory]
    [InlineData("embedding-3", 3072, 3)]
    [InlineData("embedding-2", 512, 16)]
    public async Task Texts_are_as_long_as_the_platform_s_models_read(string model, int most, int texts)
    {
        ScriptChatBackend backend = ScriptRequests.Backend($"embeddings: [{{ model: {model}, dimensions: 4 }}]\nfallback: x", _tokenizer);
        ScriptEmbeddingBackend embeddings = Assert.Single(backend.Embeddings);
        string[] full = [.. Enumerable.Repeat(Text(most), texts)];

        Assert.Equal(most * texts, (await embeddings.EmbedAsync(full, null, default)).Tokens);
        EmbeddingOutcome refused = await embeddings.EmbedAsync(["x", Text(most + 1)], null, default);
        Assert.Equal((BusinessCode.PromptTooLong, "input[1]"), (refused.Error!.Code, refused.Error.Field));
        EmbeddingOutcome more = await embeddings.EmbedAsync([.. full, "x"], null, default);
        Assert.Equal(model == "embedding-2" ? "input" : null, more.Error?.Field);

        string Text(int tokens)
        {
            List<int> ids = [];
            string text = string.Concat(Enumerable.Repeat(" the", tokens));
            _tokenizer.Encode(text, recogniseAdded: false, ids);
            Assert.Equal(tokens, ids.Count);
            return text;
        }
    }

    [Fact]
    public async Task Cancelling_ends_a_slow_answer()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("fallback: { text: one two three four five six, rate: 0.01 }", _tokenizer);
        using CancellationTokenSource cancel = new();
        ChatStart start = await backend.StartAsync(ScriptRequests.User("x").Thinking(false), default);
        await foreach (ChatEvent _ in start.Answer!.ReadAsync(cancel.Token))
            await cancel.CancelAsync();

        Assert.Equal(FinishReason.Cancelled, start.Answer.Finish);
        Assert.InRange(start.Answer.Usage.CompletionTokens, 1, 3);
    }
}
