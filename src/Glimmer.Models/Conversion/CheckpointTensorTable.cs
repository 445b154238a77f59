using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Conversion;

/// <summary>
/// What a checkpoint's tensors become in a GGUF file: gate and up of dense layers fused where llama.cpp wants that, experts stacked, the latent
/// up-projection split with its key half transposed.
/// </summary>
internal sealed unsafe class CheckpointTensorTable
{
    private readonly ModelFiles _files;
    private readonly ModelConfig _config;
    private readonly ITensorNames _gguf;
    private readonly bool _fusesGateAndUp;
    private readonly List<ConvertedTensor> _tensors = [];

    private CheckpointTensorTable(ModelFiles files, string architecture)
    {
        (_files, _config, _gguf) = (files, files.Config, files.Architecture.GgufTensors);
        _fusesGateAndUp = architecture is "chatglm" or "glm4";
    }

    /// <summary>The tensors in the order of the file.</summary>
    /// <param name="files">The checkpoint.</param>
    /// <param name="architecture">GGUF architecture.</param>
    /// <param name="layers">Layers to take, next-n layers included.</param>
    /// <exception cref="ModelFileException">A tensor is missing.</exception>
    public static List<ConvertedTensor> Of(ModelFiles files, string architecture, int layers)
    {
        CheckpointTensorTable table = new(files, architecture);
        table.Plain("embed_tokens.weight", required: true);
        for (int layer = 0; layer < layers; layer++)
            table.AddLayer($"layers.{layer}.", $"blk.{layer}.", layer);
        table.Plain("norm.weight", required: true);
        if (files.Config.TiedEmbeddings != true)
            table.Plain("lm_head.weight", required: files.Config.TiedEmbeddings == false);
        return table._tensors;
    }

    private void AddLayer(string prefix, string target, int layer)
    {
        foreach (string norm in (string[])["input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm"])
            Plain($"{prefix}{norm}.weight");
        foreach (string name in (string[])["q_proj", "k_proj", "v_proj", "qkv_proj", "o_proj", "q_norm", "k_norm", "q_a_proj", "q_a_layernorm", "q_b_proj", "kv_a_proj_with_mqa", "kv_a_layernorm",
            "indexer.wq_b", "indexer.wk", "indexer.k_norm", "indexer.weights_proj"])
        {
            Plain($"{prefix}self_attn.{name}.weight");
            Plain($"{prefix}self_attn.{name}.bias");
        }

        if (Has($"{prefix}self_attn.kv_b_proj.weight"))
            SplitLatent($"{prefix}self_attn.kv_b_proj.weight", target);
        FeedForward($"{prefix}mlp.", target + "ffn_", "", _fusesGateAndUp);
        FeedForward($"{prefix}mlp.shared_experts.", target + "ffn_", "_shexp", false);
        Plain($"{prefix}mlp.gate.weight");
        Plain($"{prefix}mlp.gate.e_score_correction_bias");
        if (_config.Moe is { } moe && Has($"{prefix}mlp.gate.weight"))
            Experts($"{prefix}mlp.experts", target + "ffn_", moe.Experts);
        if (layer < _config.Layers)
            return;
        foreach (string name in (string[])["eh_proj", "enorm", "hnorm", "shared_head.norm", "shared_head.head"])
            Plain($"{prefix}{name}.weight");
        foreach (string name in (string[])["mtp.embed_tokens", "embed_tokens"])
        {
            if (Has($"{prefix}{name}.weight"))
                Add($"{target}nextn.embed_tokens.weight", $"{prefix}{name}.weight");
        }
    }

    private void FeedForward(string source, string target, string ending, bool fused)
    {
        if (!Has(source + "down_proj.weight"))
            return;
        Add($"{target}down{ending}.weight", source + "down_proj.weight");
        string both = source + "gate_up_proj.weight", gate = source + "gate_proj.weight", up = source + "up_proj.weight";
        if (Has(both) && fused)
        {
            Add($"{target}up{ending}.weight", both);
        }
        else if (Has(both))
        {
            AddHalves(both, $"{target}gate{ending}.weight", $"{target}up{ending}.weight");
        }
        else if (fused)
        {
            long[] shape = Shape(gate);
            AddParts($"{target}up{ending}.weight", [2 * shape[0], shape[1]], () => [Open(gate), Open(up)]);
        }
        else
        {
            Add($"{target}gate{ending}.weight", gate);
            Add($"{target}up{ending}.weight", up);
        }
    }

    private void Experts(string source, string target, int count)
    {
        string suffix = Has(source + ".down_proj.weight") ? ".weight" : "";
        if (Has($"{source}.down_proj{suffix}"))
        {
            Add($"{target}down_exps.weight", $"{source}.down_proj{suffix}");
            if (Has($"{source}.gate_up_proj{suffix}"))
            {
                AddHalves($"{source}.gate_up_proj{suffix}", $"{target}gate_exps.weight", $"{target}up_exps.weight");
                return;
            }

            Add($"{target}gate_exps.weight", $"{source}.gate_proj{suffix}");
            Add($"{target}up_exps.weight", $"{source}.up_proj{suffix}");
            return;
        }

        if (Has($"{source}.0.gate_up_proj.weight"))
        {
            long[] both = Shape($"{source}.0.gate_up_proj.weight");
            int width = checked((int)(both[0] / 2));
            Stack("gate_exps", [count, width, both[1]], expert => Open($"{source}.{expert}.gate_up_proj.weight").RowRange(0, width));
            Stack("up_exps", [count, width, both[1]], expert => Open($"{source}.{expert}.gate_up_proj.weight").RowRange(width, width));
            Stack("down_exps", [count, .. Shape($"{source}.0.down_proj.weight")], expert => Open($"{source}.{expert}.down_proj.weight"));
            return;
        }

        foreach (string name in (string[])["gate", "up", "down"])
            Stack($"{name}_exps", [count, .. Shape($"{source}.0.{name}_proj.weight")], expert => Open($"{source}.{expert}.{name}_proj.weight"));

        void Stack(string name, long[] shape, Func<int, WeightMatrix> open) => AddParts($"{target}{name}.weight", shape, () => [.. Enumerable.Range(0, count).Select(expert => Sized(open(expert), shape, name))]);
    }

