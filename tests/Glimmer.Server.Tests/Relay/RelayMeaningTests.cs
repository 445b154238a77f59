using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Engine.Packages;
using Glimmer.Inference;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Script;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Answers;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Server.Tests.Relay;

/// <summary>One Glimmer behind another: a conversation means the same through a relay of every kind as it does without one, streamed and whole, in every dialect.</summary>
public sealed class RelayMeaningTests(RelayMeaningTests.TwoServers servers) : IClassFixture<RelayMeaningTests.TwoServers>
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { last: call }
            reply:
              thinking: First I read the file.
              text: Reading {"now"}.
              tool_calls:
                - name: read
                  arguments: { path: "src/A b.cs" }
                - name: list
                  arguments: {}
          - when: { last: cut }
            reply: { text: "one two three four five six seven eight nine ten", cut_after: 5 }
          - when: { last: long }
            reply: { thinking: hm, text: "one two three ", repeat: 40 }
          - when: { last: busy }
            reply: { error: { code: 1305 } }
          - when: { last: odd }
            reply: { error: { code: 1214, message: "it is odd" } }
        fallback: "Good morning, 世界 🌍!"
        """;

    private static readonly ModelPackage Package = ModelPackage.Load(Fixtures.BundledModel);
    private readonly Dictionary<string, IRemoteBackend> _relays = servers.Relays;
    private readonly ServerHarness _front = servers.Front;
    private readonly ServerHarness _far = servers.Far;

    public static TheoryData<string, string, string> Everything()
    {
        TheoryData<string, string, string> all = [];
        foreach (string kind in new[] { "zai", "openai", "anthropic" })
        {
            foreach (string dialect in DialectVoice.All.Keys)
            {
                foreach (string answer in DialectMeaningTests.Answers.Keys)
                    all.Add(kind, dialect, answer);
            }
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public async Task An_answer_means_the_same_through_a_relay(string kind, string dialect, string answer)
    {
        (ChatScript script, Heard expected) = DialectMeaningTests.Answers[answer];
        DialectVoice voice = DialectVoice.All[dialect];
        Use(_relays[kind]);
        Answer(script);

        (Heard whole, Heard streamed) = await HearAsync(voice, voice.Ask("x", thinking: true, 100, "END"));
        Assert.Equal((expected, expected), (whole, streamed));
        Assert.Equal((100, true), (_far.Backend.LastRequest!.MaxTokens, _far.Backend.LastRequest.Conversation.Options.EnableThinking));
        Assert.Equal(dialect == "responses" ? [] : ["END"], _far.Backend.LastRequest.Stop);
    }

    [Theory]
    [InlineData("zai")]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task A_request_means_the_same_through_a_relay(string kind)
    {
        Answer(ChatScript.Of("Hello"));

        // A new one, which remembers no signatures of other tests' answers.
        await using IRemoteBackend relay = RelayBackends.Create(_relays[kind].Definition, TimeProvider.System, NullLoggerFactory.Instance);
        foreach (DialectVoice voice in DialectVoice.All.Values)
        {
            Use(_front.Backend);
            await HearAsync(voice, voice.Continue());
            ChatRequest direct = _front.Backend.LastRequest!;
            Use(relay);
            await HearAsync(voice, voice.Continue());
            ChatRequest relayed = _far.Backend.LastRequest!;

            Assert.Equal(direct.Conversation.Messages.Select(Line), relayed.Conversation.Messages.Select(Line));
            Assert.Equal(direct.Conversation.Tools.Select(tool => JsonNode.Parse(tool.Json.GetRawText())!.ToJsonString()), relayed.Conversation.Tools.Select(tool => JsonNode.Parse(tool.Json.GetRawText())!.ToJsonString()));
            Assert.Equal(kind == "zai" ? "hm" : null, relayed.Conversation.Messages[2].ReasoningContent);
            if (kind == "zai")
                Assert.Equal(direct.Conversation.Options, relayed.Conversation.Options);
            if (kind != "anthropic")
                Assert.Equal(direct.Sampling, relayed.Sampling);
        }

        static string Line(ChatMessage message) =>
            $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}:{string.Join(',', message.ToolCalls.Select(call => $"{call.Name}{JsonNode.Parse(call.Arguments)!.ToJsonString()}"))}";
    }

    /// <summary>A script behind the far server is played through its own renderer, tokenizer and automaton.</summary>
    [Theory]
    [InlineData("zai")]
    [InlineData("openai")]
    [InlineData("anthropic")]
    public async Task A_scripted_conversation_means_the_same_through_a_relay(string kind)
    {
        ScriptChatBackend script = new(ScenarioReader.Read(new StringReader(Scenario), "relay.yaml"), Package.Tokenizer, TimeProvider.System);
        _far.Slot.Fill([script], script);
        foreach (string question in new[] { "Hi", "call", "long", "cut", "busy", "odd" })
        {
            foreach ((string dialect, DialectVoice voice) in DialectVoice.All)
            {
                JsonObject body = voice.Ask(question, thinking: true, 60);
                if (question == "call" && voice.Continue()["tools"] is { } tools)
                    body["tools"] = tools.DeepClone();
                Use(script);
                Outcome direct = await AskAsync(voice, body);
                Use(_relays[kind]);
                Outcome relayed = await AskAsync(voice, body);

                // In OpenAI's form a stream that fails ends without its usage, and the prompt is estimated.
                if (kind == "openai" && question == "cut")
                    (direct, relayed) = (direct.WithoutPrompt(), relayed.WithoutPrompt());
                Assert.True(direct == relayed, $"{question} in {dialect}: {direct} became {relayed}");
            }
        }
    }

    [Theory]
    [InlineData("zai")]
    [InlineData("openai")]
    public async Task Probabilities_and_several_answers_come_through_a_relay(string kind)
    {
        SaidToken[] tokens = [new(new byte[] { 0xC3 }, -0.5f, [new TokenChance(new byte[] { 0x61 }, -1.25f)]), new(new byte[] { 0xA4 }, -2f, [])];
        Answer(new ChatScript([new ChatEvent(ChatEventKind.Content, "ä") { Tokens = tokens }]));
        _front.Backend.Script = _far.Backend.Script;
        const string Body = """{"model":"glm-4.7","messages":[{"role":"user","content":"x"}],"logprobs":true,"top_logprobs":1,"n":2,"seed":7,"temperature":0.25}""";
        Use(_front.Backend);
        JsonElement direct = await _front.ChatAsync(Body, "/v1/chat/completions");
        Use(_relays[kind]);
        JsonElement relayed = await _front.ChatAsync(Body, "/v1/chat/completions");
        Assert.Equal(direct.GetProperty("choices").GetRawText(), relayed.GetProperty("choices").GetRawText());
        Assert.Equal(direct.GetProperty("usage").GetRawText(), relayed.GetProperty("usage").GetRawText());
        Assert.Equal((_front.Backend.LastRequest!.TopLogProbs, _front.Backend.LastRequest.Sampling), (_far.Backend.LastRequest!.TopLogProbs, _far.Backend.LastRequest.Sampling));
    }

    [Theory]
    [InlineData("zai", 11)]
    [InlineData("anthropic", 11)]
    public async Task Prompts_are_counted_by_the_far_server(string kind, int count)
    {
        Answer(ChatScript.Of("Hello"));
        _far.Backend.Count = _ => count;
        Use(_relays[kind]);
        JsonElement counted = await _front.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""", "/api/anthropic/v1/messages/count_tokens");
        Assert.Equal(count, counted.GetProperty("input_tokens").GetInt32());
    }

    [Fact]
    public async Task A_far_server_that_refuses_the_key_is_not_the_clients_fault()
    {
        foreach (string kind in _relays.Keys)
        {
            await using IRemoteBackend relay = RelayBackends.Create(_relays[kind].Definition with { ApiKey = "0123456789abcdef.wrong" }, TimeProvider.System, NullLoggerFactory.Instance);
            Use(relay);
            using HttpResponseMessage response = await _front.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""");
            Assert.Equal(500, (int)response.StatusCode);
            Assert.Contains("\"1234\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            BackendProbe probe = await relay.ProbeAsync(default);
            Assert.False(probe.Alive);
            Assert.StartsWith("It refuses the key (401)", probe.Detail, StringComparison.Ordinal);
            Assert.True((await _relays[kind].ProbeAsync(default)).Alive);
        }
    }

    private void Answer(ChatScript script)
    {
        _far.Slot.Fill([_far.Backend], _far.Backend);
        _far.Backend.Script = _ => script;
    }

    private void Use(IChatBackend backend) => _front.Slot.Fill([backend], backend);

    private async Task<(Heard Whole, Heard Streamed)> HearAsync(DialectVoice voice, JsonObject body)
    {
        JsonElement whole = await _front.ChatAsync(voice, body);
        using HttpResponseMessage response = await _front.PostAsync(voice, body, stream: true);
        string stream = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, stream);
        return (voice.ReadWhole(whole), voice.ReadStream(stream));
    }

    private async Task<Outcome> AskAsync(DialectVoice voice, JsonObject body)
    {
        using HttpResponseMessage whole = await _front.PostAsync(voice, body, stream: false);
        string text = await whole.Content.ReadAsStringAsync();
        using HttpResponseMessage streamed = await _front.PostAsync(voice, body, stream: true);
        string stream = await streamed.Content.ReadAsStringAsync();
        return new Outcome(
            (int)whole.StatusCode,
            whole.IsSuccessStatusCode ? voice.ReadWhole(JsonDocument.Parse(text).RootElement) : null,
            (int)streamed.StatusCode,
            streamed.IsSuccessStatusCode ? voice.ReadStream(stream) : null);
    }

    /// <summary>A server, and another one behind it.</summary>
    public sealed class TwoServers : IAsyncLifetime
    {
        internal Dictionary<string, IRemoteBackend> Relays { get; } = [];

        internal ServerHarness Front { get; private set; } = null!;

        internal ServerHarness Far { get; private set; } = null!;

        public async ValueTask InitializeAsync()
        {
            Front = await ServerHarness.StartAsync();
            Far = await ServerHarness.StartAsync();
            foreach ((string kind, BackendKind form, string path) in new[] { ("zai", BackendKind.Zai, "/api/paas/v4"), ("openai", BackendKind.OpenAI, "/v1"), ("anthropic", BackendKind.Anthropic, "/api/anthropic") })
            {
                Relays[kind] = RelayBackends.Create(
                    new BackendDefinition { Name = kind, Kind = form, Url = new Uri(Far.Server.Addresses[0], path), ApiKey = Far.Key, Models = [new BackendModel { Code = "glm-4.7" }] },
                    TimeProvider.System,
                    NullLoggerFactory.Instance);
            }
        }

        public async ValueTask DisposeAsync()
        {
            foreach (IRemoteBackend relay in Relays.Values)
                await relay.DisposeAsync();
            await Front.DisposeAsync();
            await Far.DisposeAsync();
        }
    }

    private sealed record Outcome(int WholeStatus, Heard? Whole, int StreamStatus, Heard? Streamed)
    {
        public Outcome WithoutPrompt() => this with { Streamed = Streamed! with { Prompt = 0 } };
    }
}
