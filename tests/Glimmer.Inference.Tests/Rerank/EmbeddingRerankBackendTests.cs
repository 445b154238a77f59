using Glimmer.Engine.Packages;
using Glimmer.Inference.Embeddings;
using Glimmer.Inference.Rerank;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Rerank;

public sealed class EmbeddingRerankBackendTests
{
    private static readonly string[] Documents = ["Berlin lies at the Spree.", "Tokens are counted.", "How many tokens are there?"];

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.Last)]
    public async Task Scores_are_the_cosines_of_the_vectors(Pooling pooling)
    {
        await using EmbeddedEmbeddingBackend embeddings = Open(pooling);
        var rerank = new EmbeddingRerankBackend(embeddings);
        EmbeddingOutcome vectors = await embeddings.EmbedAsync(["How are tokens counted?", .. Documents], null, default);
        RerankOutcome outcome = await rerank.ScoreAsync("How are tokens counted?", Documents, default);
        Assert.Equal(vectors.Tokens, outcome.Tokens);
        for (int i = 0; i < Documents.Length; i++)
        {
            Assert.Equal(vectors.Vectors![0].Zip(vectors.Vectors[i + 1], static (a, b) => (double)a * b).Sum(), outcome.RawScores![i], 1e-6);
            Assert.Equal(Math.Max(0, outcome.RawScores[i]), outcome.Scores![i]);

            // Company changes nothing, bit for bit.
            Assert.Equal(outcome.RawScores[i], (await rerank.ScoreAsync("How are tokens counted?", [Documents[i]], default)).RawScores![0]);
        }

        Assert.Equal(1, (await rerank.ScoreAsync("same", ["same"], default)).Scores![0], 1e-9);
    }

    [Fact]
    public async Task Vectors_that_point_away_score_nothing_and_keep_their_order()
    {
        var rerank = new EmbeddingRerankBackend(new Fixed([1, 0], [-0.6f, 0.8f], [0, 1], [-1, 0], [0.6f, -0.8f]));
        RerankOutcome outcome = await rerank.ScoreAsync("q", ["a", "b", "c", "d"], default);
        Assert.Equal([0, 0, 0, 0.6], outcome.Scores!.Select(static score => Math.Round(score, 6)));
        Assert.Equal([-0.6, 0, -1, 0.6], outcome.RawScores!.Select(static score => Math.Round(score, 6)));
    }

    [Theory]
    [InlineData("one two three four five six seven eight nine ten", "a", "query")]
    [InlineData("a", "one two three four five six seven eight nine ten", "documents[1]")]
    public async Task A_text_that_is_too_long_is_named_as_the_caller_knows_it(string query, string document, string field)
    {
        await using EmbeddedEmbeddingBackend embeddings = Open(Pooling.Mean, maxTokens: 8);
        PlatformError error = (await new EmbeddingRerankBackend(embeddings).ScoreAsync(query, ["b", document], default)).Error!;
        Assert.Equal((BusinessCode.PromptTooLong, field), (error.Code, error.Field));
        Assert.Contains(field, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("input", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_documents_are_asked_for_in_parts_and_keep_their_places()
    {
        await using EmbeddedEmbeddingBackend embeddings = Open(Pooling.Mean, maxTokens: 8);
        var rerank = new EmbeddingRerankBackend(embeddings);
        string[] documents = [.. Enumerable.Range(0, 128).Select(static i => $"text {i}")];
        RerankOutcome all = await rerank.ScoreAsync("text 100", documents, default);
        Assert.Equal(100, Enumerable.Range(0, 128).MaxBy(i => all.RawScores![i]));
        Assert.Equal((await rerank.ScoreAsync("text 100", [documents[127]], default)).RawScores![0], all.RawScores![127]);
        documents[90] = "one two three four five six seven eight nine ten";
        Assert.Equal("documents[90]", (await rerank.ScoreAsync("q", documents, default)).Error!.Field);
    }

    private static EmbeddedEmbeddingBackend Open(Pooling pooling, int maxTokens = 1200) => new(ModelPackage.Load(Fixtures.BundledModel), "embedding-3", pooling, 2, maxTokens);

    private sealed class Fixed(params float[][] vectors) : IEmbeddingBackend
    {
        public string Name => "fixed";

        public string Model => "embedding-3";

        public int Dimensions => 2;

        public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel) => Task.FromResult(new EmbeddingOutcome(vectors, 7, null));
    }
}
