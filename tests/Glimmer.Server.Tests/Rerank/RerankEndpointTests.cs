using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Rerank;

public sealed class RerankEndpointTests : IAsyncLifetime
{
    private const string Native = "/api/paas/v4/rerank";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync()
    {
        _harness = await ServerHarness.StartAsync();
        _harness.Slot.FillRerankers([new Scorer()]);
    }

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task The_best_come_first_and_of_equal_ones_the_earlier()
    {
        JsonElement answer = await _harness.ChatAsync("""{"model":"Rerank","query":"q","documents":["a","ccc","bb","ddd"],"request_id":"request-1","user_id":"user-1"}""", Native);
        Assert.Equal(["created", "id", "request_id", "results", "usage"], answer.EnumerateObject().Select(member => member.Name));
        Assert.Equal(JsonValueKind.Number, answer.GetProperty("created").ValueKind);
        Assert.Equal("request-1", answer.GetProperty("request_id").GetString());
        Assert.Equal("""[{"index":1,"relevance_score":0.3},{"index":3,"relevance_score":0.3},{"index":2,"relevance_score":0.2},{"index":0,"relevance_score":0.1}]""", answer.GetProperty("results").GetRawText());
        Assert.Equal("""{"prompt_tokens":10,"total_tokens":10}""", answer.GetProperty("usage").GetRawText());
    }

    [Theory]
    [InlineData("""{"model":"rerank","query":"q","documents":["a","ccc"],"top_n":1,"return_documents":true}""", """[{"index":1,"relevance_score":0.3,"document":"ccc"}]""")]
    [InlineData("""{"model":"rerank","query":"q","documents":["a","ccc"],"top_n":0,"return_raw_scores":true}""", """[{"index":1,"relevance_score":3},{"index":0,"relevance_score":1}]""")]
    [InlineData("""{"model":"rerank","query":"q","documents":["a"],"top_n":128,"return_documents":null}""", """[{"index":0,"relevance_score":0.1}]""")]
    public async Task Options_are_honoured(string body, string results)
    {
        JsonElement answer = await _harness.ChatAsync(body, Native);
        Assert.Equal(results, answer.GetProperty("results").GetRawText());
        Assert.Equal(answer.GetProperty("id").GetString(), answer.GetProperty("request_id").GetString());
    }

    [Theory]
    [InlineData("/v1/rerank", """{"model":"rerank","query":"q","documents":["a","ccc"],"return_documents":true,"top_n":1}""", """[{"index":1,"relevance_score":0.3,"document":{"text":"ccc"}}]""")]
    [InlineData("/v2/rerank", """{"query":"q","documents":[{"text":"a"},{"text":"ccc"}],"max_tokens_per_doc":4096}""", """[{"index":1,"relevance_score":0.3},{"index":0,"relevance_score":0.1}]""")]
    [InlineData("/reranking", """{"query":"q","texts":["a","ccc"],"raw_scores":true}""", """[{"index":1,"relevance_score":3},{"index":0,"relevance_score":1}]""")]
    public async Task The_form_that_others_share_is_spoken_too(string path, string body, string results)
    {
        JsonElement answer = await _harness.ChatAsync(body, path);
        Assert.Equal(results, answer.GetProperty("results").GetRawText());
        Assert.Equal(("list", "rerank"), (answer.GetProperty("object").GetString(), answer.GetProperty("model").GetString()));
        Assert.True(answer.GetProperty("usage").GetProperty("total_tokens").GetInt32() > 0);
    }

