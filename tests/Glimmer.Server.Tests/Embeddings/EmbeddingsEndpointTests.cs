using System.Buffers.Binary;
using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Embeddings;

public sealed class EmbeddingsEndpointTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync()
    {
        _harness = await ServerHarness.StartAsync();
        _harness.Slot.FillEmbeddings([new Lengths()]);
    }

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("/v1/embeddings")]
    [InlineData("/api/paas/v4/embeddings")]
    public async Task Vectors_come_as_numbers_or_as_base64(string path)
    {
        JsonElement numbers = await _harness.ChatAsync("""{"model":"Embedding-3","input":["ab","abc"],"user_id":"user-1"}""", path);
        Assert.Equal(
            """{"object":"list","model":"embedding-3","data":[{"object":"embedding","index":0,"embedding":[2,0.5]},{"object":"embedding","index":1,"embedding":[3,0.5]}],"usage":{"prompt_tokens":5,"completion_tokens":0,"total_tokens":5}}""",
            numbers.GetRawText());
        JsonElement packed = await _harness.ChatAsync("""{"model":"embedding-3","input":"abcd","encoding_format":"base64","dimensions":1}""", path);
        byte[] bytes = packed.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64();
        Assert.Equal(4f, BinaryPrimitives.ReadSingleLittleEndian(bytes));
        Assert.Equal(4, bytes.Length);
    }

    [Fact]
    public async Task Ollama_s_clients_get_them_too()
    {
        JsonElement several = await _harness.ChatAsync("""{"model":"embedding-3:latest","input":["ab","abc"],"truncate":true,"keep_alive":"5m"}""", "/api/embed");
        Assert.Equal(("embedding-3", "[[2,0.5],[3,0.5]]", 5), (several.GetProperty("model").GetString(), several.GetProperty("embeddings").GetRawText(), several.GetProperty("prompt_eval_count").GetInt32()));
        JsonElement one = await _harness.ChatAsync("""{"model":"embedding-3","input":"abcd","dimensions":1}""", "/api/embed");
        Assert.Equal("[[4]]", one.GetProperty("embeddings").GetRawText());
        JsonElement older = await _harness.ChatAsync("""{"model":"embedding-3","prompt":"abc"}""", "/api/embeddings");
        Assert.Equal("""{"embedding":[3,0.5]}""", older.GetRawText());
        foreach ((string path, string body, int status) in new[]
        {
            ("/api/embed", """{"model":"embedding-3"}""", 400), ("/api/embed", """{"model":"embedding-3","input":[]}""", 400), ("/api/embed", """{"model":"nope","input":"x"}""", 404), ("/api/embeddings", """{"model":"embedding-3"}""", 400),
        })
        {
            using HttpResponseMessage refused = await _harness.PostAsync(body, path);
            Assert.Equal((body, status), (body, (int)refused.StatusCode));
            Assert.Equal(JsonValueKind.String, JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.GetProperty("error").ValueKind);
        }
    }

    [Fact]
    public async Task Google_s_clients_get_them_too()
    {
        JsonElement one = await _harness.ChatAsync("""{"content":{"parts":[{"text":"ab"},{"text":"cd"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":1}""", "/v1beta/models/gemini-embedding-001:embedContent");
        Assert.Equal("""{"embedding":{"values":[4]},"usageMetadata":{"promptTokenCount":4,"promptTokenDetails":[{"modality":"TEXT","tokenCount":4}]}}""", one.GetRawText());
        JsonElement several = await _harness.ChatAsync(
            """{"requests":[{"model":"models/embedding-3","content":{"parts":[{"text":"ab"}]}},{"model":"models/embedding-3","content":{"parts":[{"text":"abc"}]}}]}""", "/v1beta/models/embedding-3:batchEmbedContents");
        Assert.Equal("""[{"values":[2,0.5]},{"values":[3,0.5]}]""", several.GetProperty("embeddings").GetRawText());
        using HttpResponseMessage refused = await _harness.PostAsync("""{"content":{"parts":[{"text":"ab"}]},"outputDimensionality":3}""", "/v1beta/models/embedding-3:embedContent");
        Assert.Equal((400, "INVALID_ARGUMENT"), ((int)refused.StatusCode, JsonDocument.Parse(await refused.Content.ReadAsStringAsync()).RootElement.GetProperty("error").GetProperty("status").GetString()));
        JsonElement described = JsonDocument.Parse(await _harness.Client.GetStringAsync("/v1beta/models/gemini-embedding-001")).RootElement;
        Assert.Equal(("models/embedding-3", """["embedContent"]"""), (described.GetProperty("name").GetString(), described.GetProperty("supportedGenerationMethods").GetRawText()));
    }

    [Theory]
    [InlineData("""{"model":"embedding-3","input":[]}""", 400, "1214")]
    [InlineData("""{"model":"embedding-3","input":""}""", 400, "1214")]
    [InlineData("""{"model":"embedding-3","input":[1,2]}""", 400, "1214")]
    [InlineData("""{"model":"embedding-3"}""", 400, "1213")]
    [InlineData("""{"model":"embedding-3","input":"x","dimensions":3}""", 400, "1214")]
    [InlineData("""{"model":"embedding-3","input":"fault"}""", 500, "1234")]
    [InlineData("""{"model":"embedding-2","input":"x"}""", 400, "1221")]
    [InlineData("""{"model":"glm-4.7","input":"x"}""", 400, "1212")]
    [InlineData("""{"model":"nope","input":"x"}""", 400, "1211")]
    public async Task What_cannot_be_is_told(string body, int status, string code)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, "/api/paas/v4/embeddings");
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("error");
        Assert.Equal((status, code), ((int)response.StatusCode, error.GetProperty("code").GetString()));
        Assert.DoesNotContain("canary", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/api/paas/v4/embeddings", 64, 200)]
    [InlineData("/api/paas/v4/embeddings", 65, 400)]
    [InlineData("/v1/embeddings", 2048, 200)]
    [InlineData("/v1/embeddings", 2049, 400)]
    public async Task A_request_holds_as_many_texts_as_its_dialect_has_it(string path, int texts, int status)
    {
        using HttpResponseMessage response = await _harness.PostAsync($$"""{"model":"embedding-3","input":[{{string.Join(',', Enumerable.Repeat("\"x\"", texts))}}]}""", path);
        Assert.Equal(status, (int)response.StatusCode);
        if (status == 400)
            Assert.Contains("input", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private sealed class Lengths : IEmbeddingBackend
    {
        public string Name => "lengths";

        public string Model => "embedding-3";

        public int Dimensions => 2;

        public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
        {
            if (texts[0] == "fault")
                throw new InvalidOperationException("canary");
            return Task.FromResult(dimensions > 2
                ? new EmbeddingOutcome(null, 0, PlatformError.Invalid("dimensions", "it is 3", "Ask for 1 or 2"))
                : new EmbeddingOutcome([.. texts.Select(text => new[] { text.Length, 0.5f }[..(dimensions ?? 2)])], texts.Sum(text => text.Length), null));
        }
    }
}
