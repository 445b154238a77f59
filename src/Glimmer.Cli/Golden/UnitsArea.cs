using System.Globalization;
using System.Text.Json;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Cli.Golden;

/// <summary>Single functions of the kernels against the reference: folders that hold <c>units.safetensors</c> and <c>units.json</c>.</summary>
/// <remarks>Tensors of functions that a file does not hold are passed over. Names are those of the tensors compared.</remarks>
public sealed class UnitsArea : IGoldenArea
{
    /// <inheritdoc/>
    public string Name => "units";

    /// <summary>Such a file lies beside the folders of whole models.</summary>
    public bool HoldsOtherCases => true;

    /// <inheritdoc/>
    public bool Recognises(string folder) =>
        File.Exists(Path.Combine(folder, "units.safetensors")) && File.Exists(Path.Combine(folder, "units.json"));

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        using GoldenTensors tensors = GoldenTensors.Open(Path.Combine(folder, "units.safetensors"));
        using JsonDocument constants = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "units.json")));
        IEnumerable<GoldenCheck>[] groups =
        [
            Norms(tensors), Rotations(tensors, constants.RootElement), Routers(tensors, constants.RootElement),
            Activation(tensors), Rankings(tensors), Formats(tensors), UnitAttention.Run(tensors),
        ];
        foreach (GoldenCheck check in groups.SelectMany(group => group))
        {
            cancel.ThrowIfCancellationRequested();
            yield return check;
        }

        if (tensors.Has("sampling.logits"))
            yield return new GoldenCheck("sampling (not compared here)", 0, 0, "the tests of the engine's sampler hold it to the same data");
    }

    /// <summary>A bound relative to the largest finite number, for sums whose rounding grows with their size.</summary>
    internal static GoldenCheck Near(string name, float[] expected, float[] actual, double relative, int width)
    {
        double largest = expected.Where(float.IsFinite).Select(value => Math.Abs((double)value)).DefaultIfEmpty(0).Max();
        return GoldenCompare.Floats(name, expected, actual, relative * Math.Max(1, largest), width);
    }

    private static float Suffix(string name) => float.Parse(name.AsSpan(name.IndexOf('=', StringComparison.Ordinal) + 1), NumberStyles.Float, CultureInfo.InvariantCulture);

    private static IEnumerable<GoldenCheck> Norms(GoldenTensors tensors)
    {
        foreach (string name in tensors.Names.Where(name => name.StartsWith("rmsnorm.eps=", StringComparison.Ordinal)))
        {
            bool rounded = name.EndsWith(".bf16", StringComparison.Ordinal);
            float[] x = tensors.Floats(rounded ? "rmsnorm.x.bf16" : "rmsnorm.x"), weight = tensors.Floats(rounded ? "rmsnorm.weight.bf16" : "rmsnorm.weight");
            float epsilon = Suffix(rounded ? name[..^5] : name);
            float[] y = new float[x.Length];
            if (!rounded)
            {
                Normalisation.RmsNorm(x, weight, epsilon, y);
                yield return Near(name, tensors.Floats(name), y, 2e-6, weight.Length);
                continue;
            }

            // The reference rounds the normalised value before the product: one unit of bfloat16 is 2^-8 of the number.
            float[] ones = new float[weight.Length];
            Array.Fill(ones, 1f);
            Normalisation.RmsNorm(x, ones, epsilon, y);
            RoundToBFloat16(y);
            for (int i = 0; i < y.Length; i++)
                y[i] *= weight[i % weight.Length];
            RoundToBFloat16(y);
            yield return Near(name, tensors.Floats(name), y, 1.0 / 256, weight.Length);
        }

        foreach (string name in tensors.Names.Where(name => name.StartsWith("layernorm.eps=", StringComparison.Ordinal)))
        {
            float[] x = tensors.Floats("rmsnorm.x"), weight = tensors.Floats("rmsnorm.weight"), y = new float[x.Length];
            Normalisation.LayerNorm(x, weight, tensors.Floats("layernorm.bias"), Suffix(name), y);
            yield return Near(name, tensors.Floats(name), y, 4e-6, weight.Length);
        }
    }

    private static IEnumerable<GoldenCheck> Rotations(GoldenTensors tensors, JsonElement constants)
    {
        const string Prefix = "rope.theta=", End = ".inv_freq";
        foreach (string name in tensors.Names.Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(End, StringComparison.Ordinal)))
        {
            string stem = name[..^End.Length];
            int rotated = constants.GetProperty("d_rot").GetInt32(), headWidth = constants.GetProperty("head_dim").GetInt32();
            var rope = new RotaryEmbedding(rotated, Suffix(stem));
            int[] positions = tensors.Ints("rope.positions");
            float[] x = tensors.Floats("rope.x");
            float[] cosines = new float[positions.Length * rotated / 2], sines = new float[cosines.Length];
            float[] half = [.. x], interleaved = [.. x];
            int rowWidth = x.Length / positions.Length;
            for (int i = 0; i < positions.Length; i++)
            {
                Span<float> cosine = cosines.AsSpan(i * rotated / 2, rotated / 2), sine = sines.AsSpan(i * rotated / 2, rotated / 2);
                rope.Fill(positions[i], cosine, sine);
                RotaryEmbedding.RotateHeads(RotaryPairing.HalfSplit, half.AsSpan(i * rowWidth, rowWidth), rowWidth / headWidth, headWidth, cosine, sine);
                RotaryEmbedding.RotateHeads(RotaryPairing.Interleaved, interleaved.AsSpan(i * rowWidth, rowWidth), rowWidth / headWidth, headWidth, cosine, sine);
            }

            yield return GoldenCompare.Floats(name, tensors.Floats(name), rope.Frequencies, 1e-7, rotated / 2);
            yield return GoldenCompare.Floats(stem + ".cos", tensors.Floats(stem + ".cos"), cosines, 2e-7, rotated / 2);
            yield return GoldenCompare.Floats(stem + ".sin", tensors.Floats(stem + ".sin"), sines, 2e-7, rotated / 2);
            yield return Near(stem + ".half", tensors.Floats(stem + ".half"), half, 1e-6, rowWidth);
            yield return Near(stem + ".interleaved", tensors.Floats(stem + ".interleaved"), interleaved, 1e-6, rowWidth);
        }
    }

    private static IEnumerable<GoldenCheck> Routers(GoldenTensors tensors, JsonElement constants)
    {
        foreach (string name in tensors.Names.Where(name => name.StartsWith("router.", StringComparison.Ordinal) && name.EndsWith(".indices", StringComparison.Ordinal)))
        {
            string stem = name[..^".indices".Length];
            string[] parts = stem.Split('.');
            JsonElement options = constants.GetProperty("facts").GetProperty($"router.{parts[1]}");
            float[] bias = tensors.Floats($"router.{parts[2]}"), logits = tensors.Floats("router.logits");
            int experts = bias.Length, chosen = options.GetProperty("num_experts_per_tok").GetInt32(), tokens = logits.Length / experts;
            var router = new ExpertRouter(
                experts,
                chosen,
                options.GetProperty("n_group").GetInt32(),
                options.GetProperty("topk_group").GetInt32(),
                options.GetProperty("norm_topk_prob").GetBoolean(),
                options.GetProperty("routed_scaling_factor").GetSingle());
            int[] indices = new int[tokens * chosen];
            float[] weights = new float[indices.Length];
            for (int t = 0; t < tokens; t++)
                router.Route(logits.AsSpan(t * experts, experts), bias, indices.AsSpan(t * chosen, chosen), weights.AsSpan(t * chosen, chosen));
            yield return GoldenCompare.Exact(name, tensors.Ints(name), indices);
            yield return GoldenCompare.Floats(stem + ".weights", tensors.Floats(stem + ".weights"), weights, 2e-6, chosen);
        }
    }

    private static IEnumerable<GoldenCheck> Activation(GoldenTensors tensors)
    {
        if (tensors.Has("softmax.x"))
        {
            float[] x = tensors.Floats("softmax.x"), y = new float[x.Length];
            int width = (int)tensors.Shape("softmax.x")[1];
            for (int at = 0; at < x.Length; at += width)
                Softmax.Apply(x.AsSpan(at, width), y.AsSpan(at, width));
            yield return GoldenCompare.Floats("softmax.y", tensors.Floats("softmax.y"), y, 1e-6, width);
        }

        if (tensors.Has("swiglu.gate"))
        {
            float[] gate = tensors.Floats("swiglu.gate"), y = new float[gate.Length];
            int width = (int)tensors.Shape("swiglu.gate")[1];
            Activations.SwiGlu(gate, tensors.Floats("swiglu.up"), y);
            yield return Near("swiglu.y", tensors.Floats("swiglu.y"), y, 1e-6, width);
            Activations.SwiGlu(gate, tensors.Floats("swiglu.up_times_9"), 10, y);
            yield return Near("swiglu.clamped_at_10", tensors.Floats("swiglu.clamped_at_10"), y, 1e-6, width);
        }
    }

    private static IEnumerable<GoldenCheck> Rankings(GoldenTensors tensors)
    {
        if (!tensors.Has("argmax.x"))
            yield break;
        float[] x = tensors.Floats("argmax.x");
        int rows = (int)tensors.Shape("argmax.x")[0], width = x.Length / rows;
        yield return GoldenCompare.Exact("argmax.index", tensors.Ints("argmax.index"), [.. Enumerable.Range(0, rows).Select(row => Ranking.ArgMax(x.AsSpan(row * width, width)))]);
        foreach (string name in tensors.Names.Where(name => name.StartsWith("topk.k=", StringComparison.Ordinal)))
        {
            int k = (int)Suffix(name);
            int[] indices = new int[rows * k];
            for (int row = 0; row < rows; row++)
                Ranking.TopK(x.AsSpan(row * width, width), indices.AsSpan(row * k, k));
            yield return GoldenCompare.Exact(name, tensors.Ints(name), indices);
        }
    }

    private static IEnumerable<GoldenCheck> Formats(GoldenTensors tensors)
    {
        if (tensors.Has("fp8_e4m3.codes"))
        {
            byte[] codes = [.. tensors.Ints("fp8_e4m3.codes").Select(code => (byte)code)];
            float[] values = new float[codes.Length];
            BlockCodecs.For(BlockFormat.F8_E4M3).Dequantise(codes, values);
            yield return GoldenCompare.Floats("fp8_e4m3.values", tensors.Floats("fp8_e4m3.values"), values, 0, 16);
        }

        if (tensors.Has("f16.bits"))
        {
            byte[] bits = [.. tensors.Ints("f16.bits").SelectMany(half => BitConverter.GetBytes((ushort)half))];
            float[] values = new float[bits.Length / 2];
            BlockCodecs.For(BlockFormat.F16).Dequantise(bits, values);
            yield return GoldenCompare.Floats("f16.values", tensors.Floats("f16.values"), values, 0, values.Length);
        }

        if (tensors.Has("to_bf16.x"))
        {
            float[] x = tensors.Floats("to_bf16.x");
            RoundToBFloat16(x);
            yield return GoldenCompare.Floats("to_bf16.y", tensors.Floats("to_bf16.y"), x, 0, x.Length);
        }
    }

    private static void RoundToBFloat16(float[] values)
    {
        byte[] bits = new byte[values.Length * 2];
        BlockCodec codec = BlockCodecs.For(BlockFormat.BF16);
        codec.Quantise(values, bits);
        codec.Dequantise(bits, values);
    }
}
