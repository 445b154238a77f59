using System.Diagnostics;
using Glimmer.Engine;

namespace Glimmer.Cli.Evaluation;

/// <summary>One test of <c>glimmer bench</c>.</summary>
/// <param name="Name"><c>prefill</c>: prompt tokens are computed; <c>decode</c>: tokens are generated, each stream one at a time.</param>
/// <param name="Tokens">Tokens to compute or, per stream, to generate.</param>
/// <param name="Streams">Conversations at once.</param>
/// <param name="Depth">Tokens that stand in the cache before the clock starts.</param>
internal sealed record BenchTest(string Name, int Tokens, int Streams, int Depth)
{
    /// <summary>Tokens of context that the test needs.</summary>
    public int Context => Depth + Tokens + 2;
}

/// <summary>Tokens per second of a test.</summary>
/// <param name="Name">As in <see cref="BenchTest"/>.</param>
/// <param name="Tokens">As in <see cref="BenchTest"/>.</param>
/// <param name="Streams">As in <see cref="BenchTest"/>.</param>
/// <param name="Depth">As in <see cref="BenchTest"/>.</param>
/// <param name="Median">Of the rounds, all streams together.</param>
/// <param name="Min">The slowest round.</param>
/// <param name="Max">The fastest round.</param>
/// <param name="Rounds">How many.</param>
/// <param name="Samples">Every round, in their order.</param>
internal sealed record BenchReading(string Name, int Tokens, int Streams, int Depth, double Median, double Min, double Max, int Rounds, double[] Samples)
{
    public static BenchReading Of(BenchTest test, IReadOnlyList<double> samples)
    {
        double[] sorted = [.. samples.Order()];
        int half = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        return new BenchReading(test.Name, test.Tokens, test.Streams, test.Depth, Rounded(median), Rounded(sorted[0]), Rounded(sorted[^1]), sorted.Length, [.. samples.Select(Rounded)]);
    }

    private static double Rounded(double rate) => Math.Round(rate, 2);
}

/// <summary>Times an engine without a server: random prompts, greedy choice, no stop tokens.</summary>
internal sealed class EngineBench(InferenceEngine engine)
{
    private const int ManyTokens = 1000; // ids above may be special

    /// <summary>Runs a test once.</summary>
    /// <param name="test">What to measure.</param>
    /// <param name="round">Rounds have different prompts, so that none finds another's in the cache.</param>
    /// <param name="cancel">Ends it early.</param>
    /// <returns>Tokens per second of all streams together.</returns>
    public async Task<double> MeasureAsync(BenchTest test, int round, CancellationToken cancel)
    {
        int[] before = test.Depth == 0 ? [] : Prompt(test.Depth, seed: test.Depth);
        if (before.Length > 0)
            await RunAsync([before], 1, cancel); // found in the cache when it was computed before

        bool prefill = test.Name == "prefill";
        int[][] prompts = [.. Enumerable.Range(0, test.Streams).Select(stream => (int[])[.. before, .. Prompt(prefill ? test.Tokens : 1, ((round * 31) + stream) * 7919 + test.Tokens)])];
        (Clock[] clocks, long start) = await RunAsync(prompts, prefill ? 1 : test.Tokens + 1, cancel);
        long first = clocks.Max(clock => clock.First);
        return prefill
            ? clocks.Sum(clock => clock.Computed) / Stopwatch.GetElapsedTime(start, first).TotalSeconds
            : clocks.Sum(clock => clock.Count - 1) / Stopwatch.GetElapsedTime(first, clocks.Max(clock => clock.Last)).TotalSeconds;
    }

    private int[] Prompt(int tokens, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, tokens).Select(_ => random.Next(1, Math.Min(engine.VocabularySize, ManyTokens)))];
    }

    private async Task<(Clock[] Clocks, long Start)> RunAsync(int[][] prompts, int tokens, CancellationToken cancel)
    {
        Clock[] clocks = [.. prompts.Select(_ => new Clock())];
        long start = Stopwatch.GetTimestamp();
        foreach ((int[] prompt, Clock clock) in prompts.Zip(clocks))
        {
            GenerationRequest request = new()
            {
                Prompt = prompt,
                Sampling = new SamplingOptions { Greedy = true },
                MaxTokens = tokens,
                StopTokens = new HashSet<int>(),
                Sink = clock,
            };
            SubmissionOutcome outcome = engine.Submit(request, cancel, out _);
            if (outcome != SubmissionOutcome.Accepted)
                throw new InvalidOperationException($"The engine refused the request: {outcome}.");
        }

        await Task.WhenAll(clocks.Select(clock => clock.Done));
        return (clocks, start);
    }

    private sealed class Clock : ITokenSink
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Prompt tokens that were not in the cache.</summary>
        public int Computed { get; private set; }

        public int Count { get; private set; }

        public long First { get; private set; }

        public long Last { get; private set; }

        public Task Done => _done.Task;

        public void OnPrefilled(int promptTokens, int cachedTokens) => Computed = promptTokens - cachedTokens;

        public bool OnToken(int token)
        {
            Last = Stopwatch.GetTimestamp();
            if (Count++ == 0)
                First = Last;
            return true;
        }

        public void OnEnded(GenerationEnd end, GenerationUsage usage)
        {
            if (end is GenerationEnd.MaxTokens or GenerationEnd.ContextFull)
                _done.TrySetResult();
            else if (end == GenerationEnd.Cancelled)
                _done.TrySetCanceled();
            else
                _done.TrySetException(new InvalidOperationException($"The engine ended with {end}."));
        }
    }
}
