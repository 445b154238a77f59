using System.Diagnostics;
using Glimmer.Engine;

namespace Glimmer.Cli.Benchmarks;

/// <summary>Time to the first token of a prompt that is new, and of one whose beginning is in the prefix cache.</summary>
internal static class PrefixScenario
{
    private const int NewTokens = 8;

    /// <summary>What was measured, in milliseconds.</summary>
    internal sealed record Reading(int PromptTokens, double Cold, double Cached, int CachedTokens);

    /// <summary>A prompt, then another one with the same beginning and other last words.</summary>
    public static async Task<Reading> MeasureAsync(InferenceEngine engine, int prompt, int round, CancellationToken cancel)
    {
        int[] first = TokenClock.RandomPrompt(engine, prompt, round);
        int[] second = [.. first.AsSpan(0, Math.Max(1, prompt - NewTokens)), .. TokenClock.RandomPrompt(engine, Math.Min(prompt - 1, NewTokens), ~round)];
        (double cold, _) = await FirstTokenAsync(engine, first, cancel);
        (double cached, int reused) = await FirstTokenAsync(engine, second, cancel);
        return new Reading(prompt, cold, cached, reused);
    }

    private static async Task<(double Milliseconds, int Cached)> FirstTokenAsync(InferenceEngine engine, int[] prompt, CancellationToken cancel)
    {
        TokenClock clock = new(1);
        long start = Stopwatch.GetTimestamp();
        clock.Submit(engine, prompt, 1, "", cancel);
        await clock.Done;
        return (Stopwatch.GetElapsedTime(start, clock.Times[0]).TotalMilliseconds, clock.CachedTokens);
    }
}
