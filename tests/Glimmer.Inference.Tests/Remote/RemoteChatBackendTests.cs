using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Inference.Tests.Embedded.Hosting;
using Glimmer.Inference.Tests.Remote.Fakes;
using Glimmer.Protocol.Errors;
using Microsoft.AspNetCore.Http;

namespace Glimmer.Inference.Tests.Remote;

public sealed class RemoteChatBackendTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    public static TheoryData<string> Engines => RemoteEngines.All;

    public static TheoryData<string> Kinds => RemoteEngines.Kinds;

    private static JsonElement Greeting => BundledBackend.Row("chat.greeting");

    private static JsonElement Thinking => BundledBackend.Row("chat.identity", row => row.GetProperty("thinking").GetBoolean() && row.GetProperty("right").GetBoolean());

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Says_what_the_embedded_engine_says(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        foreach (JsonElement row in new[] { Greeting, Thinking, BundledBackend.RightCall, BundledBackend.Row("chat.greeting", row => row.GetProperty("lang").GetString() == "zh") })
        {
            ChatRequest request = BundledBackend.Request(row);
            (MessageBuilder expected, IChatAnswer embedded) = await BundledBackend.Ask(bundled.Backend, request);
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);

            Assert.Equal((expected.Content, expected.Reasoning), (message.Content, message.Reasoning));
            Assert.Equal(expected.Calls.Select(call => (call.Name, call.Arguments)), message.Calls.Select(call => (call.Name, call.Arguments)));
            Assert.Equal(embedded.Finish, answer.Finish);
            Assert.Equal(embedded.Usage with { CachedTokens = 4 }, answer.Usage);
            Assert.Null(answer.Error);
        }

        Assert.All(engine.Calls, call => Assert.Null(call.Grammar));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Probabilities_come_with_the_text_that_they_belong_to(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        foreach (int top in new[] { 0, 3 })
        {
            (MessageBuilder message, _) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { TopLogProbs = top });

            Assert.Equal("Good night! Sleep well.", Encoding.UTF8.GetString([.. message.Tokens!.SelectMany(token => token.Bytes.ToArray())]));
            Assert.All(message.Tokens!, token =>
            {
                Assert.Equal(-0.5f, token.LogProb);
                Assert.Equal(top, token.Top.Count);
                if (top > 0)
                    Assert.Equal(token.Bytes.ToArray(), token.Top[0].Bytes.ToArray());
            });
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Every_way_to_choose_tokens_reaches_the_engine(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with
        {
            MaxTokens = 7,
            Sampling = new SamplingOptions
            {
                Temperature = 0.7f,
                TopP = 0.9f,
                TopK = 40,
                MinP = 0.05f,
                RepetitionPenalty = 1.1f,
                PresencePenalty = 0.5f,
                FrequencyPenalty = 0.25f,
                Seed = ulong.MaxValue,
                LogitBias = new Dictionary<int, float> { [5] = -100, [6] = 1.5f },
            },
        });
        JsonElement body = JsonDocument.Parse(engine.Calls.Single().Body.ToJsonString()).RootElement;
        JsonElement sampling = body.TryGetProperty("sampling_params", out JsonElement inner) ? inner : body;
        string[] names = engine is FakeLlamaServer
            ? ["temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty"]
            : ["temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty"];
        Assert.Equal([0.7f, 0.9f, 40, 0.05f, 1.1f, 0.5f, 0.25f], names.Select(field => sampling.GetProperty(field).GetSingle()));
        Assert.Equal(7, engine.Calls[0].MaxTokens);
        Assert.True(engine.Calls[0].StopTokens.Count >= 3);
        Assert.Contains("-100", sampling.GetProperty("logit_bias").GetRawText(), StringComparison.Ordinal);
        Assert.True(sampling.GetProperty(engine is FakeSGLang ? "sampling_seed" : "seed").GetInt64() >= 0);
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public async Task Limits_and_stop_texts_end_the_answer_at_their_token(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { MaxTokens = 4 });
        Assert.StartsWith(message.Content!, "Good night! Sleep well.", StringComparison.Ordinal);
        Assert.Equal((FinishReason.Length, 4), (answer.Finish, answer.Usage.CompletionTokens));

        (message, answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { Stop = ["night! Sl"] });
        Assert.Equal(("Good ", FinishReason.Stop, "night! Sl"), (message.Content, answer.Finish, answer.StopText));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_stop_text_closes_the_request_at_the_engine(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.HangAfter = 6;
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (MessageBuilder message, _) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { Stop = ["Sl"] });
        Assert.Equal("Good night! ", message.Content);
        await engine.Left.Task.WaitAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Cancelling_closes_the_request_and_keeps_what_was_said(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.HangAfter = 3;
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        using CancellationTokenSource cancel = new();
        ChatStart start = await backend.StartAsync(BundledBackend.Request(Greeting), CancellationToken.None);
        MessageBuilder message = new();
        await foreach (ChatEvent said in start.Answer!.ReadAsync(cancel.Token))
        {
            message.Add(said);
            cancel.Cancel();
        }

        Assert.Equal(FinishReason.Cancelled, start.Answer.Finish);
        Assert.StartsWith("Good", message.Content, StringComparison.Ordinal);
        await engine.Left.Task.WaitAsync(TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData("vllm", 0)]
    [InlineData("vllm", 1)]
    [InlineData("sglang", 5)]
    [InlineData("llama", 5)]
    [InlineData("llama", 1000)]
    public async Task A_thinking_budget_is_kept_by_a_second_request(string name, int budget)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        int[] rest = [.. Ids(Thinking, "greedy_ids").SkipWhile(id => id != 8178).Skip(1)];
        engine.Script = call => call.Prompt[^1] == 8178 ? rest : KnownAnswers.Continue(call);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Thinking) with { ThinkingBudget = budget });

        string content = Thinking.GetProperty("greedy_text").GetString()!.Split("</think>")[1];
        Assert.Equal((content, FinishReason.Stop), (message.Content, answer.Finish));
        Assert.Equal(budget switch { 0 => 1, 1000 => 1, _ => 2 }, engine.Calls.Count);
        if (budget < 1000)
        {
            // The line break before the closing tag belongs to the reasoning, as where it is decoded here.
            Assert.Equal(budget + 1, answer.Usage.ReasoningTokens);
            Assert.Equal(8178, engine.Calls[^1].Prompt[^1]);
        }
    }

    [Theory]
    [InlineData("vllm", 1)]
    [InlineData("vllm", 2)]
    [InlineData("llama", 1)]
    public async Task A_limit_within_the_forced_end_of_the_reasoning_is_kept(string name, int limit)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.Script = _ => [444];
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Thinking) with { ThinkingBudget = 0, MaxTokens = limit });
        Assert.Equal((FinishReason.Length, limit), (answer.Finish, answer.Usage.CompletionTokens));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_prompt_without_a_template_goes_to_the_engine_as_it_stands(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.True(backend.TakesRawPrompts);
        int[] prompt = Ids(Greeting, "prompt_ids");
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { Raw = new RawPrompt("", prompt) });
        Assert.Equal(("Good night! Sleep well.", FinishReason.Stop), (message.Content, answer.Finish));
        Assert.Equal(prompt, engine.Calls.Single().Prompt);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_grammar_is_sent_after_the_reasoning_and_checked(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        int[] json = [.. Text("{\"a\": 12}"), Special("<|user|>")];
        engine.Script = call => call.Grammar is null ? KnownAnswers.Continue(call) : json;
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        AnswerFormat format = new(AnswerFormatKind.JsonSchema, JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}""").RootElement, Strict: true);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Thinking) with { Format = format });

        Assert.Equal(("{\"a\": 12}", FinishReason.Stop), (message.Content, answer.Finish));
        Assert.Equal(Thinking.GetProperty("greedy_text").GetString()!.Split("</think>")[0], message.Reasoning);
        Assert.Equal([null, engine.Calls[1].Grammar], engine.Calls.Select(call => call.Grammar));
        Assert.StartsWith("root ::=", engine.Calls[1].Grammar, StringComparison.Ordinal);
        Assert.Equal([.. Ids(Thinking, "prompt_ids"), .. Ids(Thinking, "greedy_ids").TakeWhile(id => id != 8178), 8178], engine.Calls[1].Prompt);

        // Without reasoning there is one request.
        (message, answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { Format = format });
        Assert.Equal((3, "{\"a\": 12}", FinishReason.Stop), (engine.Calls.Count, message.Content, answer.Finish));
    }

    [Theory]
    [InlineData("vllm", "{\"a\": \"x\"}")]
    [InlineData("sglang", "Sure! {\"a\": 12}")]
    [InlineData("llama", "{\"a\": 12")]
    public async Task An_answer_that_breaks_its_schema_is_a_fault_that_says_so(string name, string text)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.Script = _ => [.. Text(text), Special("<|user|>")];
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        AnswerFormat format = new(AnswerFormatKind.JsonSchema, JsonDocument.Parse("""{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}""").RootElement);
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { Format = format });

        Assert.Equal((FinishReason.BackendFault, BusinessCode.CallProcess), (answer.Finish, answer.Error?.Code));
        Assert.Contains("schema", answer.Error!.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_model_that_may_reason_and_does_not_is_asked_again_with_the_grammar(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        bool reasons = false;
        engine.Script = call => call.Grammar is not null ? [.. Text("{}"), Special("<|user|>")]
            : reasons ? [.. Text("\n"), Special("<think>"), .. Text("So."), Special("</think>"), .. Text("\nNo JSON"), Special("<|user|>")]
            : [.. Text("No JSON"), Special("<|user|>")];
        await using IRemoteBackend backend = RemoteEngines.Backend(engine, definition => definition with { Models = [definition.Models[0] with { Generation = "glm-4.5" }] });
        foreach (bool _ in new[] { false, true })
        {
            engine.Calls.Clear();
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Thinking) with { Format = AnswerFormat.JsonObject });
            Assert.Equal(("{}", reasons ? "So." : null, FinishReason.Stop), (message.Content?.Trim(), message.Reasoning?.Trim(), answer.Finish));
            Assert.Equal([false, true], engine.Calls.Select(call => call.Grammar is not null));
            Assert.Equal(reasons, engine.Calls[1].Prompt.Length > engine.Calls[0].Prompt.Length);
            reasons = true;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_call_can_be_demanded(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        JsonElement row = BundledBackend.RightCall;
        engine.Script = call => call.Grammar is null ? throw new InvalidOperationException("no grammar") : KnownAnswers.Continue(call);
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        ChatRequest request = BundledBackend.Request(row) with { ToolChoice = ToolChoice.Required };
        if (request.Conversation.Options.EnableThinking == true)
            return;
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
        Assert.Equal(FinishReason.ToolCalls, answer.Finish);
        Assert.Equal(row.GetProperty("want").GetProperty("tool_calls").GetArrayLength(), message.Calls.Count);
        Assert.Equal(engine is FakeLlamaServer, engine.Calls[0].Grammar!.Contains("<[", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task What_cannot_be_done_is_refused_by_name_as_the_requests_fault(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.ContextLength = 20;
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        ChatRequest request = BundledBackend.Request(Greeting);
        foreach ((ChatRequest asked, BusinessCode code, string field) in new[]
        {
            (request with { Model = "other" }, BusinessCode.ModelMissing, null!),
            (request with { Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [1 << 20] = 1 } } }, BusinessCode.ParameterInvalid, "logit_bias"),
            (BundledBackend.Request(BundledBackend.RightCall), BusinessCode.PromptTooLong, "messages"),
        })
        {
            ChatStart start = await backend.StartAsync(asked, CancellationToken.None);
            Assert.Equal((code, StartFault.Request), (start.Error!.Code, start.Fault));
            if (field is not null)
                Assert.Equal(field, start.Error.Field);
        }

        Assert.Empty(engine.Calls);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_full_context_is_told_from_the_clients_limit(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.ContextLength = Ids(Greeting, "prompt_ids").Length + 3;
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { MaxTokens = 100 });
        Assert.Equal((FinishReason.ContextWindow, 3), (answer.Finish, answer.Usage.CompletionTokens));
    }

    [Theory]
    [InlineData(400, StartFault.Request, BusinessCode.CallIncorrect)]
    [InlineData(422, StartFault.Request, BusinessCode.CallIncorrect)]
    [InlineData(429, StartFault.Busy, BusinessCode.Overloaded)]
    [InlineData(503, StartFault.Busy, BusinessCode.Overloaded)]
    [InlineData(401, StartFault.Backend, BusinessCode.Network)]
    [InlineData(404, StartFault.Backend, BusinessCode.Network)]
    [InlineData(302, StartFault.Backend, BusinessCode.Network)]
    [InlineData(500, StartFault.Backend, BusinessCode.Network)]
    public async Task Refusals_are_told_apart_by_whose_fault_they_are(int status, StartFault fault, BusinessCode code)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync("vllm");
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
        engine.Intercept = async http =>
        {
            http.Response.StatusCode = status;
            http.Response.Headers.RetryAfter = "7";
            await http.Response.WriteAsync("{\"error\":{\"message\":\"so\\nit is\"}}");
            return true;
        };
        ChatStart start = await backend.StartAsync(BundledBackend.Request(Greeting), CancellationToken.None);
        Assert.Equal((fault, code), (start.Fault, start.Error!.Code));
        Assert.Contains("so it is", start.Error.Message, StringComparison.Ordinal);
        if (fault == StartFault.Busy)
            Assert.Equal(TimeSpan.FromSeconds(7), start.Error.RetryAfter);
    }

    [Fact]
    public async Task An_engine_that_is_not_there_is_a_fault_of_the_backend()
    {
        FakeEngine engine = await RemoteEngines.StartAsync("sglang");
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
        await engine.DisposeAsync();
        ChatStart start = await backend.StartAsync(BundledBackend.Request(Greeting), CancellationToken.None);
        Assert.Equal((StartFault.Backend, BusinessCode.Network), (start.Fault, start.Error!.Code));
        Assert.False((await backend.ProbeAsync(CancellationToken.None)).Alive);
        Assert.False(backend.IsReady);
    }

    [Theory]
    [InlineData("vllm", null)]
    [InlineData("sglang", 0)]
    [InlineData("llama", 3)]
    public async Task A_silent_engine_is_given_up_in_time(string name, int? hangAfter)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        ManualTime time = new();
        await using IRemoteBackend backend = RemoteEngines.Backend(engine, definition => definition with { FirstTokenTimeout = TimeSpan.FromSeconds(9), StallTimeout = TimeSpan.FromSeconds(5) }, time);
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
        TaskCompletionSource asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (hangAfter is null)
        {
            engine.Intercept = async http =>
            {
                asked.SetResult();
                await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                return true;
            };
            Task<ChatStart> starting = backend.StartAsync(BundledBackend.Request(Greeting), CancellationToken.None).AsTask();
            await asked.Task;
            time.Advance(TimeSpan.FromSeconds(10));
            Assert.Equal(StartFault.Backend, (await starting).Fault);
            return;
        }

        engine.HangAfter = hangAfter;
        ChatStart start = await backend.StartAsync(BundledBackend.Request(Greeting), CancellationToken.None);
        MessageBuilder message = new();
        await using IAsyncEnumerator<ChatEvent> events = start.Answer!.ReadAsync(CancellationToken.None).GetAsyncEnumerator();
        Task<bool> next = events.MoveNextAsync().AsTask();
        while (true)
        {
            // What was sent before the silence has come; then only the clock can end the wait.
            if (message.Content?.Length > 0 || hangAfter == 0)
                time.Advance(TimeSpan.FromSeconds(10));
            if (!await next)
                break;
            message.Add(events.Current);
            next = events.MoveNextAsync().AsTask();
        }

        Assert.Equal((FinishReason.BackendFault, BusinessCode.Network), (start.Answer.Finish, start.Answer.Error!.Code));
        Assert.Contains(hangAfter == 0 ? "first token" : "silent", start.Answer.Error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Counts_that_lie_change_nothing(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.Mutate = events => [.. events.Select(data => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(data)
            .Replace("\"completion_tokens\":9", "\"completion_tokens\":9000", StringComparison.Ordinal)
            .Replace("\"tokens_predicted\":9,\"tokens_evaluated\":14,\"truncated\"", "\"tokens_predicted\":9000,\"tokens_evaluated\":14,\"truncated\"", StringComparison.Ordinal)))];
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting));
        Assert.Equal(("Good night! Sleep well.", 14, 9), (message.Content, answer.Usage.PromptTokens, answer.Usage.CompletionTokens));
        Assert.Contains("9000", (await backend.ProbeAsync(CancellationToken.None)).Detail, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task More_tokens_than_were_asked_for_are_not_taken(string name)
    {
        await using FakeEngine engine = await RemoteEngines.StartAsync(name);
        engine.Script = call => Enumerable.Repeat(444, 100_000);
        engine.Mutate = events => [.. Enumerable.Repeat(events[0], 100_000)];
        await using IRemoteBackend backend = RemoteEngines.Backend(engine);
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(Greeting) with { MaxTokens = 1 });
        Assert.Equal((FinishReason.Length, 1), (answer.Finish, answer.Usage.CompletionTokens));
    }

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(id => id.GetInt32())];

    private static List<int> Text(string text)
    {
        List<int> ids = [];
        FakeEngine.Tokenizer.Encode(text, recogniseAdded: false, ids);
        return ids;
    }

    private static int Special(string name)
    {
        Assert.True(FakeEngine.Tokenizer.TryGetAdded(name, out int id));
        return id;
    }
}
