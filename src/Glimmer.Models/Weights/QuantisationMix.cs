using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>A named recipe for a whole model: one usual format, and more bits for the tensors that suffer most.</summary>
/// <param name="Name">As llama.cpp spells it, e.g. <c>Q4_K_M</c>.</param>
/// <param name="Usual">The format of most matrices.</param>
/// <param name="FileType">Its number for <c>general.file_type</c>.</param>
public sealed record QuantisationMix(string Name, BlockFormat Usual, int FileType)
{
    /// <summary>The recipes.</summary>
    public static IReadOnlyList<QuantisationMix> All { get; } =
    [
        new("Q8_0", BlockFormat.Q8_0, 7),
        new("Q6_K", BlockFormat.Q6_K, 18),
        new("Q5_K_M", BlockFormat.Q5_K, 17),
        new("Q4_K_M", BlockFormat.Q4_K, 15),
        new("IQ4_XS", BlockFormat.IQ4_XS, 30),
        new("IQ4_NL", BlockFormat.IQ4_NL, 25),
        new("Q4_0", BlockFormat.Q4_0, 2),
        new("Q3_K_M", BlockFormat.Q3_K, 12),
        new("Q2_K", BlockFormat.Q2_K, 10),
    ];

    /// <summary>Formats of numbers, for files that are to be quantised later or not at all: F32, F16, BF16.</summary>
    public static IReadOnlyList<QuantisationMix> Floats { get; } =
    [
        new("F32", BlockFormat.F32, 0),
        new("F16", BlockFormat.F16, 1),
        new("BF16", BlockFormat.BF16, 32),
    ];

    /// <summary>Finds a recipe or a format of numbers by name, in any case.</summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out QuantisationMix? mix)
    {
        mix = All.Concat(Floats).FirstOrDefault(mix => mix.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        return mix is not null;
    }

    /// <summary>What the choice of formats depends on besides the tensor.</summary>
    /// <param name="Layers">Blocks of the model.</param>
    /// <param name="Experts">Experts of a layer; 0 for dense models.</param>
    /// <param name="HeadsPerKeyHead">Query heads that share a key head.</param>
    /// <param name="TiedEmbedding">Whether the embedding is also the output matrix.</param>
    /// <param name="ValueTensors">Names of the value projections, in the order of layers.</param>
    internal sealed record Model(int Layers, int Experts, int HeadsPerKeyHead, bool TiedEmbedding, IReadOnlyList<string> ValueTensors)
    {
        /// <summary>Whether an importance matrix guides the quantiser.</summary>
        public bool HasImportance { get; init; }
    }

    /// <summary>Whether a tensor is quantised at all: matrices are, but for norms, routers and biases.</summary>
    internal static bool Quantises(string name, ReadOnlySpan<long> shape) =>
        shape.Length >= 2 && MeaningfulDimensions(shape) >= 2
        && name.EndsWith("weight", StringComparison.Ordinal)
        && !name.Contains("_norm.weight", StringComparison.Ordinal)
        && !name.Contains("ffn_gate_inp.weight", StringComparison.Ordinal)
        && !name.Contains("ssm_conv1d", StringComparison.Ordinal)
        && !name.Contains("position_embd", StringComparison.Ordinal)
        && !name.Contains("patch_embd", StringComparison.Ordinal)
        && !name.Contains("patch_merger", StringComparison.Ordinal);

    /// <summary>The format of a tensor that is quantised, before its width is looked at.</summary>
    internal BlockFormat Choose(string name, long columns, Model model)
    {
        if (BlockCodecs.For(Usual).BlockLength == 1)
            return Usual;
        if (name is "output.weight" || (model.TiedEmbedding && name is "token_embd.weight"))
            return columns % BlockCodecs.For(Usual).BlockLength != 0 || Usual == BlockFormat.Q8_0 ? BlockFormat.Q8_0 : BlockFormat.Q6_K;
        if (IsValue(name))
            return ChooseValue(name, model);
        if (name.Contains("attn_k.weight", StringComparison.Ordinal))
            return EightExperts(model) ? BlockFormat.Q8_0 : Usual; // eight experts make the rest so large that attention is nearly free
        if (name.Contains("attn_output.weight", StringComparison.Ordinal))
            return ChooseAttentionOutput(model);
        return name.Contains("ffn_down", StringComparison.Ordinal) ? ChooseDown(name, model) : Usual;
    }

    /// <summary>Whether a tensor is a value projection, alone or fused with others.</summary>
    internal static bool IsValue(string name) =>
        name.Contains("attn_v.weight", StringComparison.Ordinal) || name.Contains("attn_qkv.weight", StringComparison.Ordinal) || name.Contains("attn_kv_b.weight", StringComparison.Ordinal);

    private BlockFormat ChooseValue(string name, Model model)
    {
        if (EightExperts(model))
            return BlockFormat.Q8_0;
        int place = 0;
        while (place < model.ValueTensors.Count && model.ValueTensors[place] != name)
            place++;
        return Name switch
        {
            "Q2_K" => model.HeadsPerKeyHead >= 4 ? BlockFormat.Q4_K : BlockFormat.Q3_K,
            "Q3_K_M" => place < 2 ? BlockFormat.Q5_K : BlockFormat.Q4_K,
            "IQ4_XS" or "IQ4_NL" when model.HeadsPerKeyHead >= 4 => BlockFormat.Q5_K,
            "Q4_K_M" or "Q5_K_M" when Matters(place, model.ValueTensors.Count) => BlockFormat.Q6_K,
            _ => Usual,
        };
    }

    private BlockFormat ChooseAttentionOutput(Model model) => EightExperts(model)
        ? Name is "Q2_K" or "Q3_K_M" or "Q4_K_M" or "IQ4_XS" or "IQ4_NL" ? BlockFormat.Q5_K : Usual
        : Name switch
        {
            "Q2_K" => BlockFormat.Q3_K,
            "Q3_K_M" => BlockFormat.Q4_K,
            _ => Usual,
        };

    private BlockFormat ChooseDown(string name, Model model)
    {
        int layer = LayerOf(name);
        return Name switch
        {
            "Q2_K" => BlockFormat.Q3_K,
            "Q3_K_M" => layer < model.Layers / 16 ? BlockFormat.Q5_K : BlockFormat.Q4_K,
            "Q4_K_M" or "Q5_K_M" when Matters(layer, model.Layers) => BlockFormat.Q6_K,
            "IQ4_XS" or "IQ4_NL" when layer < model.Layers / 8 && !model.HasImportance => BlockFormat.Q5_K,
            "Q4_0" when layer < model.Layers / 8 && model.HasImportance => BlockFormat.Q4_1,
            _ => Usual,
        };
    }

    /// <summary>The layer in a name such as <c>blk.12.ffn_down.weight</c>; 0 without one.</summary>
    internal static int LayerOf(string name)
    {
        if (!name.StartsWith("blk.", StringComparison.Ordinal))
            return 0;
        int end = name.IndexOf('.', 4);
        return end > 4 && int.TryParse(name.AsSpan(4, end - 4), out int layer) ? layer : 0;
    }

    // The first and last eighth of the layers, and every third between.
    private static bool Matters(int layer, int layers) => layer < layers / 8 || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;

    private static bool EightExperts(Model model) => model.Experts == 8;

    private static int MeaningfulDimensions(ReadOnlySpan<long> shape)
    {
        int leading = 0;
        while (leading < shape.Length && shape[leading] == 1)
            leading++;
        return shape.Length - leading;
    }
}
