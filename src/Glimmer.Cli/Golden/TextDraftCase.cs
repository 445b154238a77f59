using Glimmer.Models;
using Glimmer.Models.Loading;

namespace Glimmer.Cli.Golden;

/// <summary>
/// The next-n (MTP) layer: its intermediate results over a known text, and speculative decoding with chained drafts.
/// The variant with a zeroed first embedding (<c>mtp.logits_first_embedding_zeroed</c>) is not this build's and is not compared.
/// </summary>
internal static class TextDraftCase
{
    /// <summary>Runs the case.</summary>
    public static IEnumerable<GoldenCheck> Run(LoadedModel model, GoldenTensors expected, double tolerance, CancellationToken cancel)
    {
        if (model.Model.Draft is null)
        {
            yield return new GoldenCheck("mtp", double.NaN, 0, "the model has no draft layer");
            yield break;
        }

        foreach (int chunk in (int[])[int.MaxValue, 5])
        {
            foreach (GoldenCheck check in Layer(model, expected, tolerance, chunk))
                yield return check;
        }

        for (int k = 1; expected.Has($"draft.k{k}.tokens"); k++)
        {
            cancel.ThrowIfCancellationRequested();
            foreach (GoldenCheck check in Speculate(model, expected, k, tolerance))
                yield return check;
        }
    }

    private static IEnumerable<GoldenCheck> Layer(LoadedModel model, GoldenTensors expected, double tolerance, int chunk)
    {
        int[] tokens = expected.Ints("mtp.input_ids");
        float[] states = expected.Floats("mtp.hidden_in");
        int rows = tokens.Length - 1, hidden = states.Length / tokens.Length;
        using GoldenModel run = new(model, tokens.Length, 7);
        GoldenRecorder seen = new();
        float[] logits = new float[rows * run.Vocabulary];
        for (int start = 0; start < rows; start += Math.Min(chunk, rows))
        {
            int count = Math.Min(chunk, rows - start);
            run.Batch.Clear();
            run.Add(0, tokens.AsMemory(start + 1, count), start, LogitsWanted.All, states.AsMemory(start * hidden, count * hidden));
            run.RunDraft(seen);
            for (int row = 0; row < count; row++)
                run.Batch.Logits(0, row, run.Vocabulary).CopyTo(logits.AsSpan((start + row) * run.Vocabulary));
        }

        string how = chunk < rows ? $" (chunks of {chunk})" : "";
        yield return GoldenCompare.Floats($"mtp.logits{how}", expected.Floats("mtp.logits"), logits, tolerance, run.Vocabulary);
        if (chunk < rows)
            yield break;
        foreach (string name in (string[])["mtp.z", "mtp.block_out", "mtp.hidden_out"])
        {
            seen.TryGet(name, out int width, out float[] values);
            yield return GoldenCompare.Floats(name, expected.Floats(name), values, tolerance, width);
        }
    }

    private static IEnumerable<GoldenCheck> Speculate(LoadedModel model, GoldenTensors expected, int k, double tolerance)
    {
        int[] prompt = expected.Ints("input_ids"), greedy = expected.Ints("greedy");
        using GoldenModel run = new(model, prompt.Length + greedy.Length + 2 * k + 2, 6);
        SpeculativeRun speculation = new(run, k);
        speculation.Start(prompt);
        int rounds = (int)expected.Shape($"draft.k{k}.accepted")[0];
        for (int round = 0; round < rounds; round++)
            speculation.Round();
        yield return GoldenCompare.Exact($"draft.k{k}.tokens", expected.Ints($"draft.k{k}.tokens"), [.. speculation.Drafted]);
        yield return GoldenCompare.Exact($"draft.k{k}.accepted", expected.Ints($"draft.k{k}.accepted"), [.. speculation.Accepted]);
        yield return GoldenCompare.Exact($"draft.k{k}.emitted", expected.Ints($"draft.k{k}.emitted"), [.. speculation.Emitted]);
        int[] tokens = [.. speculation.Tokens.Skip(prompt.Length).Take(greedy.Length)];
        yield return GoldenCompare.Exact($"greedy with {k} drafts", greedy, tokens);
        string chain = $"draft.k{k}.first_chain_logits";
        if (expected.Has(chain))
            yield return GoldenCompare.Floats(chain, expected.Floats(chain), speculation.FirstChain, tolerance, run.Vocabulary);
    }
}
