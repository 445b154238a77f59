using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Loading;

/// <summary>Which format a matrix gets when weights are quantised while loading.</summary>
internal static class WeightPlacement
{
    // Small, and what they decide is decided by small differences: routers, index weights, mixing of streams, decay.
    private static readonly string[] _kept =
    [
        ".mlp.gate.weight", ".indexer.weights_proj.weight", ".indexer.index_kpool_compress_gate", ".hc_attn_fn", ".hc_ffn_fn",
        ".self_attn.b_proj.weight", ".self_attn.kv_b_proj.weight",
    ];

    /// <summary>The format to keep a matrix in: <paramref name="wanted"/> where it applies, else the stored one.</summary>
    public static BlockFormat Choose(string canonical, BlockFormat stored, int columns, BlockFormat? wanted)
    {
        if (wanted is not { } format || stored is not (BlockFormat.F32 or BlockFormat.F16 or BlockFormat.BF16))
            return stored;
        if (columns % BlockCodecs.For(format).BlockLength != 0)
            return stored;
        return IsKept(canonical) ? stored : format;
    }

    /// <summary>Whether a matrix is packed for products with rounded activations.</summary>
    public static bool Packs(string canonical, WeightMatrix matrix, ActivationMode mode) =>
        mode != ActivationMode.Exact && matrix.CanPack && !IsKept(canonical);

    /// <summary>What <see cref="ActivationMode.Auto"/> means on this machine: rounded activations where vector kernels run them, else exact ones.</summary>
    public static ActivationMode Resolve(ActivationMode mode) =>
        mode != ActivationMode.Auto ? mode : InstructionSets.Current == InstructionSet.Scalar ? ActivationMode.Exact : ActivationMode.Int8;

    /// <summary>Whether a packed matrix is also read in its stored form: the embedding that serves as output matrix too.</summary>
    public static bool IsReadByRow(string canonical, ITensorProvider tensors) => canonical == "lm_head.weight" && !tensors.Has(canonical);

    /// <summary>The format of a transposed copy.</summary>
    public static BlockFormat Transposed(BlockFormat stored) => stored is BlockFormat.BF16 or BlockFormat.F16 ? stored : BlockFormat.F32;

    /// <summary>Bytes of a matrix.</summary>
    public static long Bytes(BlockFormat format, long rows, int columns) => checked(BlockCodecs.For(format).BytesFor(columns) * rows);

    private static bool IsKept(string canonical) => Array.Exists(_kept, end => canonical.EndsWith(end, StringComparison.Ordinal));
}
