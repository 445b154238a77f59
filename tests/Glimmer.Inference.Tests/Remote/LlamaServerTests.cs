using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Remote;

/// <summary>A real llama-server and the engine of this process with the same file say the same.</summary>
public sealed class LlamaServerTests(LlamaServerProcess server, BundledBackend bundled) : IClassFixture<LlamaServerProcess>, IClassFixture<BundledBackend>
{
    private static JsonElement Greeting => BundledBackend.Row("chat.greeting");

    private static JsonElement Thinking => BundledBackend.Row("chat.identity", row => row.GetProperty("thinking").GetBoolean() && row.GetProperty("right").GetBoolean());

    private IRemoteBackend Backend
    {
        get
        {
            Assert.SkipWhen(server.Backend is null, LlamaServer.Missing);
            return server.Backend;
        }
    }

    [Fact]
    public async Task Every_known_request_is_answered_with_the_same_text()
    {
        IRemoteBackend backend = Backend;
        int compared = 0;

        // Where the two best tokens are nearly as likely, two implementations may choose differently.
        foreach (JsonElement row in File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl")).Select(line => JsonDocument.Parse(line).RootElement).Where(row => row.GetProperty("gaps").EnumerateArray().All(gap => gap.GetDouble() > 0.3)).Take(120))
        {
            ChatRequest request = BundledBackend.Request(row) with { MaxTokens = 200 };
            (MessageBuilder expected, IChatAnswer embedded) = await BundledBackend.Ask(bundled.Backend, request);
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
            Assert.Null(answer.Error);
            Assert.Equal((expected.Reasoning, expected.Content, embedded.Finish), (message.Reasoning, message.Content, answer.Finish));
            Assert.Equal(expected.Calls, message.Calls);
            Assert.Equal(embedded.Usage with { CachedTokens = 0 }, answer.Usage with { CachedTokens = 0 });
            compared++;
        }

        Assert.True(compared > 50, $"{compared}");
    }

    [Fact]
    public async Task The_cache_is_reused_and_told()
    {
        IRemoteBackend backend = Backend;
        ChatRequest request = BundledBackend.Request(BundledBackend.RightCall);
        await RemoteEngines.AskAsync(backend, request);
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
        Assert.InRange(answer.Usage.CachedTokens, answer.Usage.PromptTokens / 2, answer.Usage.PromptTokens - 1);
    }

    [Theory]
    [InlineData("Sleep", "Good night! ")]
    [InlineData("night! Sl", "Good ")]
    public async Task Stop_texts_end_the_answer(string stop, string content)
    {
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(Backend, BundledBackend.Request(Greeting) with { Stop = [stop] });
        Assert.Equal((content, FinishReason.Stop, stop), (message.Content, answer.Finish, answer.StopText));
    }

    [Fact]
    public async Task Limits_are_kept()
    {
        (_, IChatAnswer answer) = await RemoteEngines.AskAsync(Backend, BundledBackend.Request(Greeting) with { MaxTokens = 4 });
        Assert.Equal((FinishReason.Length, 4), (answer.Finish, answer.Usage.CompletionTokens));
    }

    [Fact]
    public async Task Probabilities_are_the_same()
    {
        ChatRequest request = BundledBackend.Request(Greeting) with { TopLogProbs = 3 };
        IRemoteBackend backend = Backend;
        (MessageBuilder expected, _) = await BundledBackend.Ask(bundled.Backend, request);
        (MessageBuilder message, _) = await RemoteEngines.AskAsync(backend, request);
        Assert.Equal(expected.Tokens!.Count, message.Tokens!.Count);
        foreach ((SaidToken ours, SaidToken theirs) in expected.Tokens.Zip(message.Tokens))
        {
            Assert.Equal(ours.Bytes.ToArray(), theirs.Bytes.ToArray());
            Assert.Equal(ours.LogProb, theirs.LogProb, tolerance: 0.1);
            Assert.Equal(ours.Top[0].Bytes.ToArray(), theirs.Top[0].Bytes.ToArray());
            Assert.Equal(3, theirs.Top.Count);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    public async Task A_thinking_budget_is_kept(int budget)
    {
        IRemoteBackend backend = Backend;
        ChatRequest request = BundledBackend.Request(Thinking) with { ThinkingBudget = budget, MaxTokens = 80 };
        (MessageBuilder expected, IChatAnswer embedded) = await BundledBackend.Ask(bundled.Backend, request);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
        Assert.Equal((expected.Reasoning, expected.Content), (message.Reasoning, message.Content));
        Assert.Equal(embedded.Usage.ReasoningTokens, answer.Usage.ReasoningTokens);
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"city":{"type":"string","maxLength":12},"mood":{"enum":["good","bad"]},"n":{"type":"integer","minimum":3,"maximum":17}},"required":["city","mood"],"additionalProperties":false}""")]
    [InlineData("""{"type":"array","items":{"anyOf":[{"type":"boolean"},{"type":"string","pattern":"^[a-c]+-[0-9]{2}$"}]},"minItems":1,"maxItems":3}""")]
    [InlineData("""{"$defs":{"n":{"type":"object","properties":{"v":{"type":"number"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}},"$ref":"#/$defs/n"}""")]
    [InlineData("""{"type":"object","properties":{"when":{"type":"string","format":"date-time"}},"required":["when"],"additionalProperties":false}""")]
    public async Task Schemas_are_followed_with_and_without_reasoning(string schema)
    {
        IRemoteBackend backend = Backend;
        AnswerFormat format = new(AnswerFormatKind.JsonSchema, JsonDocument.Parse(schema).RootElement);
        foreach (JsonElement row in new[] { Greeting, Thinking })
        {
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, BundledBackend.Request(row) with { Format = format, MaxTokens = 250 });
            Assert.Null(answer.Error);

            // A small model can get lost in a text without end; then the limit cuts it, and what there is still follows the schema.
            Assert.True(answer.Finish is FinishReason.Stop or FinishReason.Length, $"{answer.Finish}");
            if (answer.Finish == FinishReason.Stop)
                JsonDocument.Parse(message.Content!).Dispose();
        }
    }

    [Fact]
    public async Task Json_mode_says_the_same_json()
    {
        IRemoteBackend backend = Backend;
        ChatRequest request = BundledBackend.Request(Greeting) with { Format = new AnswerFormat(AnswerFormatKind.JsonSchema, JsonDocument.Parse("""{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}""").RootElement), MaxTokens = 40 };
        (MessageBuilder expected, _) = await BundledBackend.Ask(bundled.Backend, request);
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Equal(JsonDocument.Parse(expected.Content!).RootElement.GetProperty("ok").GetBoolean(), JsonDocument.Parse(message.Content!).RootElement.GetProperty("ok").GetBoolean());
    }

    [Theory]
    [InlineData(AnswerFormatKind.Regex, "(yes|no), [0-9]{3}")]
    [InlineData(AnswerFormatKind.Grammar, "root ::= \"<\" item (\", \" item){1,2} \">\"\nitem ::= [a-z]{2,4} | \"智\"")]
    public async Task Expressions_and_grammars_are_followed(AnswerFormatKind kind, string source)
    {
        (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(Backend, BundledBackend.Request(Greeting) with { Format = new AnswerFormat(kind, Source: source), MaxTokens = 60 });
        Assert.Null(answer.Error);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.NotNull(message.Content);
    }

    [Fact]
    public async Task Calls_can_be_demanded_of_it()
    {
        IRemoteBackend backend = Backend;
        foreach (JsonElement row in new[] { BundledBackend.RightCall, Greeting })
        {
            ChatRequest request = BundledBackend.Request(row);
            if (request.Conversation.Tools.Count == 0)
                request = request with { Conversation = request.Conversation with { Tools = BundledBackend.Request(BundledBackend.RightCall).Conversation.Tools } };
            request = request with { ToolChoice = ToolChoice.Required, ParallelToolCalls = false, MaxTokens = 300 };
            (MessageBuilder expected, _) = await BundledBackend.Ask(bundled.Backend, request);
            (MessageBuilder message, IChatAnswer answer) = await RemoteEngines.AskAsync(backend, request);
            Assert.Null(answer.Error);
            Assert.Equal(FinishReason.ToolCalls, answer.Finish);
            Assert.Equal(expected.Calls.Select(call => call.Name), message.Calls.Select(call => call.Name));
            JsonDocument.Parse(message.Calls[0].Arguments).Dispose();
        }
    }

    [Fact]
    public async Task A_seed_decides()
    {
        IRemoteBackend backend = Backend;
        ChatRequest request = BundledBackend.Request(Thinking) with { Sampling = new SamplingOptions { Temperature = 1.5f, TopP = 0.95f, Seed = 42 }, MaxTokens = 40 };

        // What it works on beside (for a client of a test before, who has left) is computed in one batch with this, and rounds it otherwise.
        await server.IdleAsync();
        (MessageBuilder first, _) = await RemoteEngines.AskAsync(backend, request);
        await server.IdleAsync();
        (MessageBuilder second, _) = await RemoteEngines.AskAsync(backend, request);
        Assert.Equal((first.Reasoning, first.Content), (second.Reasoning, second.Content));
    }
}
