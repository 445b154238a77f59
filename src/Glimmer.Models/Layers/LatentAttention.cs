using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// Multi-head latent attention in absorbed form (arXiv 2405.04434): per token one latent and one rotated key are cached
/// for all heads. Queries are carried into the latent's space, and values are taken out of it after the sum.
/// </summary>
internal sealed unsafe class LatentAttention : ILayerPart
{
    private readonly int _layer;
    private readonly LatentConfig _config;
    private readonly int _heads;
    private readonly CachedAttention _attention;
    private readonly Linear _queryDown;
    private readonly RmsNorm _queryNorm;
    private readonly Linear _queryUp;
    private readonly Linear _latentDown;
    private readonly RmsNorm _latentNorm;
    private readonly WeightMatrix[] _queryToLatent;
    private readonly WeightMatrix[] _latentToValue;
    private readonly Linear _output;
    private readonly IIndexer? _indexer;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    /// <param name="builder">The builder.</param>
    /// <param name="indexer">Chooses what this layer sees; null to see everything or what an earlier layer's indexer chose.</param>
    /// <param name="sparse">Whether only chosen positions are seen.</param>
    public LatentAttention(LayerBuilder builder, IIndexer? indexer = null, bool sparse = false)
    {
        _layer = builder.Layer;
        _config = builder.Config.Latent!;
        _heads = builder.Config.Attention.Heads;
        _indexer = indexer;
        int hidden = builder.Config.HiddenSize, head = _config.NopeDim + _config.RopeDim, cached = _config.KvRank + _config.RopeDim;
        _queryDown = builder.Linear("self_attn.q_a_proj", _config.QueryRank, hidden);
        _queryNorm = builder.Norm("self_attn.q_a_layernorm", _config.QueryRank);
        _queryUp = builder.Linear("self_attn.q_b_proj", checked(_heads * head), _config.QueryRank);
        _latentDown = builder.Linear("self_attn.kv_a_proj_with_mqa", cached, hidden);
        _latentNorm = builder.Norm("self_attn.kv_a_layernorm", _config.KvRank);
        (_queryToLatent, _latentToValue) = builder.LatentHeads("self_attn", _heads, _config);
        _output = builder.Linear("self_attn.o_proj", hidden, checked(_heads * _config.ValueDim));
        int plane = builder.AddPlane("latent", cached);
        _attention = new CachedAttention(new AttentionShape(_heads, 1, cached, _config.KvRank, 1 / MathF.Sqrt(head)), plane, plane, sparse);
    }

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Scratch scratch = pass.Scratch;
        Rows down = scratch.Rows(x.Count, _config.QueryRank), cached = scratch.Rows(x.Count, _attention.Shape.KeyWidth);
        pass.Products.Add(_queryDown.Weight, x, down);
        pass.Products.Add(_latentDown.Weight, x, cached);
        pass.Products.Run(pass);
        _queryDown.AddBias(down);
        _latentDown.AddBias(cached);
        _queryNorm.Apply(pass, down, down);
        Rows q = scratch.Rows(x.Count, _queryUp.Outputs);
        _queryUp.Apply(pass, down, q);

        Rows queries = scratch.Rows(x.Count, _heads * _attention.Shape.KeyWidth);
        pass.Parallel(x.Count, (q.Width + cached.Width) * 4, (This: this, Pass: pass, Q: q, Queries: queries, Cached: cached), static (s, row) => s.This.PrepareRow(s.Pass, row, s.Q, s.Queries, s.Cached));
        if (pass.Observer is not null)
            Observe(pass, queries, cached);
        int head = _config.NopeDim + _config.RopeDim;
        for (int h = 0; h < _heads; h++)
            pass.Products.Add(_queryToLatent[h], q.Data + h * head, q.Width, q.Count, queries.Data + h * _attention.Shape.KeyWidth, queries.Width);
        pass.Products.Run(pass);

        _indexer?.Choose(pass, x, down);
        Rows sums = scratch.Rows(x.Count, _heads * _config.KvRank), values = scratch.Rows(x.Count, _heads * _config.ValueDim);
        _attention.Run(pass, queries, sums);
        for (int h = 0; h < _heads; h++)
            pass.Products.Add(_latentToValue[h], sums.Data + h * _config.KvRank, sums.Width, sums.Count, values.Data + h * _config.ValueDim, values.Width);
        pass.Products.Run(pass);
        _output.Apply(pass, values, y);
    }

    // The rotated part of each query goes behind the room for its latent part; latent and shared key go into the cache.
    private void PrepareRow(ForwardPass pass, int row, Rows q, Rows queries, Rows cached)
    {
        int nope = _config.NopeDim, rope = _config.RopeDim, rank = _config.KvRank;
        float* latent = cached.Row(row);
        _latentNorm.Apply(latent, latent);
        if (rope > 0)
        {
            pass.Rotation.Apply(latent + rank, 1, rope, row);
            for (int h = 0; h < _heads; h++)
                RowMath.Copy(q.Row(row) + h * (nope + rope) + nope, queries.Row(row) + h * _attention.Shape.KeyWidth + rank, rope);
            pass.Rotation.Apply(queries.Row(row) + rank, _heads, _attention.Shape.KeyWidth, row);
        }

        pass.WriteCache(_attention.KeyPlane, row, latent);
    }

    private void Observe(ForwardPass pass, Rows queries, Rows cached)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        int rope = _config.RopeDim, rank = _config.KvRank;
        pass.Observe("cache", _layer, "c", Columns(pass, cached, 1, rank, 0, rank));
        if (rope == 0)
            return;
        Rows key = Columns(pass, cached, 1, rope, rank, cached.Width);
        pass.Observe("cache", _layer, "kpe", key);
        pass.Observe("layer", _layer, "k_rope", key);
        pass.Observe("layer", _layer, "q_rope", Columns(pass, queries, _heads, rope, rank, _attention.Shape.KeyWidth));
    }

    // Per head the same columns of wide rows.
    private static Rows Columns(ForwardPass pass, Rows from, int heads, int width, int start, int stride)
    {
        Rows columns = pass.Scratch.Rows(from.Count, heads * width);
        for (int row = 0; row < from.Count; row++)
        {
            for (int h = 0; h < heads; h++)
                new ReadOnlySpan<float>(from.Row(row) + h * stride + start, width).CopyTo(new Span<float>(columns.Row(row) + h * width, width));
        }

        return columns;
    }
}
