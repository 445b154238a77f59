using System.Diagnostics;
using Glimmer.Engine;

namespace Glimmer.Cli.Benchmarks;

/// <summary>How much a long prompt delays the tokens of answers that run.</summary>
internal static class StallScenario
{
    private const int Quiet = 60;

    /// <summary>What was measured, in milliseconds.</summary>
    /// <param name="Streams">Running answers.</param>
    /// <param name="PromptTokens">Tokens of the prompt that arrives.</param>
    /// <param name="QuietMedian">Median gap between two tokens of a stream before it arrives.</param>
    /// <param name="Median">The same while it is computed.</param>
    /// <param name="P99">99th percentile of these.</param>
    /// <param name="Max">The longest.</param>
    /// <param name="FirstToken">From its arrival to its first token.</param>
    internal sealed record Reading(int Streams, int PromptTokens, double QuietMedian, double Median, double P99, double Max, double FirstToken);

    /// <summary>Runs some answers, lets a long prompt arrive, and measures the gaps until it is answered.</summary>
    public static async Task<Reading> MeasureAsync(InferenceEngine engine, int streams, int prompt, int round, CancellationToken cancel)
    {
        int most = engine.ContextLength - 8;
        TokenClock[] clocks = [.. Enumerable.Range(0, streams).Select(_ => new TokenClock(most, Quiet))];
        List<RunningGeneration> running = [];
        for (int i = 0; i < streams; i++)
            running.Add(clocks[i].Submit(engine, TokenClock.RandomPrompt(engine, 4, round * 1000 + i), most, "streams", cancel));
        await Task.WhenAll(clocks.Select(clock => clock.Begun));
        long arrives = Stopwatch.GetTimestamp();
        TokenClock late = new(1);
        late.Submit(engine, TokenClock.RandomPrompt(engine, prompt, round * 1000 + 999), 1, "late", cancel);
        await late.Done;
        long answered = late.Times[0];
        foreach (RunningGeneration generation in running)
            generation.Cancel();
        foreach (TokenClock clock in clocks)
        {
            try
            {
                await clock.Done;
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                // That is how they end here.
            }
        }

        List<double> before = [], during = [];
        foreach (TokenClock clock in clocks)
        {
            ReadOnlySpan<long> times = clock.Times;
            // The first tokens come while others are still in their prompts.
            for (int i = 10; i < times.Length; i++)
            {
                double gap = Stopwatch.GetElapsedTime(times[i - 1], times[i]).TotalMilliseconds;
                if (times[i] <= arrives)
                    before.Add(gap);
                else if (times[i] <= answered)
                    during.Add(gap);
            }
        }

        before.Sort();
        during.Sort();
        return new Reading(streams, prompt, At(before, 0.5), At(during, 0.5), At(during, 0.99), At(during, 1), Stopwatch.GetElapsedTime(arrives, answered).TotalMilliseconds);
    }

    private static double At(List<double> sorted, double share) =>
        sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(share * sorted.Count))];
}
