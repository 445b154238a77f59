using System.Net;
using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Inference.Tests.Remote.Fakes;
using Glimmer.Server.Tests.Admin;
using Glimmer.Server.Tests.Answers;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Server.Tests.Remote;

/// <summary>Engines that take tokens, behind a file of backends, the pool and the whole server. The engines are strict fakes that know the bundled model's answers.</summary>
public sealed class RawServerTests
{
    private static readonly JsonElement _row = EngineQuestions.Row(thinking: false, calls: false);

    public static TheoryData<string, string> Everything()
    {
        TheoryData<string, string> all = [];
        foreach (string kind in new[] { "vllm", "llama-server" })
        {
            foreach (string dialect in DialectVoice.All.Keys)
                all.Add(kind, dialect);
        }

        return all;
    }

    [Theory]
    [MemberData(nameof(Everything))]
    public async Task A_question_is_answered_and_charged_by_its_tokens(string kind, string dialect)
    {
        await using FakeEngine engine = Engine(kind);
        await engine.StartAsync();
        await using RawServer server = await RawServer.StartAsync(Item("live", kind, engine.Url));
        DialectVoice voice = DialectVoice.All[dialect];
        int prompt = _row.GetProperty("prompt_ids").GetArrayLength(), completion = _row.GetProperty("greedy_ids").GetArrayLength();
        Heard whole = voice.ReadWhole(await server.Harness.ChatAsync(voice, EngineQuestions.Ask(voice, _row)));
        using HttpResponseMessage response = await server.Harness.PostAsync(voice, EngineQuestions.Ask(voice, _row), stream: true);
        Heard streamed = voice.ReadStream(await response.Content.ReadAsStringAsync());
        Assert.Equal(new Heard(_row.GetProperty("want").GetProperty("content").GetString()!, "", "", "stop", prompt, completion), whole);
        Assert.Equal(whole, streamed);
        Assert.All(engine.Calls, call => Assert.Equal(_row.GetProperty("prompt_ids").EnumerateArray().Select(id => id.GetInt32()), call.Prompt));
        await AssertLedgerAsync(server.Harness, (prompt, completion), (prompt, completion));
    }

    [Fact]
    public async Task A_raw_text_is_gone_on_with_and_charged()
    {
        await using FakeVllm engine = new() { Script = static call => Enumerable.Repeat(call.Prompt[0], int.MaxValue) };
        await engine.StartAsync();
        await using RawServer server = await RawServer.StartAsync(Item("live", "vllm", engine.Url));
        string letter = FakeEngine.Tokenizer.Decode([65]);
        JsonElement answer = await server.Harness.ChatAsync("""{"model":"glimmer-tiny","prompt":[65,66],"max_tokens":3,"temperature":0}""", "/v1/completions");
        Assert.Equal((letter + letter + letter, "length"), (answer.GetProperty("choices")[0].GetProperty("text").GetString(), answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString()));
        List<JsonElement> chunks = await server.Harness.StreamAsync("""{"model":"glimmer-tiny","prompt":[65,66],"max_tokens":5,"temperature":0,"stream":true}""", "/v1/completions");
        Assert.Equal(string.Concat(Enumerable.Repeat(letter, 5)), string.Concat(chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray()).Select(choice => choice.GetProperty("text").GetString())));
        Assert.All(engine.Calls, static call => Assert.Equal([65, 66], call.Prompt));
        await AssertLedgerAsync(server.Harness, (2, 3), (2, 5));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_answers_for_a_dead_one_and_only_its_tokens_are_charged(bool stream)
    {
        await using FakeVllm dead = new(), live = new();
        await dead.StartAsync();
        await live.StartAsync();

        // The weight of the live one puts it last, so that the dead one is asked.
        await using RawServer server = await RawServer.StartAsync($"{Item("dead", "vllm", dead.Url)}\n{Item("live", "vllm", live.Url, weight: 0)}", static options => options with { ShowBackend = true });
        await dead.DisposeAsync();
        DialectVoice voice = DialectVoice.All["openai"];
        using HttpResponseMessage response = await server.Harness.PostAsync(voice, EngineQuestions.Ask(voice, _row), stream);
        string body = await response.Content.ReadAsStringAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("live", Assert.Single(response.Headers.GetValues("X-Glimmer-Backend")));
        Heard heard = stream ? voice.ReadStream(body) : voice.ReadWhole(JsonDocument.Parse(body).RootElement);
        Assert.Equal(_row.GetProperty("want").GetProperty("content").GetString(), heard.Content);
        Assert.Single(live.Calls);
        Assert.Contains("glimmer_backend_failures_total{backend=\"dead\"} 1\n", await server.Harness.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        await AssertLedgerAsync(server.Harness, (heard.Prompt, heard.Completion));
    }

    [Fact]
    public async Task Vocabularies_are_those_of_the_model_that_is_asked_for()
    {
        await using FakeLlamaServer engine = new();
        await engine.StartAsync();
        await using IRemoteBackend backend = RawBackends.Create(
            new BackendDefinition
            {
                Name = "two",
                Kind = BackendKind.LlamaServer,
                Url = engine.Url,
                Models = [new() { Code = "one", Tokenizer = Fixtures.BundledModel, Generation = "glm-4.7" }, new() { Code = "two", Tokenizer = Fixtures.BundledModel, Generation = "glm-4-0414" }],
            },
            TimeProvider.System,
            NullLoggerFactory.Instance);
        Assert.True((await backend.ProbeAsync(CancellationToken.None)).Alive);
        await using ServerHarness server = await ServerHarness.StartAsync(fill: false);
        server.Slot.Fill([backend], null);
        List<string> prompts = [];
        foreach (string code in new[] { "one", "two" })
            prompts.Add((await server.ChatAsync($$"""{"model":"{{code}}","messages":[{"role":"user","content":"hi"}]}""", "/apply-template")).GetProperty("prompt").GetString()!);
        Assert.NotEqual(prompts[0], prompts[1]);
    }

    private static FakeEngine Engine(string kind) => kind == "vllm" ? new FakeVllm() : new FakeLlamaServer();

    private static string Item(string name, string kind, Uri url, int weight = 100) =>
        $"- {{name: {name}, kind: {kind}, url: '{url}', weight: {weight}, models: [{{code: {EngineQuestions.Model}, tokenizer: '{Fixtures.BundledModel}'}}]}}";

    private static async Task AssertLedgerAsync(ServerHarness harness, params (int Prompt, int Completion)[] expected)
    {
        JsonElement page = await new AdminServer(harness).OkAsync("GET", "/accounts/default/requests?limit=10");
        Assert.Equal(
            expected.Select(static one => ((long)one.Prompt, (long)one.Completion)).Order(),
            page.GetProperty("data").EnumerateArray().Select(static line => (Units(line, "input_tokens"), Units(line, "output_tokens"))).Order());
    }

    private static long Units(JsonElement line, string name) => line.GetProperty("units").TryGetProperty(name, out JsonElement units) ? units.GetInt64() : 0;
}
