using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Gemini;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Gemini;

public sealed partial class GeminiEndpointTests : IAsyncLifetime
{
    private const string Model = "/v1beta/models/glm-4.7";
    private const string Thinking = """{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}""";
    private const string Hello = """{"contents":[{"parts":[{"text":"x"}]}]}""";
    private const string Usage = "\"" + """usageMetadata":{"promptTokenCount":107,"candidatesTokenCount":22,"totalTokenCount":141,"cachedContentTokenCount":100,"promptTokensDetails":[{"modality":"TEXT","tokenCount":107}],"thoughtsTokenCount":12}""";
    private const string Tail = "\"" + """modelVersion":"glm-4.7","responseId":"*"}""";

    private static readonly ChatScript Everything = new(
    [
        new(ChatEventKind.Reasoning, "h"), new(ChatEventKind.Reasoning, "m"), new(ChatEventKind.Content, "Look"),
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":", 0), new(ChatEventKind.ToolCallArguments, "1}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
        new(ChatEventKind.ToolCallStart, "list", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ], FinishReason.ToolCalls);

    private static readonly string[] Pieces =
    [
        """{"candidates":[{"content":{"parts":[{"text":"h","thought":true}],"role":"model"},"index":0}],""" + Tail,
        """{"candidates":[{"content":{"parts":[{"text":"m","thought":true}],"role":"model"},"index":0}],""" + Tail,
        """{"candidates":[{"content":{"parts":[{"text":"Look"}],"role":"model"},"index":0}],""" + Tail,
        """{"candidates":[{"content":{"parts":[{"functionCall":{"id":"*","name":"read","args":{"a":1}},"thoughtSignature":"SIGNATURE"}],"role":"model"},"index":0}],""".Replace("SIGNATURE", GeminiThought.Sign("hm"), StringComparison.Ordinal) + Tail,
        """{"candidates":[{"content":{"parts":[{"functionCall":{"id":"*","name":"list","args":{}}}],"role":"model"},"index":0}],""" + Tail,
        """{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],""" + Usage + "," + Tail,
    ];

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task An_answer_is_candidates_of_parts()
    {
        _harness.Backend.Script = _ => Everything;
        using HttpResponseMessage response = await _harness.PostAsync(Thinking, Model + ":generateContent");
        Assert.Equal(
            """{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Look"},{"functionCall":{"id":"*","name":"read","args":{"a":1}},"thoughtSignature":"SIGNATURE"},{"functionCall":{"id":"*","name":"list","args":{}}}],"role":"model"},"finishReason":"STOP","index":0}],""".Replace("SIGNATURE", GeminiThought.Sign("hm"), StringComparison.Ordinal)
            + Usage + "," + Tail,
            Mask(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task A_stream_is_events_with_alt_sse_and_else_one_array()
    {
        _harness.Backend.Script = _ => Everything;
        using HttpResponseMessage events = await _harness.PostAsync(Thinking, Model + ":streamGenerateContent?alt=sse");
        Assert.Equal("text/event-stream", events.Content.Headers.ContentType?.MediaType);
        Assert.Equal(string.Concat(Pieces.Select(piece => $"data: {piece}\n\n")), Mask(await events.Content.ReadAsStringAsync()));
        using HttpResponseMessage array = await _harness.PostAsync(Thinking, Model + ":streamGenerateContent");
        Assert.Equal("application/json", array.Content.Headers.ContentType?.MediaType);
        Assert.Equal($"[{string.Join(",\n", Pieces)}]\n", Mask(await array.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Hidden_thoughts_are_in_the_signature_alone()
    {
        _harness.Backend.Script = _ => new ChatScript([new(ChatEventKind.Reasoning, "hm"), new(ChatEventKind.Content, "Yes")]);
        string signature = GeminiThought.Sign("hm");
        JsonElement whole = await _harness.ChatAsync(Hello, Model + ":generateContent");
        Assert.Equal($$"""[{"text":"Yes","thoughtSignature":"{{signature}}"}]""", whole.GetProperty("candidates")[0].GetProperty("content").GetProperty("parts").GetRawText());
        using HttpResponseMessage stream = await _harness.PostAsync(Hello, Model + ":streamGenerateContent");
        JsonElement[] pieces = [.. JsonDocument.Parse(await stream.Content.ReadAsStringAsync()).RootElement.EnumerateArray()];
        Assert.Equal(
            ["""[{"text":"Yes"}]""", $$"""[{"text":"","thoughtSignature":"{{signature}}"}]"""],
            pieces.Select(piece => piece.GetProperty("candidates")[0].GetProperty("content").GetProperty("parts").GetRawText()));
    }

    [Fact]
    public async Task Several_candidates_have_their_numbers()
    {
        JsonElement whole = await _harness.ChatAsync("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"candidateCount":2}}""", Model + ":generateContent");
        Assert.Equal([0, 1], whole.GetProperty("candidates").EnumerateArray().Select(candidate => candidate.GetProperty("index").GetInt32()));
        using HttpResponseMessage stream = await _harness.PostAsync("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"candidateCount":2}}""", Model + ":streamGenerateContent");
        JsonElement[] candidates = [.. JsonDocument.Parse(await stream.Content.ReadAsStringAsync()).RootElement.EnumerateArray().SelectMany(piece => piece.GetProperty("candidates").EnumerateArray())];
        foreach (int index in new[] { 0, 1 })
        {
            JsonElement[] own = [.. candidates.Where(candidate => candidate.GetProperty("index").GetInt32() == index)];
            Assert.Equal("Hello", string.Concat(own.SelectMany(candidate => candidate.GetProperty("content").GetProperty("parts").EnumerateArray()).Select(part => part.GetProperty("text").GetString())));
            Assert.Equal("STOP", own[^1].GetProperty("finishReason").GetString());
        }
    }

    [Fact]
    public async Task Probabilities_are_told_when_asked_for()
    {
        _harness.Backend.Script = _ => new ChatScript([new(ChatEventKind.Content, "Hi") { Tokens = [new SaidToken("Hi"u8.ToArray(), -0.5f, [new TokenChance("Hi"u8.ToArray(), -0.5f), new TokenChance("x"u8.ToArray(), float.NegativeInfinity)])] }]);
        JsonElement whole = await _harness.ChatAsync("""{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseLogprobs":true,"logprobs":2}}""", Model + ":generateContent");
        JsonElement candidate = whole.GetProperty("candidates")[0];
        Assert.Equal(-0.5, candidate.GetProperty("avgLogprobs").GetDouble());
        Assert.Equal(
            """{"topCandidates":[{"candidates":[{"token":"Hi","logProbability":-0.5},{"token":"x","logProbability":-9999}]}],"chosenCandidates":[{"token":"Hi","logProbability":-0.5}]}""",
            candidate.GetProperty("logprobsResult").GetRawText());
        Assert.Equal(2, _harness.Backend.LastRequest!.TopLogProbs);
    }

    [Theory]
    [InlineData("/v1beta")]
    [InlineData("/v1alpha")]
    [InlineData("/v1")]
    [InlineData("")]
    public async Task Every_version_answers(string version)
    {
        _harness.Backend.Count = _ => 42;
        Assert.True((await _harness.ChatAsync(Hello, version + "/models/glm-4.7:generateContent")).TryGetProperty("candidates", out _));
        JsonElement counted = await _harness.ChatAsync("""{"generateContentRequest":{"contents":[{"parts":[{"text":"x"}]}]}}""", version + "/models/glm-4.7:countTokens");
        Assert.Equal("""{"totalTokens":42,"promptTokensDetails":[{"modality":"TEXT","tokenCount":42}]}""", counted.GetRawText());
    }

    [Theory]
    [InlineData("gemini-2.5-pro", "glm-4.7")]
    [InlineData("gemini-3-flash-preview", "glm-4.5-air")]
    [InlineData("GLM-4.7", "glm-4.7")]
    public async Task Names_stand_for_codes(string name, string code)
    {
        Assert.Equal(code, (await _harness.ChatAsync(Hello, $"/v1beta/models/{name}:generateContent")).GetProperty("modelVersion").GetString());
        Assert.Equal("models/" + code, JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1beta/models/" + name)).RootElement.GetProperty("name").GetString());
    }

    [Fact]
    public async Task Keys_come_in_three_ways_and_are_never_logged()
    {
        using var stranger = new HttpClient { BaseAddress = _harness.Client.BaseAddress };
        foreach ((string path, string? header, HttpStatusCode expected) in new[]
        {
            ("/v1beta/models", null, HttpStatusCode.Unauthorized), ("/v1beta/models", "x-goog-api-key", HttpStatusCode.OK), ("/v1beta/models", "x-api-key", HttpStatusCode.OK),
            ("/v1beta/models?key=" + _harness.Key, null, HttpStatusCode.OK), ("/v1beta/models?key=wrong.key", null, HttpStatusCode.Unauthorized),

            // Another dialect's paths do not take a key there.
            ("/v1/models?key=" + _harness.Key, null, HttpStatusCode.Unauthorized), ("/api/tags", "x-goog-api-key", HttpStatusCode.Unauthorized),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (header is not null)
                request.Headers.TryAddWithoutValidation(header, _harness.Key);
            using HttpResponseMessage response = await stranger.SendAsync(request);
            Assert.Equal((path, header, expected), (path, header, response.StatusCode));
        }

        string secret = _harness.Key.Split('.')[1];
        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Id is 1001 or 1002 && line.Text.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Models_come_in_pages_and_beside_those_of_the_other_vendors()
    {
        List<string> paged = [];
        string token = "";
        do
        {
            JsonElement page = JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1beta/models?pageSize=5&pageToken=" + token)).RootElement;
            paged.AddRange(page.GetProperty("models").EnumerateArray().Select(model => model.GetProperty("name").GetString()!));
            token = page.TryGetProperty("nextPageToken", out JsonElement next) ? next.GetString()! : "";
        }
        while (token.Length > 0);

        using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models?pageSize=1000");
        request.Headers.TryAddWithoutValidation("x-goog-api-key", _harness.Key);
        using HttpResponseMessage all = await _harness.Client.SendAsync(request);
        JsonElement[] models = [.. JsonDocument.Parse(await all.Content.ReadAsStringAsync()).RootElement.GetProperty("models").EnumerateArray()];
        Assert.Equal(models.Select(model => model.GetProperty("name").GetString()), paged);
        JsonElement known = models.Single(model => model.GetProperty("name").GetString() == "models/glm-4.7");
        Assert.True(known.GetProperty("thinking").GetBoolean() && known.GetProperty("inputTokenLimit").GetInt32() > 100_000);
        Assert.Equal("list", JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1/models")).RootElement.GetProperty("object").GetString());
        foreach (string wrong in new[] { "pageSize=x", "pageToken=nope" })
            Assert.Equal("INVALID_ARGUMENT", (await ErrorAsync(await _harness.Client.GetAsync("/v1beta/models?" + wrong), 400)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Errors_are_Google_s()
    {
        Assert.Equal("NOT_FOUND", (await ErrorAsync(await _harness.PostAsync(Hello, "/v1beta/models/llama3:generateContent"), 404)).GetProperty("status").GetString());
        Assert.Equal("NOT_FOUND", (await ErrorAsync(await _harness.PostAsync(Hello, Model + ":predict"), 404)).GetProperty("status").GetString());
        Assert.Equal("NOT_FOUND", (await ErrorAsync(await _harness.PostAsync(Hello, "/v1beta/cachedContents"), 404)).GetProperty("status").GetString());
        JsonElement image = await ErrorAsync(await _harness.PostAsync("""{"contents":[{"parts":[{"text":"x"},{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]}]}""", Model + ":generateContent"), 400);
        Assert.Contains("contents[0].parts[1].inlineData", image.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal("INVALID_ARGUMENT", (await ErrorAsync(await _harness.PostAsync("[]", Model + ":generateContent"), 400)).GetProperty("status").GetString());
        _harness.Backend.Script = _ => ChatScript.Of() with { Error = PlatformError.Of(BusinessCode.FrequencyExceeded) with { RetryAfter = TimeSpan.FromSeconds(7) } };
        JsonElement busy = await ErrorAsync(await _harness.PostAsync(Hello, Model + ":streamGenerateContent?alt=sse"), 429);
        Assert.Equal("RESOURCE_EXHAUSTED", busy.GetProperty("status").GetString());
        Assert.Contains(busy.GetProperty("details").EnumerateArray(), detail => detail.TryGetProperty("retryDelay", out JsonElement delay) && delay.GetString() == "7s");
    }

    [Fact]
    public async Task A_request_that_is_too_large_is_refused()
    {
        await using ServerHarness small = await ServerHarness.StartAsync(options => options with { MaxBodyBytes = 2000 });
        Assert.Equal("INVALID_ARGUMENT", (await ErrorAsync(await small.PostAsync(Hello.Replace("x", new string('x', 3000), StringComparison.Ordinal), Model + ":generateContent"), 413)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_client_that_leaves_ends_the_generation()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a") with { HangAtEnd = true };
        foreach (string alt in new[] { "sse", "json" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"{Model}:streamGenerateContent?alt={alt}") { Content = new StringContent(Hello, Encoding.UTF8, "application/json") };
            using (HttpResponseMessage response = await _harness.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
            {
                await using Stream stream = await response.Content.ReadAsStreamAsync();
                Assert.True(await stream.ReadAsync(new byte[10]) > 0);
            }

            await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0);
        }
    }

    [Fact]
    public async Task Mutated_bodies_are_answered_and_never_a_500()
    {
        string[] seeds = [Thinking, """{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{}}}]}],"tools":[{"functionDeclarations":[{"name":"f","parameters":{"type":"OBJECT"}}]}],"generationConfig":{"topK":3,"candidateCount":2,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"}}}"""];
        string[] values = ["null", "0", "-1", "1e999", "\"\"", "\"\\ud800\"", "[]", "{}", "[{}]", "[null]", "true", "\"\\u0000\"", "12345678901234567890"];
        string[] methods = ["generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse", "countTokens", "embedContent", "batchEmbedContents"];
        var random = new Random(6);
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 400;
        for (int i = 0; i < count; i++)
        {
            string body = seeds[random.Next(seeds.Length)];
            for (int change = random.Next(0, 4); change > 0; change--)
            {
                int colon = body.IndexOf(':', random.Next(body.Length));
                if (colon > 0)
                    body = string.Concat(body.AsSpan(0, colon + 1), values[random.Next(values.Length)], body.AsSpan(body.IndexOfAny([',', '}', ']'], colon)));
            }

            using HttpResponseMessage response = await _harness.PostAsync(body, $"{Model}:{methods[random.Next(methods.Length)]}");
            Assert.InRange((int)response.StatusCode, 200, 499);
            if (!response.IsSuccessStatusCode)
                await ErrorAsync(response, (int)response.StatusCode);
        }

        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    private static async Task<JsonElement> ErrorAsync(HttpResponseMessage response, int status)
    {
        using (response)
        {
            string text = await response.Content.ReadAsStringAsync();
            Assert.True((int)response.StatusCode == status, $"{(int)response.StatusCode} {text}");
            JsonElement error = JsonDocument.Parse(text).RootElement.GetProperty("error");
            Assert.Equal((int)response.StatusCode, error.GetProperty("code").GetInt32());
            return error;
        }
    }

    private static string Mask(string text) => Ids().Replace(text, "\"${n}\":\"*\"");

    [GeneratedRegex("\"(?<n>id|responseId)\":\"[^\"]*\"", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Ids();
}
