using System.Text.Json;
using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Models.Loading;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Language models as GGUF files: one or more <c>NAME.KIND.gguf</c> beside <c>expect.safetensors</c> with <c>logits.KIND</c> and <c>greedy.KIND</c>
/// (or plain <c>logits</c>, <c>greedy</c>). Expected values come from the file's weights as numbers and single-precision arithmetic. The
/// <c>runtime_*</c> values of another program, which rounds activations, bound plausibility only. <c>text_ids</c> are the tokens of the
/// text in <c>expect.json</c> by the tokenizer inside the file.
/// </summary>
/// <param name="activations">How activations meet quantised weights.</param>
public sealed class GgufModelsArea(ActivationMode activations) : IGoldenArea
{
    private const double Tolerance = 2e-4;
    private const double RoundingLuck = 2;

    // What 8 bits of activation cost the small models of the fixtures (their weights are random, so errors do not cancel): a median token is off by less than this.
    private const double RoundedTolerance = 0.05;

    /// <summary>With exact activations.</summary>
    public GgufModelsArea()
        : this(ActivationMode.Exact)
    {
    }

    /// <inheritdoc/>
    public string Name => "gguf-models";

    /// <inheritdoc/>
    public bool Recognises(string folder)
    {
        if (!File.Exists(Path.Combine(folder, "expect.safetensors")) || Models(folder).Length == 0)
            return false;
        using GoldenTensors expected = GoldenTensors.Open(Path.Combine(folder, "expect.safetensors"));
        return expected.Has("input_ids") && expected.Names.Any(name => name.StartsWith("logits", StringComparison.Ordinal));
    }

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        using GoldenTensors expected = GoldenTensors.Open(Path.Combine(folder, "expect.safetensors"));
        List<GoldenCheck> checks = [];
        foreach (string file in Models(folder))
        {
            cancel.ThrowIfCancellationRequested();
            checks.AddRange(RunFile(file, expected));
        }

        return checks;
    }

    private static string[] Models(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*.gguf").Where(file => !file.Contains(".mmproj.", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private IEnumerable<GoldenCheck> RunFile(string file, GoldenTensors expected)
    {
        string kind = Path.GetFileNameWithoutExtension(file);
        kind = kind[(kind.LastIndexOf('.') + 1)..];
        string suffix = expected.Has($"logits.{kind}") ? $".{kind}" : "";
        if (!expected.Has($"logits{suffix}"))
        {
            yield return new GoldenCheck($"logits.{kind}", double.NaN, Tolerance, $"nothing is expected of {Path.GetFileName(file)}");
            yield break;
        }

        if (expected.Has("text_ids"))
            yield return TextIds(file, kind, expected);
        using LoadedModel model = ModelLoader.Load(file, new LoadOptions { Activations = activations });
        int[] prompt = expected.Ints("input_ids");
        float[] reference = expected.Floats($"logits{suffix}");
        int[] greedy = expected.Has($"greedy{suffix}") ? expected.Ints($"greedy{suffix}") : [];
        using GoldenModel run = new(model, prompt.Length + greedy.Length, 8);
        float[] logits = run.Prompt(0, prompt, prompt.Length);
        if (activations != ActivationMode.Exact)
        {
            double rounding = expected.Has($"runtime_logits.{kind}") ? RoundingLuck * MedianRow(reference, expected.Floats($"runtime_logits.{kind}"), run.Vocabulary) + Tolerance : RoundedTolerance;
            yield return new GoldenCheck($"{kind}: logits (median token)", MedianRow(reference, logits, run.Vocabulary), rounding);
            yield break;
        }

        yield return GoldenCompare.Floats($"{kind}: logits", reference, logits, Tolerance, run.Vocabulary);
        if (expected.Has($"runtime_logits.{kind}"))
        {
            // As near to the other program as that one is to the reference, and the tolerance.
            float[] runtime = expected.Floats($"runtime_logits.{kind}");
            double distance = GoldenCompare.Floats("", reference, runtime, 0, run.Vocabulary).Difference;
            yield return GoldenCompare.Floats($"{kind}: runtime_logits (plausible)", runtime, logits, distance + Tolerance, run.Vocabulary);
            yield return Rounded(file, kind, prompt, reference, runtime);
        }

        if (greedy.Length == 0)
            yield break;
        (int[] tokens, float[] rows) = run.Greedy(0, prompt.Length, logits, greedy.Length);
        yield return GoldenCompare.Exact($"{kind}: greedy", greedy, tokens);
        if (expected.Has($"greedy_logits{suffix}"))
            yield return GoldenCompare.Floats($"{kind}: greedy_logits", expected.Floats($"greedy_logits{suffix}"), rows, Tolerance, run.Vocabulary);
    }

    // With activations rounded as that program rounds them, this build may be as far from the reference, give or take luck. The median
    // over tokens is compared, because an expert chosen otherwise moves the logits of a token by any amount.
    private static GoldenCheck Rounded(string file, string kind, int[] prompt, float[] reference, float[] runtime)
    {
        using LoadedModel model = ModelLoader.Load(file, new LoadOptions { Activations = ActivationMode.Int8 });
        using GoldenModel run = new(model, prompt.Length, 8);
        double allowed = RoundingLuck * MedianRow(reference, runtime, run.Vocabulary) + Tolerance;
        return new GoldenCheck($"{kind}: logits with 8-bit activations (median token, plausible)", MedianRow(reference, run.Prompt(0, prompt, prompt.Length), run.Vocabulary), allowed);
    }

    private static double MedianRow(float[] reference, float[] actual, int width)
    {
        double[] rows = [.. Enumerable.Range(0, reference.Length / width).Select(row => GoldenCompare.Floats("", reference.AsSpan(row * width, width), actual.AsSpan(row * width, width), 0, width).Difference).Order()];
        return rows[rows.Length / 2];
    }

    private static GoldenCheck TextIds(string file, string kind, GoldenTensors expected)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(file)!, "expect.json")));
        using ModelPackage package = ModelPackage.Load(file);
        int[] ids = [.. package.Tokenizer.Encode(json.RootElement.GetProperty("text").GetString(), recogniseAdded: true)];
        return GoldenCompare.Exact($"{kind}: text_ids", expected.Ints("text_ids"), ids);
    }
}
