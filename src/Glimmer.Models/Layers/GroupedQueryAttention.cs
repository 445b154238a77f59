using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>Attention whose query heads share key and value heads in groups (arXiv 2305.13245).</summary>
internal sealed unsafe class GroupedQueryAttention : ILayerPart
{
    private readonly int _layer;
    private readonly AttentionConfig _config;
    private readonly CachedAttention _attention;
    private readonly Linear _q;
    private readonly Linear _k;
    private readonly Linear _v;
    private readonly Linear _o;
    private readonly RmsNorm? _qNorm;
    private readonly RmsNorm? _kNorm;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public GroupedQueryAttention(LayerBuilder builder)
    {
        AttentionConfig config = builder.Config.Attention;
        int hidden = builder.Config.HiddenSize, width = config.Heads * config.HeadDim, kvWidth = config.KvHeads * config.HeadDim;
        _layer = builder.Layer;
        _config = config;
        (_q, _k, _v) = builder.QueryKeyValue("self_attn", hidden, width, kvWidth, config.Bias);
        _o = builder.Linear("self_attn.o_proj", hidden, width);
        if (config.QkNorm ?? builder.Has("self_attn.q_norm.weight"))
        {
            _qNorm = builder.Norm("self_attn.q_norm", config.HeadDim);
            _kNorm = builder.Norm("self_attn.k_norm", config.HeadDim);
        }

        AttentionShape shape = new(config.Heads, config.KvHeads, config.HeadDim, config.HeadDim, 1 / MathF.Sqrt(config.HeadDim));
        _attention = new CachedAttention(shape, builder.AddPlane("k", kvWidth, config.KvHeads), builder.AddPlane("v", kvWidth, config.KvHeads), sparse: false);
    }

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows q = pass.Scratch.Rows(x.Count, _q.Outputs), k = pass.Scratch.Rows(x.Count, _k.Outputs), v = pass.Scratch.Rows(x.Count, _v.Outputs);
        pass.Products.Add(_q.Weight, x, q);
        pass.Products.Add(_k.Weight, x, k);
        pass.Products.Add(_v.Weight, x, v);
        pass.Products.Run(pass);
        pass.Parallel(x.Count, (q.Width + k.Width) * 4, (This: this, Pass: pass, Q: q, K: k, V: v), static (s, row) => s.This.PrepareRow(s.Pass, row, s.Q, s.K, s.V));
        pass.Observe("layer", _layer, "q_rope", q);
        pass.Observe("layer", _layer, "k_rope", k);
        Rows heads = pass.Scratch.Rows(x.Count, q.Width);
        _attention.Run(pass, q, heads);
        _o.Apply(pass, heads, y);
    }

    // Bias, norm, rotation in this order; then key and value go into the cache.
    private void PrepareRow(ForwardPass pass, int row, Rows q, Rows k, Rows v)
    {
        _q.AddBias(q.Slice(row, 1));
        _k.AddBias(k.Slice(row, 1));
        _v.AddBias(v.Slice(row, 1));
        float* query = q.Row(row), key = k.Row(row);
        _qNorm?.ApplyToHeads(query, query, _config.Heads);
        _kNorm?.ApplyToHeads(key, key, _config.KvHeads);
        pass.Rotation.Apply(query, _config.Heads, _config.HeadDim, row);
        pass.Rotation.Apply(key, _config.KvHeads, _config.HeadDim, row);
        pass.WriteCache(_attention.KeyPlane, row, key);
        pass.WriteCache(_attention.ValuePlane, row, v.Row(row));
    }
}
