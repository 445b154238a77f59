namespace Glimmer.Models.Weights.Schemes;

/// <summary>What the schemes that pack codes into words share: a module <c>M</c> keeps <c>M.weight</c> in tensors <c>M.part</c>.</summary>
internal abstract class WordScheme(SchemeConfiguration configuration, string codes, params string[] others) : CheckpointScheme
{
    private const string Plain = ".weight";

    protected SchemeConfiguration Configuration => configuration;

    /// <inheritdoc/>
    internal override string? PlainName(string stored, IWeightSource raw)
    {
        if (stored.EndsWith('.' + codes, StringComparison.Ordinal))
            return string.Concat(stored.AsSpan(0, stored.Length - codes.Length - 1), Plain);
        foreach (string part in others)
        {
            if (stored.EndsWith('.' + part, StringComparison.Ordinal) && raw.TryGet($"{stored[..^part.Length]}{codes}", out _))
                return null;
        }

        return stored;
    }

    /// <inheritdoc/>
    internal override QuantisedTensor? Find(string plain, IWeightSource raw)
    {
        if (!plain.EndsWith(Plain, StringComparison.Ordinal))
            return null;
        string module = plain[..^(Plain.Length - 1)];
        if (!raw.TryGet(module + codes, out StoredTensor? packed))
            return null;
        if (raw.TryGet(plain, out _))
            throw new ModelFileException(configuration.Location, $"holds both '{plain}' and '{module}{codes}'");
        return Build(plain, packed, part => raw.TryGet(module + part, out StoredTensor? tensor) ? tensor : null);
    }

    protected abstract QuantisedTensor Build(string plain, StoredTensor packed, Func<string, StoredTensor?> find);

    protected StoredTensor Require(string plain, string part, StoredTensor? tensor) =>
        tensor ?? throw new ModelFileException(configuration.Location, $"quantised weight '{plain}' lacks its part '{plain[..^Plain.Length]}.{part}'");
}

/// <summary>AWQ, four bits, layout gemm.</summary>
internal sealed class AwqScheme : WordScheme
{
    private readonly long? _group;

    public AwqScheme(SchemeConfiguration configuration)
        : base(configuration, "qweight", "qzeros", "scales")
    {
        int bits = configuration.Bits("bits") ?? configuration.Bits("w_bit") ?? 4;
        if (bits != 4)
            throw configuration.Fault($"has AWQ weights of {bits} bits; supported are 4");
        string version = configuration.Text("version") ?? "gemm";
        if (!version.Equals("gemm", StringComparison.OrdinalIgnoreCase))
            throw configuration.Fault($"names the AWQ version '{version}'; supported is gemm");
        _group = configuration.GroupSize("group_size", "q_group_size");
    }

    protected override QuantisedTensor Build(string plain, StoredTensor packed, Func<string, StoredTensor?> find) => new AwqTensor(
        Configuration.Location, plain, packed, Require(plain, "qzeros", find("qzeros")), Require(plain, "scales", find("scales")), _group);
}

/// <summary>GPTQ with 2, 4 or 8 bits.</summary>
internal sealed class GptqScheme : WordScheme
{
    private readonly int _bits;
    private readonly long? _group;
    private readonly int _zeroOffset;

    public GptqScheme(SchemeConfiguration configuration)
        : base(configuration, "qweight", "qzeros", "scales", "g_idx")
    {
        _bits = configuration.Bits("bits") ?? 4;
        if (_bits is not (2 or 4 or 8))
            throw configuration.Fault($"has GPTQ weights of {_bits} bits; supported are 2, 4 and 8");
        string format = configuration.Text("checkpoint_format") ?? "gptq";
        _zeroOffset = format switch
        {
            "gptq" => 1,
            "gptq_v2" => 0,
            _ => throw configuration.Fault($"names the GPTQ checkpoint_format '{format}'; supported are gptq and gptq_v2"),
        };
        _group = configuration.GroupSize("group_size");
    }

    protected override QuantisedTensor Build(string plain, StoredTensor packed, Func<string, StoredTensor?> find) => new GptqTensor(
        Configuration.Location, plain, packed, Require(plain, "qzeros", find("qzeros")), Require(plain, "scales", find("scales")), find("g_idx"), _bits, _group, _zeroOffset);
}

/// <summary>compressed-tensors pack-quantized with 4 or 8 bits.</summary>
internal sealed class PackedScheme : WordScheme
{
    private readonly int _bits = 4;
    private readonly HashSet<long> _groupSizes = [];

    public PackedScheme(SchemeConfiguration configuration)
        : base(configuration, "weight_packed", "weight_scale", "weight_shape", "weight_zero_point", "weight_g_idx")
    {
        int? bits = null;
        foreach (SchemeConfiguration weights in configuration.WeightGroups())
        {
            int its = weights.Bits("num_bits") ?? 4;
            if (its is not (4 or 8))
                throw configuration.Fault($"has packed weights of {its} bits; supported are 4 and 8");
            if (weights.Text("type") is { } type && !type.Equals("int", StringComparison.Ordinal))
                throw configuration.Fault($"has packed weights of type '{type}'; supported is int");
            if (bits is { } others && others != its)
                throw configuration.Fault($"mixes packed weights of {others} and {its} bits");
            bits = its;
            if (weights.GroupSize("group_size") is { } size)
                _groupSizes.Add(size);
        }

        _bits = bits ?? _bits;
    }

    protected override QuantisedTensor Build(string plain, StoredTensor packed, Func<string, StoredTensor?> find)
    {
        PackedTensor.Parts parts = new(packed, Require(plain, "weight_shape", find("weight_shape")), Require(plain, "weight_scale", find("weight_scale")), find("weight_zero_point"), find("weight_g_idx"));
        return new PackedTensor(Configuration.Location, plain, parts, _bits, _groupSizes);
    }
}
