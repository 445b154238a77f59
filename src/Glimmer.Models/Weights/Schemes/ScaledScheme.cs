using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>Weights of 8 bits with a scale tensor of the same name plus <c>_scale_inv</c> (blocks) or <c>_scale</c> (outputs or blocks).</summary>
internal sealed class ScaledScheme : CheckpointScheme
{
    private static readonly string[] _scaleSuffixes = ["_scale_inv", "_scale"];
    private static readonly string[] _hiddenSuffixes = [".input_scale", ".activation_scale", ".output_scale"];
    private readonly string _location;
    private readonly (long Rows, long Columns)? _block;

    private ScaledScheme(string location, (long Rows, long Columns)? block)
    {
        _location = location;
        _block = block;
    }

    /// <summary>The scheme of GLM-5-FP8 and of DeepSeek: <c>weight_block_size</c>, or one scale for each tensor.</summary>
    public static ScaledScheme Fp8(SchemeConfiguration configuration)
    {
        string format = configuration.Text("fmt") ?? "e4m3";
        if (format is not ("e4m3" or "float8_e4m3fn" or "e5m2"))
            throw configuration.Fault($"has 'fmt' = \"{format}\"; supported are e4m3 and e5m2");
        return new ScaledScheme(configuration.Location, configuration.Block("weight_block_size"));
    }

    /// <summary>The scheme of GLM-4.5-FP8: compressed-tensors with a scale for each tensor, output or block.</summary>
    public static ScaledScheme CompressedTensors(SchemeConfiguration configuration)
    {
        (long Rows, long Columns)? block = null;
        foreach (SchemeConfiguration weights in configuration.WeightGroups())
        {
            int bits = weights.Bits("num_bits") ?? 8;
            if (bits != 8)
                throw configuration.Fault($"has weights of {bits} bits in a format of 8");
            string strategy = weights.Text("strategy") ?? "channel";
            block = strategy switch
            {
                "tensor" or "channel" => block,
                "block" => weights.Block("block_structure") ?? throw configuration.Fault("has the strategy 'block' without 'block_structure'"),
                "group" => (1, weights.GroupSize("group_size") ?? throw configuration.Fault("has the strategy 'group' without 'group_size'")),
                _ => throw configuration.Fault($"has the strategy '{strategy}'; supported are tensor, channel, group and block"),
            };
            if (weights.Flag("symmetric") == false)
                throw configuration.Fault("has asymmetric 8-bit weights; only symmetric ones are supported");
        }

        return new ScaledScheme(configuration.Location, block);
    }

    /// <inheritdoc/>
    internal override string? PlainName(string stored, IWeightSource raw)
    {
        foreach (string suffix in _scaleSuffixes)
        {
            if (stored.EndsWith(suffix, StringComparison.Ordinal) && raw.TryGet(stored[..^suffix.Length], out _))
                return null;
        }

        return Array.Exists(_hiddenSuffixes, suffix => stored.EndsWith(suffix, StringComparison.Ordinal)) ? null : stored;
    }

    /// <inheritdoc/>
    internal override QuantisedTensor? Find(string plain, IWeightSource raw)
    {
        if (!raw.TryGet(plain, out StoredTensor? codes))
            return null;
        foreach (string suffix in _scaleSuffixes)
        {
            if (raw.TryGet(plain + suffix, out StoredTensor? scales))
                return new ScaledTensor(_location, codes, scales, _block);
        }

        return codes.Format is BlockFormat.F8_E4M3 or BlockFormat.F8_E5M2
            ? throw new ModelFileException(_location, $"the 8-bit weight '{plain}' has no scale: neither '{plain}_scale_inv' nor '{plain}_scale' is there")
            : null;
    }
}
