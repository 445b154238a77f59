using System.Text.Json;
using Glimmer.Models.Loading;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Language models as checkpoint folders: <c>config.json</c>, safetensors, and <c>expect.safetensors</c> with the prompt and what the
/// reference computed for it. Every expected tensor is compared; one that this build does not produce is a failed check.
/// </summary>
public sealed class TextArea : IGoldenArea
{
    private const double DefaultTolerance = 2e-4;

    /// <inheritdoc/>
    public string Name => "text";

    /// <inheritdoc/>
    public bool Recognises(string folder)
    {
        if (!File.Exists(Path.Combine(folder, "config.json")) || !File.Exists(Path.Combine(folder, "expect.safetensors")))
            return false;
        if (!File.Exists(Path.Combine(folder, "model.safetensors")) && !File.Exists(Path.Combine(folder, "model.safetensors.index.json")))
            return false;
        using GoldenTensors expected = GoldenTensors.Open(Path.Combine(folder, "expect.safetensors"));
        return (expected.Has("input_ids") && expected.Has("logits")) || (expected.Has("input_ids.0") && expected.Has("logits.0"));
    }

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        using GoldenTensors expected = GoldenTensors.Open(Path.Combine(folder, "expect.safetensors"));
        using LoadedModel model = ModelLoader.Load(folder);
        double tolerance = Tolerance(folder);
        if (expected.Has("input_ids.0"))
            return [.. TextBatchCase.Run(model, expected, tolerance, cancel)];
        return [.. SingleCase(model, expected, tolerance, cancel)];
    }

    /// <summary>The bound a case asks for.</summary>
    internal static double Tolerance(string folder)
    {
        string path = Path.Combine(folder, "expect.json");
        if (!File.Exists(path))
            return DefaultTolerance;
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.TryGetProperty("tolerance", out JsonElement tolerance) && tolerance.TryGetProperty("ask_abs_logits", out JsonElement ask)
            ? ask.GetDouble()
            : DefaultTolerance;
    }

    private static IEnumerable<GoldenCheck> SingleCase(LoadedModel model, GoldenTensors expected, double tolerance, CancellationToken cancel)
    {
        int[] prompt = expected.Ints("input_ids");
        int steps = expected.Has("greedy") ? (int)expected.Shape("greedy")[0] : 0;
        using (GoldenModel whole = new(model, prompt.Length + steps + 8, 16))
        {
            GoldenRecorder seen = new();
            float[] logits = whole.Prompt(0, prompt, prompt.Length, seen);
            yield return GoldenCompare.Floats("logits", expected.Floats("logits"), logits, tolerance, whole.Vocabulary);
            foreach (GoldenCheck check in Inner(model, expected, seen, tolerance))
                yield return check;
            foreach (GoldenCheck check in Greedy(whole, expected, prompt, logits, tolerance, ""))
                yield return check;
        }

        cancel.ThrowIfCancellationRequested();
        foreach (int chunk in (int[])[1, 7])
        {
            using GoldenModel pieces = new(model, prompt.Length + steps + 8, 5);
            float[] logits = pieces.Prompt(0, prompt, chunk);
            yield return GoldenCompare.Floats($"logits (chunks of {chunk})", expected.Floats("logits"), logits, tolerance, pieces.Vocabulary);
            foreach (GoldenCheck check in Greedy(pieces, expected, prompt, logits, tolerance, $" (chunks of {chunk})"))
                yield return check;
        }

        if (!expected.Has("mtp.input_ids"))
            yield break;
        foreach (GoldenCheck check in TextDraftCase.Run(model, expected, tolerance, cancel))
            yield return check;
    }

    private static IEnumerable<GoldenCheck> Greedy(GoldenModel run, GoldenTensors expected, int[] prompt, float[] logits, double tolerance, string how)
    {
        if (!expected.Has("greedy"))
            yield break;
        int[] greedy = expected.Ints("greedy");
        (int[] tokens, float[] rows) = run.Greedy(0, prompt.Length, logits, greedy.Length);
        yield return GoldenCompare.Exact($"greedy{how}", greedy, tokens);
        if (expected.Has("greedy_logits"))
            yield return GoldenCompare.Floats($"greedy_logits{how}", expected.Floats("greedy_logits"), rows, tolerance, run.Vocabulary);
    }

    private static IEnumerable<GoldenCheck> Inner(LoadedModel model, GoldenTensors expected, GoldenRecorder seen, double tolerance)
    {
        foreach (string name in expected.Names)
        {
            if (IsElsewhere(name))
                continue;
            if (name.StartsWith("dequantised.", StringComparison.Ordinal))
            {
                yield return Dequantised(model, name, expected.Floats(name));
                continue;
            }

            if (!seen.TryGet(name, out int width, out float[] values))
                yield return new GoldenCheck(name, double.NaN, tolerance, "this build does not compute it");
            else if (IsExact(name))
                yield return GoldenCompare.Exact(name, expected.Ints(name), [.. values.Select(value => (int)value)]);
            else
                yield return GoldenCompare.Floats(name, expected.Floats(name), values, tolerance, width);
        }
    }

    private static GoldenCheck Dequantised(LoadedModel model, string name, float[] expected)
    {
        if (!model.Weights.TryGet(name["dequantised.".Length..], out Models.Weights.StoredTensor? tensor))
            return new GoldenCheck(name, double.NaN, 0, "no such tensor");
        float largest = expected.Max(Math.Abs);
        return GoldenCompare.Floats(name, expected, tensor.ToFloats(), largest * 2e-7, (int)tensor.Shape[^1]);
    }

    private static bool IsExact(string name) =>
        name.EndsWith(".indices", StringComparison.Ordinal) || name.EndsWith(".topk", StringComparison.Ordinal)
        || name.EndsWith(".pools", StringComparison.Ordinal) || name.EndsWith(".allowed", StringComparison.Ordinal);

    // Compared by other means, or (low precision) for orientation only.
    private static bool IsElsewhere(string name) =>
        name is "input_ids" or "logits" or "greedy" or "greedy_logits" or "logits_low_precision"
        || name.StartsWith("mtp.", StringComparison.Ordinal) || name.StartsWith("draft.", StringComparison.Ordinal);
}
