using System.Text.Json;
using Glimmer.Engine.Sampling;
using Glimmer.Testing;

namespace Glimmer.Engine.Tests.Sampling;

public sealed class SamplerTests
{
    private static readonly JsonElement Golden = JsonDocument.Parse(File.ReadAllText(Fixtures.Path("sampling", "sampling.json"))).RootElement;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Distributions_equal_the_reference(int index)
    {
        JsonElement test = Golden.GetProperty("cases")[index], options = test.GetProperty("options");
        SamplingOptions sampling = new()
        {
            RepetitionPenalty = options.GetProperty("repetition_penalty").GetSingle(),
            Temperature = options.GetProperty("temperature").GetSingle(),
            TopK = options.GetProperty("top_k").GetInt32(),
            TopP = options.GetProperty("top_p").GetSingle(),
            MinP = options.GetProperty("min_p").GetSingle(),
        };
        for (int row = 0; row < Golden.GetProperty("logits").GetArrayLength(); row++)
        {
            float[] logits = Row(Golden.GetProperty("logits")[row]);
            float[] expected = Row(test.GetProperty("probabilities")[row]);
            TokenHistory history = new();
            foreach (JsonElement token in Golden.GetProperty("previous")[row].EnumerateArray())
                history.AddPrompt(token.GetInt32());
            Sampler.Adjust(logits, sampling, default, history, default);

            float[] actual = new Sampler().Distribution(logits, sampling);

            for (int i = 0; i < actual.Length; i++)
            {
                Assert.Equal(expected[i] == 0, actual[i] == 0);
                Assert.Equal(expected[i], actual[i], 2e-6f);
            }
        }
    }

    [Fact]
    public void Greedy_takes_the_lower_index_of_a_tie()
    {
        JsonElement rows = Golden.GetProperty("argmax");
        for (int i = 0; i < rows.GetProperty("x").GetArrayLength(); i++)
        {
            float[] logits = Row(rows.GetProperty("x")[i]);
            if (logits.Max() == float.NegativeInfinity)
                Assert.Throws<InvalidOperationException>(() => new Sampler().Choose(logits, Fakes.Rig.Greedy, 0));
            else
                Assert.Equal(rows.GetProperty("index")[i].GetInt32(), new Sampler().Choose(logits, Fakes.Rig.Greedy, 0));
        }
    }

    [Theory]
    [InlineData(1f, 0, 0f)]
    [InlineData(0.9f, 0, 0f)]
    [InlineData(0.9f, 7, 0f)]
    [InlineData(1f, 0, 0.1f)]
    [InlineData(1f, 5, 0f)]
    public void Draws_follow_the_distribution(float topP, int topK, float minP)
    {
        Random random = new(5);
        float[] logits = [.. Enumerable.Range(0, 61).Select(_ => (float)random.NextDouble() * 5)];
        SamplingOptions options = new() { TopP = topP, TopK = topK, MinP = minP };
        float[] expected = new Sampler().Distribution([.. logits], options);
        int[] counts = new int[61];
        const int Draws = 40_000;
        for (ulong i = 0; i < Draws; i++)
            counts[new Sampler().Choose([.. logits], options, Philox.Uniform(11, i))]++;
        for (int token = 0; token < 61; token++)
        {
            // Five standard deviations of a binomial count.
            double mean = expected[token] * Draws;
            Assert.InRange(counts[token], mean - 5 * Math.Sqrt(mean + 1), mean + 5 * Math.Sqrt(mean + 1));
        }
    }

    [Fact]
    public void Penalties_bias_and_mask_change_the_logits_as_documented()
    {
        float[] logits = [1, 2, -3, 4, 5];
        TokenHistory history = new();
        history.AddPrompt(1);
        history.AddGenerated(2);
        history.AddGenerated(2);
        SamplingOptions options = new()
        {
            LogitBias = new Dictionary<int, float> { [0] = 10, [1] = 2 },
            RepetitionPenalty = 2,
            PresencePenalty = 0.5f,
            FrequencyPenalty = 0.25f,
        };

        Sampler.Adjust(logits, options, [.. options.LogitBias], history, [0b01111u]);

        Assert.Equal([11, 2, -7, 4, float.NegativeInfinity], logits);
    }

    [Fact]
    public void Log_probabilities_are_those_of_the_softmax_best_first_and_ties_by_lower_id()
    {
        float[] logits = [1, 3, 3, -2, 0];
        TokenLogProb[] top = new TokenLogProb[3];
        float normaliser = Sampler.LogProbs(logits, top);
        double sum = logits.Sum(logit => Math.Exp(logit));

        Assert.Equal(Math.Log(sum), normaliser, 1e-5);
        Assert.Equal([1, 2, 0], top.Select(entry => entry.Token));
        Assert.Equal(3 - Math.Log(sum), top[0].LogProb, 1e-5);
    }

    [Fact]
    public void Logits_that_are_not_numbers_are_refused()
    {
        Assert.Throws<InvalidOperationException>(() => new Sampler().Choose([1, float.NaN, 2], Fakes.Rig.Greedy, 0));
    }

    [Fact]
    public void Philox_meets_the_published_answers()
    {
        // Known-answer tests of the Random123 distribution, philox4x32 with 10 rounds.
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), Philox.Block(0, 0, 0, 0, 0, 0));
        Assert.Equal(
            (0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu),
            Philox.Block(uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue));
        Assert.Equal(
            (0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            Philox.Block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0));
    }

    private static float[] Row(JsonElement row) =>
        [.. row.EnumerateArray().Select(value => value.ValueKind == JsonValueKind.Null ? float.NegativeInfinity : value.GetSingle())];
}
