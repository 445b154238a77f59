using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>Attention whose query heads share key and value heads in groups (arXiv 2305.13245).</summary>
internal sealed unsafe class GroupedQueryAttention : ILayerPart
{
    private readonly int _layer;
    private readonly int _headDim;
    private readonly AttentionShape _shape;
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
        _headDim = config.HeadDim;
        (_q, _k, _v) = builder.QueryKeyValue("self_attn", hidden, width, kvWidth, config.Bias);
        _o = builder.Linear("self_attn.o_proj", hidden, width);
        if (config.QkNorm ?? builder.Has("self_attn.q_norm.weight"))
        {
            _qNorm = builder.Norm("self_attn.q_norm", config.HeadDim);
            _kNorm = builder.Norm("self_attn.k_norm", config.HeadDim);
        }

        int keyPlane = builder.AddPlane("k", kvWidth), valuePlane = builder.AddPlane("v", kvWidth);
        _shape = new AttentionShape(config.Heads, config.KvHeads, config.HeadDim, config.HeadDim, config.HeadDim, keyPlane, valuePlane, 1 / MathF.Sqrt(config.HeadDim), Sparse: false);
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
        _q.AddBias(q);
        _k.AddBias(k);
        _v.AddBias(v);
        pass.Parallel(x.Count, (q.Width + k.Width) * 4, (This: this, Pass: pass, Q: q, K: k, V: v), static (s, row) => s.This.PrepareRow(s.Pass, row, s.Q, s.K, s.V));
        pass.Observe("layer", _layer, "q_rope", q);
        pass.Observe("layer", _layer, "k_rope", k);
        Rows heads = pass.Scratch.Rows(x.Count, q.Width);
        PagedAttention.Run(pass, _shape, q, heads);
        _o.Apply(pass, heads, y);
    }

    // Norm before rotation; then key and value go into the cache.
    private void PrepareRow(ForwardPass pass, int row, Rows q, Rows k, Rows v)
    {
        _qNorm?.ApplyToHeads(q.Row(row), _shape.Heads);
        _kNorm?.ApplyToHeads(k.Row(row), _shape.KvHeads);
        for (int head = 0; head < _shape.Heads; head++)
            pass.Rotation.Apply(q.Row(row) + head * _headDim, row);
        for (int head = 0; head < _shape.KvHeads; head++)
            pass.Rotation.Apply(k.Row(row) + head * _headDim, row);
        new ReadOnlySpan<float>(k.Row(row), k.Width).CopyTo(new Span<float>(pass.CacheRow(_shape.KeyPlane, row), k.Width));
        new ReadOnlySpan<float>(v.Row(row), v.Width).CopyTo(new Span<float>(pass.CacheRow(_shape.ValuePlane, row), v.Width));
    }
}
