using System.Diagnostics;
using Glimmer.Engine;

namespace Glimmer.Cli.Benchmarks;

/// <summary>Decoding with and without guesses, in turns on two engines of one model.</summary>
internal static class SpeculationScenario
{
    /// <summary>Prompts of different kinds: what a guess is worth depends on the text.</summary>
    internal sealed record Kind(string Name, Func<int, int[]> Prompt);

    /// <summary>What was measured.</summary>
    /// <param name="Kind">Kind of prompt.</param>
    /// <param name="Without">Tokens per second without guesses.</param>
    /// <param name="With">Tokens per second with them.</param>
    /// <param name="Acceptance">Share of the guesses that were right; 0 when there were none.</param>
    /// <param name="PerPass">Tokens per pass and answer with guesses.</param>
    /// <param name="Same">Whether all answers were the same.</param>
    internal sealed record Reading(string Kind, double Without, double With, double Acceptance, double PerPass, bool Same);

    /// <summary>The same prompts on both engines, one after the other; which is first changes from round to round.</summary>
    public static async Task<Reading> MeasureAsync(InferenceEngine without, InferenceEngine with, Kind kind, int decode, int streams, int rounds, CancellationToken cancel)
    {
        List<double> plain = [], guessed = [];
        bool same = true;
        EngineStatistics before = default;
        int passTokens = 0;
        for (int round = 0; round <= rounds; round++)
        {
            // Round 0 warms up: code is compiled, speculation has tried what pays.
            if (round == 1)
                before = with.GetStatistics();
            int[][] prompts = [.. Enumerable.Range(0, streams).Select(i => kind.Prompt(round * streams + i))];
            bool first = round % 2 == 0;
            (double Speed, int[][] Answers) a = await RunAsync(first ? without : with, prompts, decode, cancel);
            (double Speed, int[][] Answers) b = await RunAsync(first ? with : without, prompts, decode, cancel);
            same &= a.Answers.Zip(b.Answers).All(pair => pair.First.AsSpan().SequenceEqual(pair.Second));
            if (round == 0)
                continue;
            plain.Add(first ? a.Speed : b.Speed);
            guessed.Add(first ? b.Speed : a.Speed);
            passTokens += decode * streams;
        }

        EngineStatistics after = with.GetStatistics();
        long drafted = after.DraftedTokens - before.DraftedTokens, accepted = after.AcceptedTokens - before.AcceptedTokens;
        double passes = after.Passes - before.Passes;
        return new Reading(kind.Name, Median(plain), Median(guessed), drafted == 0 ? 0 : (double)accepted / drafted, passTokens / passes / streams, same);
    }

    /// <summary>Median of some values; sorts them.</summary>
    internal static double Median(List<double> values)
    {
        values.Sort();
        return values.Count % 2 == 1 ? values[values.Count / 2] : (values[values.Count / 2 - 1] + values[values.Count / 2]) / 2;
    }

    private static async Task<(double Speed, int[][] Answers)> RunAsync(InferenceEngine engine, int[][] prompts, int decode, CancellationToken cancel)
    {
        TokenClock[] clocks = [.. prompts.Select(_ => new TokenClock(decode))];
        for (int i = 0; i < prompts.Length; i++)
            clocks[i].Submit(engine, prompts[i], decode, $"{i}", cancel);
        await Task.WhenAll(clocks.Select(clock => clock.Done));
        double seconds = Stopwatch.GetElapsedTime(clocks.Max(clock => clock.Times[0]), clocks.Max(clock => clock.Times[^1])).TotalSeconds;
        return (clocks.Sum(clock => clock.Tokens.Length - 1) / seconds, [.. clocks.Select(clock => clock.Tokens.ToArray())]);
    }
}
