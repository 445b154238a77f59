using System.Runtime.CompilerServices;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Script;

public sealed class RecordingTests(BundledBackend bundled) : IClassFixture<BundledBackend>, IDisposable
{
    private const string Start = "# kept\nmodels: [glm-4.7]\n";
    private readonly Tokenizer _tokenizer = bundled.Backend.Package.Tokenizer;
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-recording-test-").FullName;

    private string File => Path.Combine(_folder, "out.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task What_was_recorded_is_said_again_bit_for_bit()
    {
        Random random = new(8);
        List<(ChatRequest Request, LiveStub Live)> asked = [];
        await using (RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail))
        {
            for (int i = 0; i < 60; i++)
            {
                ChatRequest request = ScriptRequests.User($"question {i}") with { MaxTokens = 5 + i };
                LiveStub live = LiveStub.Of(random);
                (List<ChatEvent> events, IChatAnswer? answer, PlatformError? error) = await Drain(new RecordingChatBackend(live, file), request);
                Assert.Equal(live.Events, events, Same);
                Assert.Equal(live.Refused, error);
                asked.Add((request, live));
            }
        }

        string text = System.IO.File.ReadAllText(File);
        Assert.StartsWith("# kept\n", text, StringComparison.Ordinal);
        ScriptChatBackend backend = ScriptRequests.Backend(text, _tokenizer);
        foreach ((ChatRequest request, LiveStub live) in asked)
        {
            ChatRequest elsewhere = request with { Tenant = "other", Origin = new RequestOrigin { RequestId = "x", Dialect = "anthropic", Path = "/", Stream = true, Headers = _ => "secret" } };
            (List<ChatEvent> events, IChatAnswer? answer, PlatformError? error) = await Drain(backend, elsewhere);
            Assert.Equal(live.Refused, error);
            if (answer is null)
                continue;
            Assert.Equal(live.Events, events, Same);
            Assert.Equal((live.Finish, live.Usage, live.StopText, live.Error), (answer.Finish, answer.Usage, answer.StopText, answer.Error));
        }

        Assert.All(backend.Log.Requests, request => Assert.Equal(RequestOutcome.Recording, request.Outcome));
        Assert.DoesNotContain("secret", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Recording_again_adds_only_what_is_unknown_and_keeps_the_rest_as_it_is()
    {
        System.IO.File.WriteAllText(File, "# mine\nrules:\n  - when: { last: rule }   # by hand\n    reply: scripted\n");
        LiveStub live = LiveStub.Of(new Random(1), refuses: false);
        for (int round = 0; round < 3; round++)
        {
            await using RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail);
            ScriptChatBackend backend = new(file.Scenario, new Lazy<ITokenizer>(_tokenizer), new ScriptOptions { Live = new RecordingChatBackend(live, file) });
            await Drain(backend, ScriptRequests.User("rule"));
            await Drain(backend, ScriptRequests.User("first"));
            await Drain(backend, ScriptRequests.User("first"));
            await Drain(backend, ScriptRequests.User($"of round {round}"));
            Assert.Equal(round + 2, file.Count);
        }

        Assert.Equal(4, live.Asked);
        string text = System.IO.File.ReadAllText(File);
        Assert.StartsWith("# mine\nrules:\n  - when: { last: rule }   # by hand\n", text, StringComparison.Ordinal);
        Assert.Equal(4, ScenarioReader.ReadFile(File).Recordings.Count);
        Assert.Equal([File], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task An_answer_that_its_client_cut_off_is_not_kept()
    {
        await using RecordingFile file = RecordingFile.Open(File, Start, Assert.Fail);
        RecordingChatBackend backend = new(LiveStub.Of(new Random(1), refuses: false), file);
        ChatStart start = await backend.StartAsync(ScriptRequests.User("x"), default);
        using CancellationTokenSource cancel = new();
        await cancel.CancelAsync();
        await foreach (ChatEvent _ in start.Answer!.ReadAsync(cancel.Token))
        {
            // Nothing of it counts.
        }

        Assert.Equal(0, file.Count);
    }

    [Fact]
    public void A_file_that_nothing_can_be_added_to_is_refused_before_anything_is_asked()
    {
        System.IO.File.WriteAllText(File, $"recordings: [{{ fingerprint: {new string('a', 64)} }}]\nmodels: [x]\n");

        ScenarioException fault = Assert.Throws<ScenarioException>(() => RecordingFile.Open(File, Start, Assert.Fail));

        Assert.Contains("its last key", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Fingerprints_differ_in_what_changes_the_answer_and_in_nothing_else()
    {
        ChatRequest request = Called("call_1");
        string known = RequestFingerprint.Of(request);

        Assert.Equal(known, RequestFingerprint.Of(Called("call_other")));
        Assert.Equal(known, RequestFingerprint.Of(request with { Tenant = "t", Model = "GLM-4.7", Origin = new RequestOrigin { RequestId = "r", Dialect = "native", Path = "/" } }));
        string[] others =
        [
            .. new[]
            {
                request with { Model = "glm-5" }, request with { MaxTokens = 1 }, request with { MaxTokens = 2 }, request with { ThinkingBudget = 1 }, request with { TopLogProbs = 1 }, request with { Stop = ["a"] },
                request with { Stop = ["a", "b"] }, request with { ToolChoice = ToolChoice.None }, request with { ParallelToolCalls = false }, request with { Format = AnswerFormat.JsonObject },
                request with { Format = new AnswerFormat(AnswerFormatKind.JsonSchema, JsonDocument.Parse("{}").RootElement) }, request with { Sampling = new SamplingOptions { Temperature = 0.5f } },
                request with { Sampling = new SamplingOptions { Seed = 1 } }, request with { Sampling = new SamplingOptions { LogitBias = new Dictionary<int, float> { [1] = 2 } } }, request.WithTools("t"), request.Thinking(false),
                ScriptRequests.User("a"), ScriptRequests.User("b"), ScriptRequests.Request(ChatMessage.OfText(ChatRole.System, "a")),
            }.Select(RequestFingerprint.Of),
        ];
        Assert.Equal(others.Length + 1, others.Append(known).Distinct().Count());

        static ChatRequest Called(string id) => ScriptRequests.Request(
            ChatMessage.OfText(ChatRole.User, "q"), new ChatMessage { Role = ChatRole.Assistant, ToolCalls = [new ToolCall(id, "f", "{}")] }, ChatMessage.OfText(ChatRole.Tool, "r") with { ToolCallId = id });
    }

    private static async Task<(List<ChatEvent> Events, IChatAnswer? Answer, PlatformError? Error)> Drain(IChatBackend backend, ChatRequest request)
    {
        ChatStart start = await backend.StartAsync(request, default);
        List<ChatEvent> events = [];
        if (start.Answer is { } answer)
        {
            await foreach (ChatEvent said in answer.ReadAsync(default))
                events.Add(said);
        }

        return (events, start.Answer, start.Error);
    }

    private static bool Same(ChatEvent one, ChatEvent other) =>
        one with { Tokens = null } == other with { Tokens = null }
        && (one.Tokens ?? []).Select(Text).SequenceEqual((other.Tokens ?? []).Select(Text));

    private static string Text(SaidToken token) =>
        $"{Convert.ToHexString(token.Bytes.Span)} {token.LogProb:R} {string.Join(',', token.Top.Select(top => $"{Convert.ToHexString(top.Bytes.Span)} {top.LogProb:R}"))}";

    /// <summary>A live backend that says something by chance.</summary>
    private sealed class LiveStub : IChatBackend, IChatAnswer
    {
        private const string Signs = "ab \"\\'{}[]:,#&*!|>%@`-?\n\t\r\u0000\u0007\u0085\u00a0\u2028\ufeff\ufffeé世";

        public List<ChatEvent> Events { get; private init; } = [];

        public PlatformError? Refused { get; private init; }

        public int Asked { get; private set; }

        public string Name => "live";

        public IReadOnlyList<string> Models => ["glm-4.7"];

        public bool IsReady => true;

        public FinishReason Finish { get; private set; }

        public ChatUsage Usage { get; private init; }

        public string? StopText { get; private init; }

        public PlatformError? Error { get; private init; }

        public static LiveStub Of(Random random, bool refuses = true)
        {
            ChatEventKind[] kinds = Enum.GetValues<ChatEventKind>();
            FinishReason[] ends = [FinishReason.Stop, FinishReason.Length, FinishReason.ToolCalls, FinishReason.ContextWindow, FinishReason.Sensitive, FinishReason.BackendFault];
            bool refused = refuses && random.Next(5) == 0;
            return new LiveStub
            {
                Refused = refused ? new PlatformError(BusinessCode.Overloaded, Words(random), "messages[0]") { Chinese = "忙", Status = 503, RetryAfter = TimeSpan.FromSeconds(1.5) } : null,
                Events = refused ? [] : [.. Enumerable.Range(0, random.Next(0, 12)).Select(_ => Event(kinds[random.Next(kinds.Length)]))],
                Finish = ends[random.Next(ends.Length)],
                Usage = new ChatUsage(random.Next(100), random.Next(100), random.Next(100), random.Next(100)),
                StopText = random.Next(2) == 0 ? Words(random) : null,
                Error = random.Next(3) == 0 ? new PlatformError(BusinessCode.Network, Words(random)) : null,
            };

            ChatEvent Event(ChatEventKind kind) => new(kind, Words(random), random.Next(2) == 0 ? -1 : random.Next(4))
            {
                Tokens = random.Next(3) > 0 ? null : [new SaidToken(new byte[] { 0xE4, 0xB8 }, -0.1f * random.Next(100), [new TokenChance("x"u8.ToArray(), float.MinValue), new TokenChance(new byte[] { 0 }, -1e-7f)])],
            };
        }

        public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
        {
            Asked++;
            return ValueTask.FromResult(Refused is null ? new ChatStart(this, null) : new ChatStart(null, Refused) { Fault = StartFault.Busy });
        }

        public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) => ValueTask.FromResult(1);

        public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
        {
            await Task.Yield();
            foreach (ChatEvent said in Events)
                yield return said;
            if (cancel.IsCancellationRequested)
                Finish = FinishReason.Cancelled;
        }

        private static string Words(Random random) =>
            string.Concat(Enumerable.Range(0, random.Next(0, 20)).Select(_ => random.Next(12) == 0 ? "🌍" : Signs[random.Next(Signs.Length)].ToString()));
    }
}