    // Per head: key rows, which GGUF keeps transposed, then value rows.
    private void SplitLatent(string source, string target)
    {
        LatentConfig latent = _config.Latent ?? throw new ModelFileException(_files.Stored.Location, $"has '{source}', but its configuration knows no latent attention.");
        int heads = _config.Attention.Heads, nope = latent.NopeDim, value = latent.ValueDim, rank = latent.KvRank;
        long[] shape = Shape(source);
        if (shape is not [var rows, var columns] || rows != (long)heads * (nope + value) || columns != rank)
            throw new ModelFileException(_files.Stored.Location, $"'{source}' has shape ({string.Join(", ", shape)}); the configuration asks for ({heads * (nope + value)}, {rank}).");
        AddParts($"{target}attn_k_b.weight", [heads, rank, nope], () =>
        {
            WeightMatrix both = Open(source);
            float[] row = new float[rank], turned = new float[heads * rank * nope];
            for (int head = 0; head < heads; head++)
            {
                for (int r = 0; r < nope; r++)
                {
                    both.ReadRow(head * (nope + value) + r, row);
                    for (int c = 0; c < rank; c++)
                        turned[(head * rank + c) * nope + r] = row[c];
                }
            }

            return [WeightMatrix.FromFloats(heads * rank, nope, turned)];
        });
        AddParts($"{target}attn_v_b.weight", [heads, value, rank], () =>
        {
            WeightMatrix both = Open(source);
            return [.. Enumerable.Range(0, heads).Select(head => both.RowRange(head * (nope + value) + nope, value))];
        });
    }

    // Gate rows above up rows, in every matrix of a stack.
    private void AddHalves(string source, string gate, string up)
    {
        long[] shape = Shape(source);
        int width = checked((int)(shape[^2] / 2)), count = shape.Length == 3 ? (int)shape[0] : 1;
        long[] half = [.. shape[..^2], width, shape[^1]];
        foreach ((string name, int start) in (ReadOnlySpan<(string, int)>)[(gate, 0), (up, width)])
            AddParts(name, half, () => [.. Enumerable.Range(0, count).Select(i => Open(source).RowRange(i * 2 * width + start, width))]);
    }

    private void Plain(string canonical, bool required = false)
    {
        if (Has(canonical))
            Add(_gguf.Find(canonical) ?? throw new ModelFileException(_files.Stored.Location, $"'{canonical}' has no name in GGUF."), canonical);
        else if (required)
            throw new ModelFileException(_files.Stored.Location, $"tensor {_files.Names.Find(canonical) ?? canonical} is missing.");
    }

    private void Add(string name, string canonical) => AddParts(name, Shape(canonical), () => [Open(canonical)]);

    private void AddParts(string name, long[] shape, Func<IReadOnlyList<WeightMatrix>> parts) =>
        _tensors.Add(new ConvertedTensor(name, shape, parts, !QuantisationMix.Quantises(name, shape)));

    private bool Has(string canonical) => _files.Names.Find(canonical) is { } name && _files.Logical.Contains(name);

    private long[] Shape(string canonical) => Find(canonical, out QuantisedTensor? computed, out StoredTensor? stored) ? computed?.Shape ?? stored!.Shape : throw Missing(canonical);

    private WeightMatrix Open(string canonical)
    {
        if (!Find(canonical, out QuantisedTensor? computed, out StoredTensor? stored))
            throw Missing(canonical);
        if (computed is not null)
            return new WeightMatrix(((DequantisedSource)_files.Logical).Open(computed));
        int columns = checked((int)stored!.Shape[^1]);
        return new WeightMatrix(stored.Format, checked((int)(stored.Count / columns)), columns, (byte*)stored.Address, stored.Owner);
    }

    private bool Find(string canonical, out QuantisedTensor? computed, out StoredTensor? stored)
    {
        (computed, stored) = (null, null);
        if (_files.Names.Find(canonical) is not { } name)
            return false;
        if (_files.Logical is DequantisedSource scheme && scheme.TryFind(name, out computed))
            return true;
        return _files.Logical.TryGet(name, out stored);
    }

    private WeightMatrix Sized(WeightMatrix matrix, long[] shape, string name) => matrix.Rows == shape[^2] && matrix.Columns == shape[^1]
        ? matrix
        : throw new ModelFileException(_files.Stored.Location, $"the experts of {name} have different shapes: ({matrix.Rows}, {matrix.Columns}) and ({shape[^2]}, {shape[^1]}).");

    private ModelFileException Missing(string canonical) => new(_files.Stored.Location, $"tensor {_files.Names.Find(canonical) ?? canonical} is missing.");
}
