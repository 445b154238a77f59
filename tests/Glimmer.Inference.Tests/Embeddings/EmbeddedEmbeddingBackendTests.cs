using Glimmer.Engine.Packages;
using Glimmer.Inference.Embeddings;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Embeddings;

public sealed class EmbeddedEmbeddingBackendTests
{
    private static EmbeddedEmbeddingBackend Open(Pooling pooling = Pooling.Mean, int threads = 2, int maxTokens = 1200) =>
        new(ModelPackage.Load(Fixtures.BundledModel), "embedding-3", pooling, threads, maxTokens);

    [Theory]
    [InlineData(Pooling.Mean)]
    [InlineData(Pooling.Last)]
    public async Task Vectors_have_length_one_and_depend_on_their_text_alone(Pooling pooling)
    {
        await using EmbeddedEmbeddingBackend one = Open(pooling, threads: 1), three = Open(pooling, threads: 3);
        string[] texts = ["The weather in Paris is fine.", "Fine weather in Paris.", string.Concat(Enumerable.Repeat("lorem ipsum dolor ", 90))];

        EmbeddingOutcome all = await one.EmbedAsync(texts, null, default);
        Assert.Null(all.Error);
        Assert.Equal(one.Dimensions, all.Vectors![0].Length);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(1, all.Vectors[i].Sum(x => (double)x * x), 1e-5);
            EmbeddingOutcome alone = await three.EmbedAsync([texts[i]], null, default);
            Assert.Equal(all.Vectors[i], alone.Vectors![0]); // bit for bit: company and threads change nothing
        }

        Assert.NotEqual(all.Vectors[0], all.Vectors[1]);
        Assert.True(all.Tokens > 520);
        Assert.True(Cosine(all.Vectors[0], all.Vectors[1]) > Cosine(all.Vectors[0], all.Vectors[2]));
    }

    [Fact]
    public async Task Fewer_dimensions_are_the_front_at_length_one()
    {
        await using EmbeddedEmbeddingBackend backend = Open();
        float[] whole = (await backend.EmbedAsync(["hello"], null, default)).Vectors![0], front = (await backend.EmbedAsync(["hello"], 16, default)).Vectors![0];
        double scale = Math.Sqrt(whole.Take(16).Sum(x => (double)x * x));
        Assert.Equal(16, front.Length);
        Assert.All(Enumerable.Range(0, 16), i => Assert.Equal(whole[i] / scale, front[i], 1e-5));
    }

    [Fact]
    public async Task What_cannot_be_is_a_value()
    {
        await using EmbeddedEmbeddingBackend backend = Open(maxTokens: 8);
        PlatformError tooLong = (await backend.EmbedAsync(["a", "one two three four five six seven eight nine ten"], null, default)).Error!;
        PlatformError tooMany = (await backend.EmbedAsync(["a"], backend.Dimensions + 1, default)).Error!;
        Assert.Equal((BusinessCode.PromptTooLong, "input[1]"), (tooLong.Code, tooLong.Field));
        Assert.Equal((BusinessCode.ParameterInvalid, "dimensions"), (tooMany.Code, tooMany.Field));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => backend.EmbedAsync(["a"], null, new CancellationToken(canceled: true)));
    }

    private static double Cosine(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
}
