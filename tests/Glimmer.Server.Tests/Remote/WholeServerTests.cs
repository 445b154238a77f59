using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Server.Tests.Answers;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Remote;

/// <summary>
/// A real llama-server behind the whole platform and the engine of this process, with the same file: the same greedy text, calls, ends and counts in every
/// dialect, whole and streamed.
/// </summary>
public sealed class WholeServerTests(TinyServers servers) : IClassFixture<TinyServers>
{
    public static TheoryData<string> Dialects() => [.. DialectVoice.All.Keys];

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Known_questions_have_the_same_answers(string dialect)
    {
        DialectVoice voice = Voice(dialect);
        HashSet<(bool, bool)> sorts = [];
        foreach (JsonElement row in EngineQuestions.Rows.Take(24))
        {
            Heard heard = await CompareAsync(voice, EngineQuestions.Ask(voice, row));
            sorts.Add((row.GetProperty("thinking").GetBoolean(), heard.Calls.Length > 0));
        }

        // Of all sorts that are known: without reasoning, with it, and with a call after it.
        Assert.Equal(3, sorts.Count);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Thinking_is_switched_alike(string dialect)
    {
        DialectVoice voice = Voice(dialect);
        JsonElement row = EngineQuestions.Row(thinking: true, calls: false);
        Heard on = await CompareAsync(voice, EngineQuestions.Ask(voice, row, thinking: true));
        Heard off = await CompareAsync(voice, EngineQuestions.Ask(voice, row, thinking: false));
        Assert.NotEqual("", on.Reasoning);
        Assert.Equal("", off.Reasoning);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Limits_and_stop_texts_end_alike(string dialect)
    {
        DialectVoice voice = Voice(dialect);
        JsonElement row = EngineQuestions.Row(thinking: false, calls: false);
        string text = (await CompareAsync(voice, EngineQuestions.Ask(voice, row))).Content, stop = text[(text.Length / 2)..];
        Assert.Equal("length", (await CompareAsync(voice, EngineQuestions.Ask(voice, row, limit: 3))).Finish);
        Heard stopped = await CompareAsync(voice, EngineQuestions.Ask(voice, row, stop: stop));

        // Responses know no stop texts.
        Assert.Equal(voice is ResponsesVoice ? text : text[..text.IndexOf(stop, StringComparison.Ordinal)], stopped.Content);
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Demanded_calls_are_the_same(string dialect)
    {
        DialectVoice voice = Voice(dialect);
        foreach (bool thinking in new[] { true, false })
        {
            if (EngineQuestions.Demand(voice, EngineQuestions.Ask(voice, EngineQuestions.Row(thinking: true, calls: true), thinking: thinking)) is not { } body)
                return;
            Heard heard = await CompareAsync(voice, body);
            Assert.Equal("calls", heard.Finish);
        }
    }

    [Theory]
    [MemberData(nameof(Dialects))]
    public async Task Json_of_a_schema_is_the_same(string dialect)
    {
        DialectVoice voice = Voice(dialect);
        foreach (bool thinking in new[] { true, false })
        {
            // Between tokens of JSON the bundled model is at a loss: how many blanks it writes hangs on hundredths of a nat, which a server that batches gives
            // now so and now otherwise. So the values are compared; the choice among these is several nats wide: what it would say anyway, or snowmen.
            JsonElement row = EngineQuestions.Row(thinking, calls: false);
            JsonObject schema = new()
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["said"] = new JsonObject { ["enum"] = new JsonArray("☃☃☃", row.GetProperty("want").GetProperty("content").GetString()) }, ["ok"] = new JsonObject { ["const"] = true } },
                ["required"] = new JsonArray("said", "ok"),
                ["additionalProperties"] = false,
            };
            if (EngineQuestions.Follow(voice, EngineQuestions.Ask(voice, row), schema.ToJsonString()) is not { } body)
                return;
            Heard heard = await CompareAsync(voice, body, static one => one with { Content = JsonNode.Parse(one.Content)!.ToJsonString(), Completion = 0 });
            Assert.Equal(new JsonObject { ["said"] = row.GetProperty("want").GetProperty("content").GetString(), ["ok"] = true }.ToJsonString(), heard.Content);
        }
    }

    [Theory]
    [InlineData(""" "prompt":"The planets are","max_tokens":20 """)]
    [InlineData(""" "prompt":"The planets are","max_tokens":20,"echo":true,"stop":["\n"] """)]
    [InlineData(""" "prompt":["1, 2, 3","The planets are"],"max_tokens":8 """)]
    [InlineData(""" "prompt":[200,201,202],"max_tokens":8,"echo":true """)]
    public async Task Raw_texts_are_gone_on_with_alike(string fields)
    {
        _ = Voice("openai");
        string body = $$"""{"model":"glimmer-tiny","temperature":0,{{fields}}}""";
        List<string> heard = [];
        foreach (ServerHarness server in new[] { servers.Embedded, servers.Remote })
        {
            JsonElement whole = await server.ChatAsync(body, "/v1/completions");
            string[] texts = [.. whole.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("text").GetString()!)];
            string[] ends = [.. whole.GetProperty("choices").EnumerateArray().Select(choice => choice.GetProperty("finish_reason").GetString()!)];
            List<JsonElement> chunks = await server.StreamAsync(body.Replace("{\"model\"", "{\"stream\":true,\"stream_options\":{\"include_usage\":true},\"model\"", StringComparison.Ordinal), "/v1/completions");
            JsonElement[] said = [.. chunks.SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())];
            Assert.Equal(texts, Enumerable.Range(0, texts.Length).Select(index => string.Concat(said.Where(one => one.GetProperty("index").GetInt32() == index).Select(one => one.GetProperty("text").GetString()))));
            heard.Add(JsonSerializer.Serialize(new { texts, ends, whole = Counts(whole), streamed = Counts(chunks[^1]) }));
        }

        Assert.Equal(heard[0], heard[1]);
    }

    [Fact]
    public async Task Vocabularies_are_shown_alike()
    {
        _ = Voice("openai");
        const string Body = """{"model":"glimmer-tiny","content":"Hello ä世🌍 <|user|>"}""";
        Assert.Equal((await servers.Embedded.ChatAsync(Body, "/tokenize")).GetRawText(), (await servers.Remote.ChatAsync(Body, "/tokenize")).GetRawText());
    }

    private static string Counts(JsonElement body) => $"{body.GetProperty("usage").GetProperty("prompt_tokens")} {body.GetProperty("usage").GetProperty("completion_tokens")}";

    private DialectVoice Voice(string dialect)
    {
        Assert.SkipUnless(servers.AreHere, LlamaServer.Missing);
        return DialectVoice.All[dialect];
    }

    private async Task<Heard> CompareAsync(DialectVoice voice, JsonObject body, Func<Heard, Heard>? asCompared = null)
    {
        List<Heard> heard = [];
        foreach (ServerHarness server in new[] { servers.Embedded, servers.Remote })
        {
            heard.Add(voice.ReadWhole(await server.ChatAsync(voice, body)));
            using HttpResponseMessage response = await server.PostAsync(voice, body, stream: true);
            string stream = await response.Content.ReadAsStringAsync();
            heard.Add(voice.ReadStream(stream));
            Assert.True(heard[^1].Finish.Length > 0, stream);
        }

        if (asCompared is not null)
            heard = [.. heard.Select(asCompared)];

        // Embedded whole, embedded streamed, remote whole, remote streamed.
        Assert.All(heard, one => Assert.Equal(heard[0], one));
        return heard[0];
    }
}
