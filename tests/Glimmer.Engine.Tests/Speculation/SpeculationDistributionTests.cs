using Glimmer.Engine.Packages;
using Glimmer.Engine.Tests.Fakes;
using Glimmer.Testing;

namespace Glimmer.Engine.Tests.Speculation;

/// <summary>
/// Guesses leave the distribution of sampled answers alone: Pearson's chi-square over many seeds against the exact
/// probabilities, with and without guesses. Seeds are fixed, so a pass stays a pass; the bound is the quantile at which a
/// right sampler would fail once in ten thousand.
/// </summary>
public sealed class SpeculationDistributionTests
{
    private const int Vocabulary = 6;
    private const int Answers = 6000;

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Sampled_answers_follow_the_exact_distribution(int guesses)
    {
        // A chain whose next token depends on the last one: repetitive enough that n-gram guesses come often and are right sometimes.
        using FakeModel model = new(Vocabulary) { Bend = static (seen, logits) => Chain(seen[^1], logits) };
        using InferenceEngine engine = new(model, Rig.Options with { SpeculativeTokens = guesses, PrefixCache = false, MaxBatch = 4, Pages = 32 });
        int[] prompt = [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2];
        int[] counts = new int[Vocabulary * Vocabulary * Vocabulary];
        for (int start = 0; start < Answers; start += 200)
        {
            List<RecordingSink> sinks = [];
            for (int i = 0; i < 200; i++)
            {
                RecordingSink sink = new();
                GenerationRequest request = Rig.Request(prompt, 5, sink, new SamplingOptions { Seed = (ulong)(start + i) * 7919 + 13 }) with { StopTokens = new HashSet<int>() };
                Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request, default, out _));
                sinks.Add(sink);
            }