    [Theory]
    [InlineData("""{"query":"q","documents":["x"]}""", 400, "1213")]
    [InlineData("""{"model":"rerank","documents":["x"]}""", 400, "1213")]
    [InlineData("""{"model":"rerank","query":"q"}""", 400, "1213")]
    [InlineData("""{"model":"rerank","query":"q","documents":[]}""", 400, "1214")]
    [InlineData("""{"model":"rerank","query":"q","documents":"x"}""", 400, "1214")]
    [InlineData("""{"model":"rerank","query":"q","documents":["x",""]}""", 400, "1214")]
    [InlineData("""{"model":"rerank","query":"q","documents":[{"text":"x"}]}""", 400, "1214")]
    [InlineData("""{"model":"rerank","query":"q","documents":["x"],"top_n":-1}""", 400, "1214")]
    [InlineData("""{"model":"rerank","query":"fault","documents":["x"]}""", 500, "1234")]
    [InlineData("""{"model":"rerank","query":"long","documents":["x"]}""", 400, "1261")]
    [InlineData("""{"model":"rerank-pro","query":"q","documents":["x"]}""", 400, "1221")]
    [InlineData("""{"model":"glm-4.7","query":"q","documents":["x"]}""", 400, "1212")]
    [InlineData("""{"model":"nope","query":"q","documents":["x"]}""", 400, "1211")]
    public async Task What_cannot_be_is_told(string body, int status, string code)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, Native);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error");
        Assert.Equal((status, code), ((int)response.StatusCode, error.GetProperty("code").GetString()));
        Assert.DoesNotContain("canary", error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bounds_are_those_of_the_platform()
    {
        string Body(int documents, int length) => JsonSerializer.Serialize(new { model = "rerank", query = new string('q', length), documents = Enumerable.Repeat(new string('d', length), documents) });
        await _harness.ChatAsync(Body(128, 4096), Native);
        foreach (string body in new[] { Body(129, 1), Body(1, 4097) })
        {
            using HttpResponseMessage response = await _harness.PostAsync(body, Native);
            Assert.Equal(400, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task A_request_id_counts_once_and_the_ledger_knows_the_call()
    {
        const string Body = """{"model":"rerank","query":"q","documents":["abc"],"request_id":"only-once"}""";
        await _harness.ChatAsync(Body, Native);
        using HttpResponseMessage again = await _harness.PostAsync(Body, Native);
        Assert.Contains("\"1231\"", await again.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);

        // What failed gives its id back.
        const string Failing = """{"model":"rerank","query":"fault","documents":["abc"],"request_id":"may-come-again"}""";
        (await _harness.PostAsync(Failing, Native)).Dispose();
        using HttpResponseMessage retried = await _harness.PostAsync(Failing, Native);
        Assert.Equal(500, (int)retried.StatusCode);
    }

    [Fact]
    public async Task Without_a_scorer_the_embedding_model_scores_and_without_both_nobody_does()
    {
        _harness.Slot.FillRerankers([]);
        using (HttpResponseMessage response = await _harness.PostAsync("""{"model":"rerank","query":"q","documents":["x"]}""", Native))
            Assert.Contains("\"1221\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        _harness.Slot.FillEmbeddings([new Lengths()]);
        JsonElement answer = await _harness.ChatAsync("""{"model":"rerank","query":"ab","documents":["aaaaa","cd"],"return_raw_scores":true}""", Native);
        Assert.Equal([1, 0], answer.GetProperty("results").EnumerateArray().Select(result => result.GetProperty("index").GetInt32()));
        Assert.Equal(1, answer.GetProperty("results")[0].GetProperty("relevance_score").GetDouble(), 1e-6);
    }

    private sealed class Scorer : IRerankBackend
    {
        public string Name => "scorer";

        public string Model => "rerank";

        public Task<RerankOutcome> ScoreAsync(string query, IReadOnlyList<string> documents, CancellationToken cancel) => query switch
        {
            "fault" => throw new InvalidOperationException("canary"),
            "long" => Task.FromResult(new RerankOutcome(null, null, 0, PlatformError.Of(BusinessCode.PromptTooLong) with { Field = "query" })),
            _ => Task.FromResult(new RerankOutcome([.. documents.Select(document => document.Length / 10.0)], [.. documents.Select(document => (double)document.Length)], query.Length + documents.Sum(document => document.Length), null)),
        };
    }

    private sealed class Lengths : IEmbeddingBackend
    {
        public string Name => "lengths";

        public string Model => "embedding-3";

        public int Dimensions => 2;

        public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel) =>
            Task.FromResult(new EmbeddingOutcome([.. texts.Select(text => new[] { text.Length, 1f })], texts.Sum(text => text.Length), null));
    }
}
