using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Ollama;

public sealed partial class OllamaEndpointTests : IAsyncLifetime
{
    private const string Hello = """{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""";

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_chat_streams_lines_unless_told_otherwise()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.Reasoning, "hm"), new(ChatEventKind.Content, "Hel"), new(ChatEventKind.Content, "lo"),
            new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":1}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
        ], FinishReason.ToolCalls);
        using HttpResponseMessage response = await _harness.PostAsync(Hello, "/api/chat");
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(
            """
            {"model":"glm-4.7","created_at":"*","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
            {"model":"glm-4.7","created_at":"*","message":{"role":"assistant","content":"Hel"},"done":false}
            {"model":"glm-4.7","created_at":"*","message":{"role":"assistant","content":"lo"},"done":false}
            {"model":"glm-4.7","created_at":"*","message":{"role":"assistant","content":"","tool_calls":[{"id":"*","function":{"index":0,"name":"read","arguments":{"a":1}}}]},"done":false}
            {"model":"glm-4.7","created_at":"*","message":{"role":"assistant","content":""},"done_reason":"stop","done":true,"total_duration":*,"load_duration":0,"prompt_eval_count":107,"prompt_eval_duration":*,"eval_count":34,"eval_duration":*}

            """.ReplaceLineEndings("\n"), Mask(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task A_prompt_is_answered_as_a_response()
    {
        _harness.Backend.Script = _ => new ChatScript([new(ChatEventKind.Reasoning, "hm"), new(ChatEventKind.Content, "Hello")]);
        JsonElement whole = await _harness.ChatAsync("""{"model":"glm-4.7:latest","prompt":"Hi","system":"Be brief","stream":false}""", "/api/generate");
        Assert.Equal(("glm-4.7:latest", "Hello", "hm", "stop", true), (
            whole.GetProperty("model").GetString(), whole.GetProperty("response").GetString(), whole.GetProperty("thinking").GetString(),
            whole.GetProperty("done_reason").GetString(), whole.GetProperty("done").GetBoolean()));
        Assert.Equal(
            ["System:Be brief", "User:Hi"],
            _harness.Backend.LastRequest!.Conversation.Messages.Select(message => $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}"));
        using HttpResponseMessage stream = await _harness.PostAsync("""{"model":"glm-4.7","prompt":"Hi","think":false}""", "/api/generate");
        Assert.StartsWith("""{"model":"glm-4.7","created_at":"*","response":"Hello","done":false}""", Mask(await stream.Content.ReadAsStringAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_reach_the_model()
    {
        await _harness.ChatAsync("""
            {"model":"glm-4.7","stream":false,"think":"high","keep_alive":"5m","format":"json","options":{"temperature":1.5,"top_p":0.5,"top_k":20,"min_p":0.1,"num_predict":9,"seed":7,"stop":"END","repeat_penalty":1.1,"presence_penalty":0.5,"frequency_penalty":-0.5,"num_ctx":4096,"mirostat":0},
             "messages":[{"role":"user","content":"x"},{"role":"assistant","content":"The"}]}
            """, "/api/chat");
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal(
            (1.5f, 0.5f, 20, 0.1f, 1.1f, 0.5f, -0.5f, 7ul),
            (request.Sampling.Temperature, request.Sampling.TopP, request.Sampling.TopK, request.Sampling.MinP, request.Sampling.RepetitionPenalty, request.Sampling.PresencePenalty, request.Sampling.FrequencyPenalty, request.Sampling.Seed!.Value));
        Assert.Equal((9, AnswerFormat.JsonObject), (request.MaxTokens, request.Format));
        Assert.Equal(["END"], request.Stop);
        Assert.True(request.Conversation.Options.EnableThinking);
        Assert.True(request.Conversation.Options.ContinueFinalMessage);
    }

    [Fact]
    public async Task A_schema_is_a_format_and_a_negative_limit_is_none()
    {
        await _harness.ChatAsync("""{"model":"glm-4.7","stream":false,"prompt":"x","format":{"type":"object"},"options":{"num_predict":-1}}""", "/api/generate");
        Assert.Equal(AnswerFormatKind.JsonSchema, _harness.Backend.LastRequest!.Format.Kind);
        Assert.Equal("""{"type":"object"}""", _harness.Backend.LastRequest.Format.Schema!.Value.GetRawText());
    }

    [Fact]
    public async Task Results_find_their_calls()
    {
        await _harness.ChatAsync("""
            {"model":"glm-4.7","stream":false,"messages":[{"role":"user","content":"x"},
             {"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":{} } },{"function":{"name":"g","arguments":"{}"} },{"function":{"name":"f"} }]},
             {"role":"tool","tool_name":"g","content":"of g"},{"role":"tool","content":"of first f"},{"role":"tool","tool_name":"f","content":"of second f"}]}
            """, "/api/chat");
        IReadOnlyList<ChatMessage> messages = _harness.Backend.LastRequest!.Conversation.Messages;
        string[] ids = [.. messages[1].ToolCalls.Select(call => call.Id)];
        Assert.Equal(3, ids.Distinct().Count());
        Assert.Equal([ids[1], ids[0], ids[2]], messages.Skip(2).Select(message => message.ToolCallId));
    }

    [Fact]
    public async Task Probabilities_are_told_to_who_asks()
    {
        var token = new SaidToken("Hi"u8.ToArray(), -0.5f, [new("Hi"u8.ToArray(), -0.5f)]);
        _harness.Backend.Script = request => new ChatScript([new(ChatEventKind.Content, "Hi") { Tokens = request.TopLogProbs is null ? null : [token] }]);
        const string Chances = """[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.5,"bytes":[72,105]}]}]""";
        JsonElement whole = await _harness.ChatAsync("""{"model":"glm-4.7","prompt":"x","stream":false,"logprobs":true,"top_logprobs":1}""", "/api/generate");
        Assert.Equal(Chances, whole.GetProperty("logprobs").GetRawText());
        Assert.Equal(1, _harness.Backend.LastRequest!.TopLogProbs);
        using HttpResponseMessage streamed = await _harness.PostAsync(Hello[..^1] + ",\"logprobs\":true}", "/api/chat");
        string[] lines = (await streamed.Content.ReadAsStringAsync()).Split('\n');
        Assert.Equal(Chances, JsonDocument.Parse(lines[0]).RootElement.GetProperty("logprobs").GetRawText());
        Assert.Equal(0, _harness.Backend.LastRequest!.TopLogProbs);
        Assert.False((await _harness.ChatAsync(Hello[..^1] + ",\"stream\":false,\"top_logprobs\":1}", "/api/chat")).TryGetProperty("logprobs", out _));
    }

    [Theory]
    [InlineData("HEAD", "")]
    [InlineData("POST", "{\"error\":\"Models are not managed")]
    public async Task Blobs_are_refused_in_the_form_of_this_dialect(string method, string said)
    {
        using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/api/blobs/sha256:00"));
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.StartsWith(said, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/chat", """{"model":"glm-4.7"}""", "message", "load")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[]}""", "message", "load")]
    [InlineData("/api/generate", """{"model":"glm-4.7"}""", "response", "load")]
    [InlineData("/api/generate", """{"model":"glm-4.7","keep_alive":0}""", "response", "unload")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[],"keep_alive":"0s"}""", "message", "unload")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[],"keep_alive":"5m"}""", "message", "load")]
    public async Task Asking_nothing_warms_up_or_lets_go(string path, string body, string member, string reason)
    {
        JsonElement loaded = await _harness.ChatAsync(body, path);
        Assert.Equal((reason, true), (loaded.GetProperty("done_reason").GetString(), loaded.GetProperty("done").GetBoolean()));
        Assert.True(loaded.TryGetProperty(member, out _));
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Theory]
    [InlineData("/api/chat", """{"messages":[{"role":"user","content":"x"}]}""", "model")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"robot","content":"x"}]}""", "messages[0].role")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"user","content":5}]}""", "messages[0].content")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"system","content":"x"}]}""", "messages")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"user","content":"x","images":["AAAA"]}]}""", "messages[0].images")]
    [InlineData("/api/chat", """{"model":"glm-4.7","format":"xml","messages":[{"role":"user","content":"x"}]}""", "format")]
    [InlineData("/api/chat", """{"model":"glm-4.7","think":"much","messages":[{"role":"user","content":"x"}]}""", "think")]
    [InlineData("/api/chat", """{"model":"glm-4.7","keep_alive":{},"messages":[{"role":"user","content":"x"}]}""", "keep_alive")]
    [InlineData("/api/chat", """{"model":"glm-4.7","options":{"temperature":"hot"},"messages":[{"role":"user","content":"x"}]}""", "options.temperature")]
    [InlineData("/api/chat", """{"model":"glm-4.7","options":[],"messages":[{"role":"user","content":"x"}]}""", "options")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":[]}}]}]}""", "arguments")]
    [InlineData("/api/show", """{}""", "name")]
    [InlineData("/api/chat", """[]""", "")]
    [InlineData("/api/embed", """{"model":"glm-4.7","input":"x"}""", "embedding")]
    public async Task What_cannot_be_is_told_in_the_dialect(string path, string body, string field)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains(field, error.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task An_unknown_model_is_not_found()
    {
        using HttpResponseMessage response = await _harness.PostAsync(Hello.Replace("glm-4.7", "llama3:8b", StringComparison.Ordinal), "/api/chat");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    [Fact]
    public async Task Models_are_listed_and_described()
    {
        JsonElement tags = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/tags")).RootElement.GetProperty("models");
        JsonElement running = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/ps")).RootElement.GetProperty("models");
        JsonElement shown = await _harness.ChatAsync("""{"model":"glm-4.7:latest"}""", "/api/show");
        Assert.Contains(tags.EnumerateArray(), model => model.GetProperty("name").GetString() == "glm-4.7:latest" && model.GetProperty("digest").GetString()!.Length == 64);
        Assert.Equal(tags.GetArrayLength(), running.GetArrayLength());
        Assert.Equal(["completion", "tools", "thinking"], shown.GetProperty("capabilities").EnumerateArray().Select(item => item.GetString()));
        Assert.True(shown.GetProperty("model_info").GetProperty("glm.context_length").GetInt32() > 100_000);
    }

    [Theory]
    [InlineData("POST", "/api/pull")]
    [InlineData("POST", "/api/create")]
    [InlineData("DELETE", "/api/delete")]
    public async Task Models_are_not_managed(string method, string path)
    {
        using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent("{\"model\":\"x\"}") });
        Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
        Assert.Contains("glimmer pull", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_key_only_the_version_is_told()
    {
        Assert.Equal(HttpStatusCode.OK, await AskAsync(_harness, "/api/version"));
        Assert.Equal(HttpStatusCode.Unauthorized, await AskAsync(_harness, "/api/tags"));
        using HttpResponseMessage chat = await SendAsync(_harness, new HttpRequestMessage(HttpMethod.Post, "/api/chat") { Content = new StringContent(Hello, Encoding.UTF8, "application/json") });
        Assert.Equal(HttpStatusCode.Unauthorized, chat.StatusCode);
        Assert.True(JsonDocument.Parse(await chat.Content.ReadAsStringAsync()).RootElement.TryGetProperty("error", out _));
    }

    [Fact]
    public async Task A_named_key_counts_for_programs_of_this_machine()
    {
        // The id of a key is known only once a server has made one, so the folder serves twice.
        string folder = Directory.CreateTempSubdirectory("glimmer-ollama-").FullName;
        var slot = new ChatBackendSlot();
        slot.Fill([_harness.Backend], _harness.Backend);
        var options = new GlimmerOptions { Port = 0, DataFolder = folder, StoreDurability = StoreDurability.Off, DrainTime = TimeSpan.Zero };
        string id;
        await using (var first = GlimmerServer.Create(options, slot, new GlimmerServices { Logs = new LogCapture() }))
            id = first.FirstKey!.Value.Credential.Split('.')[0];
        await using (var server = GlimmerServer.Create(options with { OllamaKey = id }, slot, new GlimmerServices { Logs = new LogCapture() }))
        {
            await server.StartAsync();
            using var client = new HttpClient { BaseAddress = server.Addresses[0] };
            foreach ((string header, string value, HttpStatusCode expected) in new[]
            {
                ("Accept", "*/*", HttpStatusCode.OK),
                ("Origin", "http://localhost:3000", HttpStatusCode.OK),
                ("Origin", "https://evil.example", HttpStatusCode.Unauthorized),
                ("Origin", "null", HttpStatusCode.Unauthorized),
                ("Host", "evil.example", HttpStatusCode.Unauthorized),
                ("X-Forwarded-For", "10.0.0.1", HttpStatusCode.Unauthorized),
                ("Authorization", "Bearer wrong.key", HttpStatusCode.Unauthorized),
            })
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, "/api/tags");
                request.Headers.TryAddWithoutValidation(header, value);
                using HttpResponseMessage response = await client.SendAsync(request);
                Assert.Equal((header, value, expected), (header, value, response.StatusCode));
            }

            using HttpResponseMessage other = await client.GetAsync("/v1/models");
            Assert.Equal(HttpStatusCode.Unauthorized, other.StatusCode);
        }

        Directory.Delete(folder, recursive: true);
    }

    private static async Task<HttpStatusCode> AskAsync(ServerHarness harness, string path)
    {
        using HttpResponseMessage response = await SendAsync(harness, new HttpRequestMessage(HttpMethod.Get, path));
        return response.StatusCode;
    }

    private static async Task<HttpResponseMessage> SendAsync(ServerHarness harness, HttpRequestMessage request)
    {
        using var stranger = new HttpClient { BaseAddress = harness.Client.BaseAddress };
        return await stranger.SendAsync(request);
    }

    private static string Mask(string text) =>
        Durations().Replace(Texts().Replace(text, "\"${n}\":\"*\""), "\"${n}\":*");

    [GeneratedRegex("\"(?<n>created_at|id)\":\"[^\"]*\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Texts();

    [GeneratedRegex("\"(?<n>total_duration|prompt_eval_duration|eval_duration)\":[1-9][0-9]*", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Durations();
}