            foreach (RecordingSink sink in sinks)
            {
                await sink.Ended.Soon();
                // The second to fourth token: chosen in passes with guesses, some of them behind right ones.
                counts[(sink.Tokens[1] * Vocabulary + sink.Tokens[2]) * Vocabulary + sink.Tokens[3]]++;
            }
        }

        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal(guesses > 0, statistics.AcceptedTokens > 0);
        Assert.True(statistics.AcceptedTokens < statistics.DraftedTokens || guesses == 0);
        (double chiSquare, int freedom) = ChiSquare(counts, Expected(prompt[^1]));
        Assert.True(chiSquare < Quantile(freedom), $"chi-square {chiSquare:0.0} of {freedom} degrees of freedom, bound {Quantile(freedom):0.0}");
    }

    [Fact]
    public void The_test_would_notice_a_wrong_distribution()
    {
        double[] expected = Expected(2), wrong = Expected(2);
        // As if a guess were taken without asking in one case of twenty.
        int guess = (0 * Vocabulary + 1) * Vocabulary + 2;
        for (int i = 0; i < wrong.Length; i++)
            wrong[i] = wrong[i] * 0.95 + (i == guess ? 0.05 : 0);
        Random random = new(1);
        int[] counts = new int[wrong.Length];
        for (int i = 0; i < Answers; i++)
        {
            double draw = random.NextDouble();
            int outcome = 0;
            while (outcome < wrong.Length - 1 && (draw -= wrong[outcome]) > 0)
                outcome++;
            counts[outcome]++;
        }

        (double chiSquare, int freedom) = ChiSquare(counts, expected);
        Assert.True(chiSquare > Quantile(freedom));
    }

    [Fact]
    public async Task Every_answer_is_the_same_with_and_without_guesses_whatever_runs_beside_it()
    {
        using ModelPackage package = ModelPackage.Load(Fixtures.BundledModel);
        Random random = new(9);
        List<GenerationRequest> requests = [];
        for (int i = 0; i < 24; i++)
        {
            List<int> prompt = [];
            package.Tokenizer.Encode(string.Concat(Enumerable.Repeat(i % 2 == 0 ? $"Item {i}: red, blue, green.\n" : $"问题{i}：一二三四。", 1 + i % 4)), false, prompt);
            SamplingOptions sampling = (i % 3) switch
            {
                0 => Rig.Greedy,
                1 => new() { Temperature = 0.7f, TopP = 0.9f, Seed = (ulong)i },
                _ => new() { Temperature = 1.1f, TopK = 20, FrequencyPenalty = 0.2f, Seed = (ulong)i },
            };
            requests.Add(Rig.Request(prompt, 24 + random.Next(16), new RecordingSink(), sampling) with { StopTokens = package.StopTokens, Tenant = $"{i % 3}" });
        }

        List<IReadOnlyList<int>> plain = [];
        foreach ((int guesses, int batch) in ((int, int)[])[(0, 1), (3, 1), (3, 8), (7, 5)])
        {
            using InferenceEngine engine = new(package.Model, new EngineOptions { KvBytes = 16 << 20, Threads = 1, MaxBatch = batch, SpeculativeTokens = guesses }, package.Tokenizer);
            List<RecordingSink> sinks = [];
            foreach (GenerationRequest request in requests)
            {
                RecordingSink sink = new();
                Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request with { Sink = sink }, default, out _));
                sinks.Add(sink);
            }

            for (int i = 0; i < sinks.Count; i++)
            {
                await sinks[i].Ended.Soon();
                if (guesses == 0)
                    plain.Add(sinks[i].Tokens);
                else
                    Assert.Equal(plain[i], sinks[i].Tokens);
            }

            Assert.Equal(guesses > 0, engine.GetStatistics().AcceptedTokens > 0);
        }
    }

    /// <summary>Logits of what follows a token.</summary>
    private static void Chain(int last, float[] logits)
    {
        for (int i = 0; i < Vocabulary; i++)
            logits[i] = i == (last + 1) % 4 ? 1.5f : 0.3f * ((last * 5 + i * 3) % 4);
    }

    /// <summary>Probabilities of the second, third and fourth token behind a text that ends in <paramref name="last"/>.</summary>
    private static double[] Expected(int last)
    {
        double[][] chain = [.. Enumerable.Range(0, Vocabulary).Select(from =>
        {
            float[] logits = new float[Vocabulary];
            Chain(from, logits);
            double[] weights = [.. logits.Select(logit => Math.Exp(logit))];
            return weights.Select(weight => weight / weights.Sum()).ToArray();
        })];
        double[] expected = new double[Vocabulary * Vocabulary * Vocabulary];
        for (int first = 0; first < Vocabulary; first++)
        {
            for (int outcome = 0; outcome < expected.Length; outcome++)
            {
                int a = outcome / (Vocabulary * Vocabulary), b = outcome / Vocabulary % Vocabulary, c = outcome % Vocabulary;
                expected[outcome] += chain[last][first] * chain[first][a] * chain[a][b] * chain[b][c];
            }
        }

        return expected;
    }

    private static (double ChiSquare, int Freedom) ChiSquare(int[] counts, double[] expected)
    {
        double sum = 0;
        int cells = 0, total = counts.Sum(), pooledCount = 0;
        double pooled = 0;
        for (int i = 0; i < counts.Length; i++)
        {
            double wanted = expected[i] * total;
            // Cells that expect less than five are taken together, as the test's approximation demands.
            if (wanted < 5)
            {
                pooled += wanted;
                pooledCount += counts[i];
                continue;
            }

            sum += (counts[i] - wanted) * (counts[i] - wanted) / wanted;
            cells++;
        }

        if (pooled > 0)
        {
            sum += (pooledCount - pooled) * (pooledCount - pooled) / pooled;
            cells++;
        }

        return (sum, cells - 1);
    }

    /// <summary>The chi-square quantile at 0.9999, by Wilson and Hilferty's approximation.</summary>
    private static double Quantile(int freedom)
    {
        const double Normal = 3.719016;
        double term = 2.0 / (9 * freedom);
        return freedom * Math.Pow(1 - term + Normal * Math.Sqrt(term), 3);
    }
}
