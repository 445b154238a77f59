using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Embedded;

public sealed class EmbeddedChatBackendTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    private const string GoodNight = "Good night! Sleep well.";
    private readonly EmbeddedChatBackend _backend = bundled.Backend;

    private static JsonElement Greeting => BundledBackend.Row("chat.greeting");

    private static JsonElement Thinking => BundledBackend.Row("chat.identity", row => row.GetProperty("thinking").GetBoolean() && row.GetProperty("right").GetBoolean());

    [Fact]
    public async Task Says_what_the_reference_says_and_counts_every_token()
    {
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, BundledBackend.Request(Greeting));

        Assert.Equal(GoodNight, message.Content);
        Assert.Null(message.Reasoning);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Equal(new ChatUsage(14, answer.Usage.CachedTokens, 9, 0), answer.Usage);
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await answer.ReadAsync(default).GetAsyncEnumerator().MoveNextAsync());
    }

    [Fact]
    public async Task Tells_reasoning_from_answer()
    {
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, BundledBackend.Request(Thinking));
        int[] ids = [.. Thinking.GetProperty("greedy_ids").EnumerateArray().Select(id => id.GetInt32())];
        string[] parts = Thinking.GetProperty("greedy_text").GetString()!.Split("</think>");

        Assert.Equal(parts[0], message.Reasoning);
        Assert.Equal(parts[1], message.Content);
        Assert.Equal((ids.Length, Array.IndexOf(ids, 8178)), (answer.Usage.CompletionTokens, answer.Usage.ReasoningTokens));
    }

    [Fact]
    public async Task The_same_prompt_again_is_reused_but_for_its_last_token()
    {
        ChatRequest request = BundledBackend.Request(Greeting);
        await BundledBackend.Ask(_backend, request);
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, request);

        Assert.Equal(GoodNight, message.Content);
        Assert.Equal(13, answer.Usage.CachedTokens);
    }

    [Fact]
    public async Task Probabilities_spell_the_answer_and_not_the_reasoning()
    {
        foreach (JsonElement row in new[] { Greeting, Thinking })
        {
            (MessageBuilder plain, _) = await BundledBackend.Ask(_backend, BundledBackend.Request(row));
            (MessageBuilder message, _) = await BundledBackend.Ask(_backend, BundledBackend.Request(row) with { TopLogProbs = 3 });
            Assert.Equal((plain.Content, plain.Reasoning), (message.Content, message.Reasoning));
            Assert.Null(plain.Tokens);
            Assert.Equal(message.Content!.Trim(), System.Text.Encoding.UTF8.GetString([.. message.Tokens!.SelectMany(token => token.Bytes.ToArray())]).Trim());
            Assert.All(message.Tokens!, token =>
            {
                Assert.Equal(3, token.Top.Count);
                Assert.True(token.LogProb <= 0);

                // Greedy: what was said is the most likely.
                Assert.Equal(token.Bytes.ToArray(), token.Top[0].Bytes.ToArray());
                Assert.Equal(token.LogProb, token.Top[0].LogProb);
                Assert.True(token.Top.Sum(chance => Math.Exp(chance.LogProb)) <= 1.0001);
            });
        }
    }

    [Fact]
    public async Task Max_tokens_cuts_the_answer_at_its_token()
    {
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, BundledBackend.Request(Greeting) with { MaxTokens = 4 });

        Assert.StartsWith(message.Content!, GoodNight, StringComparison.Ordinal);
        Assert.Equal((FinishReason.Length, 4), (answer.Finish, answer.Usage.CompletionTokens));
    }

    [Theory]
    [InlineData("Sleep", "Good night! ")]
    [InlineData("night! Sl", "Good ")]
    [InlineData("Good", null)]
    public async Task A_stop_text_ends_the_answer_before_it(string stop, string? content)
    {
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, BundledBackend.Request(Greeting) with { Stop = [stop] });

        Assert.Equal(content, message.Content);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.InRange(answer.Usage.CompletionTokens, 1, 8);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task A_thinking_budget_ends_the_reasoning(int budget)
    {
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, BundledBackend.Request(Thinking) with { ThinkingBudget = budget, MaxTokens = 80 });

        // The line break before the closing tag is reasoning too.
        Assert.InRange(answer.Usage.ReasoningTokens, budget, budget + 1);
        Assert.NotNull(message.Content);
        if (budget > 0)
            Assert.StartsWith(message.Reasoning!, Thinking.GetProperty("greedy_text").GetString()!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Calls_tools_unless_told_not_to()
    {
        JsonElement row = BundledBackend.RightCall;
        ChatRequest request = BundledBackend.Request(row);
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, request);
        (MessageBuilder none, IChatAnswer plain) = await BundledBackend.Ask(_backend, request with { ToolChoice = ToolChoice.None, MaxTokens = 30 });

        JsonElement want = row.GetProperty("want").GetProperty("tool_calls")[0];
        SaidCall call = Assert.Single(message.Calls);
        Assert.Equal(want.GetProperty("name").GetString(), call.Name);
        Assert.Equal(want.GetProperty("arguments").ToString().Replace(" ", ""), call.Arguments.Replace(" ", ""));
        Assert.Equal(FinishReason.ToolCalls, answer.Finish);
        Assert.Empty(none.Calls);
        Assert.True(plain.Usage.PromptTokens < answer.Usage.PromptTokens - 20);
    }

    [Fact]
    public async Task A_call_that_lacks_its_end_is_mended_unless_that_is_switched_off()
    {
        await using EmbeddedChatBackend strict = BundledBackend.Load(repairs: Repairs.None);
        Assert.True(_backend.Package.Tokenizer.TryGetAdded("</tool_call>", out int close));
        ChatRequest request = BundledBackend.Request(BundledBackend.RightCall) with { MaxTokens = 80 };
        ChatRequest endless = request with { Sampling = new() { Greedy = true, LogitBias = new Dictionary<int, float> { [close] = -1000 } } };
        (_, IChatAnswer good) = await BundledBackend.Ask(_backend, request);
        (MessageBuilder mended, IChatAnswer answer) = await BundledBackend.Ask(_backend, endless);
        (MessageBuilder text, IChatAnswer plain) = await BundledBackend.Ask(strict, endless);

        Assert.Equal(0, good.CountRepairs(Repairs.CallClose));
        Assert.NotEmpty(mended.Calls);
        Assert.True(answer.CountRepairs(Repairs.CallClose) > 0, $"{answer.Finish} {mended.Content}");
        Assert.Empty(text.Calls);
        Assert.Contains("<tool_call>", text.Content);
        Assert.Equal(0, plain.CountRepairs(Repairs.CallClose));
    }

    [Fact]
    public async Task Json_mode_says_json()
    {
        ChatRequest request = BundledBackend.Request(Greeting) with { Format = AnswerFormat.JsonObject, MaxTokens = 60 };
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, request);

        Assert.StartsWith("{", message.Content!.TrimStart(), StringComparison.Ordinal);
        if (answer.Finish == FinishReason.Stop)
            Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(message.Content).RootElement.ValueKind);
        else
            Assert.Equal((FinishReason.Length, 60), (answer.Finish, answer.Usage.CompletionTokens));
    }

    [Fact]
    public async Task A_schema_decides_what_is_said()
    {
        JsonElement schema = JsonDocument.Parse("""{"type":"object","properties":{"mood":{"enum":["sleepy","awake"]},"n":{"type":"integer","minimum":3,"maximum":3}},"required":["mood","n"],"additionalProperties":false}""").RootElement;
        long before = _backend.Engine.GetStatistics().AcceptedTokens;
        ChatRequest request = BundledBackend.Request(Greeting) with { Format = new AnswerFormat(AnswerFormatKind.JsonSchema, schema, Strict: true), MaxTokens = 200, Sampling = new() { Greedy = true, LogitBias = Blanks() } };
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(_backend, request);
        JsonElement said = JsonDocument.Parse(message.Content!).RootElement;

        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Contains(said.GetProperty("mood").GetString(), (string[])["sleepy", "awake"]);
        Assert.Equal(3, said.GetProperty("n").GetInt32());
        // The text of the keys is foreseen and tried in one pass.
        Assert.True(_backend.Engine.GetStatistics().AcceptedTokens > before);
    }

    [Fact]
    public async Task A_call_can_be_demanded()
    {
        ChatRequest request = Offering("""{"type":"object","properties":{"city":{"enum":["Bonn","Ulm"]}},"required":["city"],"additionalProperties":false}""") with { MaxTokens = 120 };
        (MessageBuilder required, IChatAnswer answer) = await BundledBackend.Ask(_backend, request with { ToolChoice = ToolChoice.Required, ParallelToolCalls = false });
        (MessageBuilder named, _) = await BundledBackend.Ask(_backend, request with { ToolChoice = new ToolChoice(ToolChoiceMode.Named, "get_weather"), ParallelToolCalls = false });

        foreach (SaidCall call in (SaidCall[])[Assert.Single(required.Calls), Assert.Single(named.Calls)])
        {
            Assert.Equal("get_weather", call.Name);
            Assert.Contains(JsonDocument.Parse(call.Arguments).RootElement.GetProperty("city").GetString(), (string[])["Bonn", "Ulm"]);
        }

        Assert.Equal(FinishReason.ToolCalls, answer.Finish);
    }

    [Fact]
    public async Task A_demand_for_calls_that_cannot_be_met_is_refused()
    {
        ChatRequest request = Offering("""{"type":"object"}""");
        PlatformError unknown = await Refused(request with { ToolChoice = new ToolChoice(ToolChoiceMode.Named, "get_time") });
        PlatformError none = await Refused(BundledBackend.Request(Greeting) with { ToolChoice = ToolChoice.Required });
        PlatformError wrong = await Refused(Offering("""{"type":"objekt"}""") with { ToolChoice = ToolChoice.Required });

        Assert.Equal((BusinessCode.ParameterInvalid, "tool_choice.function.name"), (unknown.Code, unknown.Field));
        Assert.Equal((BusinessCode.ParametersConflict, "tool_choice"), (none.Code, none.Field));
        Assert.Equal((BusinessCode.ParameterInvalid, "tools"), (wrong.Code, wrong.Field));
    }

    [Fact]
    public async Task Json_mode_with_tools_answers_in_json_or_calls()
    {
        ChatRequest request = Offering("""{"type":"object"}""") with { Format = AnswerFormat.JsonObject, MaxTokens = 40 };
        (MessageBuilder message, _) = await BundledBackend.Ask(_backend, request);

        Assert.True(message.Calls.Count > 0 || message.Content!.TrimStart().StartsWith('{'));
    }

    [Theory]
    [InlineData("""{"type":"objekt"}""", "type")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}}""", "uniqueItems")]
    public async Task A_schema_that_cannot_be_enforced_is_refused(string schema, string named)
    {
        AnswerFormat format = new(AnswerFormatKind.JsonSchema, JsonDocument.Parse(schema).RootElement, Strict: true);
        PlatformError error = await Refused(BundledBackend.Request(Greeting) with { Format = format });

        Assert.Equal(BusinessCode.ParameterInvalid, error.Code);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.Contains("response_format.json_schema.schema", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_tool_whose_parameters_are_no_schema_is_refused_by_name_when_a_call_is_demanded()
    {
        PlatformError error = await Refused(Offering("""{"type":"object","properties":[]}""") with { ToolChoice = ToolChoice.Required });

        Assert.Equal((BusinessCode.ParameterInvalid, "tools"), (error.Code, error.Field));
        Assert.StartsWith("The parameter tools is invalid: The parameters of the tool '", error.Message, StringComparison.Ordinal);
        Assert.Contains("'properties' must be an object", error.Message, StringComparison.Ordinal);
        Assert.EndsWith("Send a valid JSON schema.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_prompt_that_leaves_no_room_is_refused_and_a_full_context_says_so()
    {
        await using EmbeddedChatBackend small = BundledBackend.Load(context: 20);
        ChatRequest request = BundledBackend.Request(Greeting);
        (MessageBuilder message, IChatAnswer answer) = await BundledBackend.Ask(small, request);
        ChatStart refused = await small.StartAsync(BundledBackend.Request(BundledBackend.Row("chat.memory")), default);

        Assert.Equal((FinishReason.ContextWindow, 6), (answer.Finish, answer.Usage.CompletionTokens));
        Assert.StartsWith(message.Content!, GoodNight, StringComparison.Ordinal);
        Assert.Equal(BusinessCode.PromptTooLong, refused.Error!.Code);
        Assert.Contains("20", refused.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_ends_the_generation_and_counts_what_was_made()
    {
        using CancellationTokenSource source = new();
        IChatAnswer answer = await BundledBackend.Start(_backend, BundledBackend.Request(Thinking) with { MaxTokens = 2000 });
        int events = 0;
        await foreach (ChatEvent said in answer.ReadAsync(source.Token))
        {
            if (++events == 3)
                await source.CancelAsync();
        }

        Assert.True(answer.Finish is FinishReason.Cancelled or FinishReason.Stop);
        Assert.True(answer.Usage.CompletionTokens > 0);
        await _backend.Engine.AssertNoLeakAsync();
    }

    [Fact]
    public async Task A_reader_that_leaves_ends_the_generation()
    {
        ChatRequest endless = BundledBackend.Request(Greeting) with
        {
            MaxTokens = 3000,
            Sampling = new() { Greedy = true, LogitBias = _backend.Package.StopTokens.ToDictionary(id => id, _ => -1000f) },
        };
        IChatAnswer answer;
        int tries = 0;
        do
        {
            answer = await BundledBackend.Start(_backend, endless);
            await foreach (ChatEvent said in answer.ReadAsync(default))
                break;
            await _backend.Engine.AssertNoLeakAsync();
        }
        while (answer.Finish == FinishReason.Length && ++tries < 20);   // the reader was held up until all was made

        Assert.Equal(FinishReason.Cancelled, answer.Finish);
        Assert.InRange(answer.Usage.CompletionTokens, 1, 2999);
    }

    [Fact]
    public async Task A_reader_that_comes_late_misses_nothing()
    {
        IChatAnswer answer = await BundledBackend.Start(_backend, BundledBackend.Request(Thinking));
        await _backend.Engine.AssertNoLeakAsync();
        MessageBuilder message = new();
        await foreach (ChatEvent said in answer.ReadAsync(default))
            message.Add(said);

        Assert.Equal(Thinking.GetProperty("greedy_text").GetString(), $"{message.Reasoning}</think>{message.Content}");
    }

    [Fact]
    public async Task Counts_prompt_tokens_exactly()
    {
        foreach (string kind in (string[])["chat.greeting", "chat.memory"])
        {
            JsonElement row = BundledBackend.Row(kind);
            Assert.Equal(row.GetProperty("prompt_ids").GetArrayLength(), await _backend.CountTokensAsync(BundledBackend.Request(row), default));
        }
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_by_name()
    {
        ChatRequest good = BundledBackend.Request(Greeting);
        ChatRequest picture = good with { Conversation = good.Conversation with { Messages = [new ChatMessage { Role = ChatRole.User, Content = [new MediaPart(MediaKind.Image, "x")] }] } };
        ChatRequest badCall = good with
        {
            Conversation = good.Conversation with
            {
                Messages = [.. good.Conversation.Messages, new ChatMessage { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "f", "[1]")] }, ChatMessage.OfText(ChatRole.User, "x")],
            },
        };
        ChatRequest badSampling = good with { Sampling = new() { TopP = 2 } };

        Assert.Equal("TopP", (await Refused(badSampling)).Message[..4]);
        PlatformError call = await Refused(badCall);
        Assert.Equal(BusinessCode.ParameterInvalid, call.Code);
        Assert.StartsWith("messages[1].tool_calls[0]", call.Field, StringComparison.Ordinal);
        Assert.Equal(call, (await Assert.ThrowsAsync<ChatRequestException>(async () => await _backend.CountTokensAsync(badCall, default))).Error);
        ChatStart media = await _backend.StartAsync(picture, default);
        Assert.True(media.Error is null or { Code: BusinessCode.ModelUnsupported });
    }

    [Fact]
    public async Task A_stopped_backend_refuses()
    {
        EmbeddedChatBackend backend = BundledBackend.Load();
        await backend.StopAsync(TimeSpan.FromSeconds(1));
        ChatStart start = await backend.StartAsync(BundledBackend.Request(Greeting), default);
        await backend.DisposeAsync();

        Assert.False(backend.IsReady);
        Assert.Equal(BusinessCode.Overloaded, start.Error!.Code);
    }

    private static ChatRequest Offering(string parameters)
    {
        ChatRequest request = BundledBackend.Request(Greeting);
        JsonElement tool = JsonDocument.Parse($$$"""{"type":"function","function":{"name":"get_weather","parameters":{{{parameters}}}}}""").RootElement;
        return request with { Conversation = request.Conversation with { Tools = [new ToolDefinition("get_weather", tool)] } };
    }

    /// <summary>The small model likes white space where JSON allows it; this keeps the answer short.</summary>
    private Dictionary<int, float> Blanks() => Enumerable.Range(0, _backend.Package.Tokenizer.VocabularySize)
        .Where(id => string.IsNullOrWhiteSpace(System.Text.Encoding.UTF8.GetString(_backend.Package.Tokenizer.BytesOf(id))))
        .ToDictionary(id => id, _ => -100f);

    private async Task<PlatformError> Refused(ChatRequest request)
    {
        ChatStart start = await _backend.StartAsync(request, default);
        Assert.Null(start.Answer);
        return start.Error!;
    }
}
