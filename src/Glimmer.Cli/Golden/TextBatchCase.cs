using Glimmer.Models;
using Glimmer.Models.Loading;

namespace Glimmer.Cli.Golden;

/// <summary>Several prompts that were each run alone: together, in another order, and with their common beginning from the cache.</summary>
internal static class TextBatchCase
{
    /// <summary>Runs the case.</summary>
    public static IEnumerable<GoldenCheck> Run(LoadedModel model, GoldenTensors expected, double tolerance, CancellationToken cancel)
    {
        int[][] prompts = [.. Enumerable.Range(0, 256).TakeWhile(i => expected.Has($"input_ids.{i}")).Select(i => expected.Ints($"input_ids.{i}"))];
        int[][] orders = [[.. Enumerable.Range(0, prompts.Length)], [.. Enumerable.Range(0, prompts.Length).Reverse()]];
        foreach (int[] order in orders)
        {
            foreach (GoldenCheck check in Together(model, expected, prompts, order, 0, tolerance))
                yield return check;
            cancel.ThrowIfCancellationRequested();
        }

        int common = 0;
        while (prompts.All(prompt => common < prompt.Length - 1 && prompt[common] == prompts[0][common]))
            common++;
        foreach (GoldenCheck check in Together(model, expected, prompts, orders[0], common, tolerance))
            yield return check;
    }

    private static IEnumerable<GoldenCheck> Together(LoadedModel model, GoldenTensors expected, int[][] prompts, int[] order, int common, double tolerance)
    {
        const int PageTokens = 4;
        int steps = (int)expected.Shape("greedy.0")[0];
        using GoldenModel run = new(model, prompts.Max(prompt => prompt.Length) + steps, PageTokens, prompts.Length);
        string how = common > 0 ? $" (from cache: {common / PageTokens * PageTokens})" : $" (order {string.Join(' ', order)})";
        int cached = common / PageTokens * PageTokens;
        if (cached > 0)
        {
            run.Prompt(order[0], prompts[order[0]][..cached], cached);
            foreach (int i in order[1..])
                run.SharePrefix(order[0], i, cached / PageTokens);
        }

        run.Batch.Clear();
        foreach (int i in order)
            run.Add(i, prompts[i].AsMemory(cached), cached, LogitsWanted.All);
        run.Run();
        float[][] last = new float[prompts.Length][];
        for (int place = 0; place < order.Length; place++)
        {
            int i = order[place], rows = prompts[i].Length - cached, vocabulary = run.Vocabulary;
            float[] logits = new float[rows * vocabulary];
            for (int row = 0; row < rows; row++)
                run.Batch.Logits(place, row, vocabulary).CopyTo(logits.AsSpan(row * vocabulary));
            yield return GoldenCompare.Floats($"logits.{i}{how}", expected.Floats($"logits.{i}").AsSpan(cached * vocabulary), logits, tolerance, vocabulary);
            last[i] = logits[^vocabulary..];
        }

        foreach (GoldenCheck check in Decode(run, expected, prompts, order, last, steps, tolerance, how))
            yield return check;
    }

    private static IEnumerable<GoldenCheck> Decode(GoldenModel run, GoldenTensors expected, int[][] prompts, int[] order, float[][] last, int steps, double tolerance, string how)
    {
        int vocabulary = run.Vocabulary;
        int[][] tokens = [.. prompts.Select(_ => new int[steps])];
        float[][] logits = [.. prompts.Select(_ => new float[steps * vocabulary])];
        for (int step = 0; step < steps; step++)
        {
            run.Batch.Clear();
            foreach (int i in order)
            {
                last[i].CopyTo(logits[i].AsSpan(step * vocabulary));
                tokens[i][step] = GoldenModel.ArgMax(last[i]);
                run.Add(i, tokens[i].AsMemory(step, 1), prompts[i].Length + step, LogitsWanted.Last);
            }

            run.Run();
            for (int place = 0; place < order.Length; place++)
                run.Batch.Logits(place, 0, vocabulary).CopyTo(last[order[place]]);
        }

        foreach (int i in order)
        {
            yield return GoldenCompare.Exact($"greedy.{i}{how}", expected.Ints($"greedy.{i}"), tokens[i]);
            yield return GoldenCompare.Floats($"greedy_logits.{i}{how}", expected.Floats($"greedy_logits.{i}"), logits[i], tolerance, vocabulary);
        }
    }
}
