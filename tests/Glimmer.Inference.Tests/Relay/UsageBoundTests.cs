using Glimmer.Dialogue.Conversations;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>A service's counts are believed as far as the request can have caused them.</summary>
public sealed class UsageBoundTests
{
    private const int Bounded = 6105;

    [Theory]
    [InlineData("12", "7", 12, 7)]
    [InlineData("4096", "1034", 4096, 1034)]
    [InlineData("5000", "7", 4132, 7)]
    [InlineData("12", "5000", 12, 1036)]
    [InlineData("2147483647", "2147483647", 4132, 1036)]
    [InlineData("9223372036854775808", "1e300", 4132, 1036)]
    [InlineData("1e999", "12345678901234567890123", 4132, 1036)]
    public async Task Chat_completions_are_charged_within_their_bounds(string prompt, string completion, int believedPrompt, int believedCompletion)
    {
        // Two bytes of prompt with sixteen for its message, two bytes of answer, ten tokens at most.
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Stream(Said(prompt, completion));
        Told told = await AskAsync(upstream, Ask("Hi") with { MaxTokens = 10 }, log: log);
        Assert.Null(told.Answer!.Error);
        Assert.Equal((believedPrompt, believedCompletion), (told.Answer.Usage.PromptTokens, told.Answer.Usage.CompletionTokens));
        Assert.True(told.Answer.Usage.CachedTokens <= believedPrompt && told.Answer.Usage.ReasoningTokens <= believedCompletion);
        Assert.Equal(believedPrompt > 4096 || believedCompletion > 1034, log.Lines.Exists(static line => line is { Id: Bounded, Level: LogLevel.Warning }));
    }

    [Fact]
    public async Task Messages_are_charged_within_their_bounds()
    {
        LogLines log = new();
        string stream = Events(
            """{"type":"message_start","message":{"usage":{"input_tokens":2000000000,"cache_read_input_tokens":2000000000,"cache_creation_input_tokens":18446744073709551615}}}""",
            """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"ok"}}""",
            """{"type":"content_block_stop","index":0}""",
            """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1e30}}""",
            """{"type":"message_stop"}""");
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask("Hi") with { MaxTokens = 10 }, BackendKind.Anthropic, log);
        Assert.Equal(new ChatUsage(4132, 4132, 1036, 0), told.Answer!.Usage);
        Assert.Contains(log.Lines, static line => line is { Id: Bounded, Level: LogLevel.Warning });
    }

    [Fact]
    public async Task A_warning_is_given_once_and_counted_in_the_probe()
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Stream(Said("2000000000", "7"));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, (ILoggerFactory)log);
        for (int i = 0; i < 3; i++)
            await AskAsync(backend, Ask());
        Assert.Equal([LogLevel.Warning, LogLevel.Debug, LogLevel.Debug], log.Lines.Where(static line => line.Id == Bounded).Select(static line => line.Level));
        Assert.Contains("Of 3 answers", (await backend.ProbeAsync(default)).Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_model_reasons_unheard_is_believed_up_to_the_limit_or_the_context()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Said("12", "60000"));
        Assert.Equal(60_000, (await AskAsync(upstream, Ask() with { MaxTokens = 64_000 })).Answer!.Usage.CompletionTokens);
        Assert.Equal(60_000, (await AskAsync(upstream, Ask())).Answer!.Usage.CompletionTokens);
        Assert.Equal(16_384, (await AskAsync(upstream, Ask() with { ContextLength = 8_192, MaxTokens = 64_000 })).Answer!.Usage.CompletionTokens);
    }

    [Fact]
    public void Pictures_and_long_texts_are_believed()
    {
        ChatRequest picture = Ask().With(static conversation => conversation with { Messages = [new ChatMessage { Role = ChatRole.User, Content = [new MediaPart(MediaKind.Image, "https://example.com/a.png")] }] });
        Assert.True(UsageBound.OfPrompt(picture, null) >= UsageBound.PerPicture);

        // A token for each byte, as with a vocabulary that does not know a script.
        string text = new('智', 100_000);
        Assert.True(UsageBound.OfPrompt(Ask(text), null) >= 300_000);
        Assert.Equal(UsageBound.UnknownContext * 2, UsageBound.OfPrompt(Ask(new string('a', 3_000_000)), null));
    }

    [Theory]
    [InlineData("9", 9)]
    [InlineData("2147483648", 4228)]
    [InlineData("9223372036854775808", 4228)]
    public async Task Embeddings_are_charged_within_their_bounds(string told, int charged)
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Json(200, """{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[1]}],"usage":{"prompt_tokens":TOLD}}""".Replace("TOLD", told, StringComparison.Ordinal));
        BackendDefinition definition = Define(upstream.Address) with { Models = [new BackendModel { Code = "embedding-3", Kind = BackendModelKind.Embedding }] };
        await using RelayEmbeddingBackend backend = RelayBackends.CreateEmbeddings(definition, TimeProvider.System, log)[0];
        Assert.Equal(charged, (await backend.EmbedAsync(["a", "b"], null, default)).Tokens);
        Assert.Equal(charged > 9, log.Lines.Exists(static line => line is { Id: 6114, Level: LogLevel.Warning }));
    }

    private static string Said(string prompt, string completion) => Chunks("stop", """{"content":"ok"}""")
        .Replace("\"prompt_tokens\":12", $"\"prompt_tokens\":{prompt}", StringComparison.Ordinal)
        .Replace("\"completion_tokens\":7", $"\"completion_tokens\":{completion}", StringComparison.Ordinal);
}
