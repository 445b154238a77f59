using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// GLM-5.3-Flash's indexer: tokens are pooled by fours (or as configured) into one key each, the best pools are seen,
/// and always the incomplete pool at the end. A pool's key is cached in the row of its last token.
/// </summary>
internal sealed unsafe class PooledIndexer : IIndexer
{
    private const int RowsAtOnce = 16;
    private const float KeyNormEpsilon = 1e-6f;
    private readonly int _layer;
    private readonly IndexerConfig _config;
    private readonly Linear _query;
    private readonly Linear _key;
    private readonly LayerNorm _keyNorm;
    private readonly Linear _weights;
    private readonly Linear _compressGate;
    private readonly float[] _compressBias;
    private readonly int _keyPlane;
    private readonly int _gatePlane;
    private readonly int _poolPlane;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public PooledIndexer(LayerBuilder builder)
    {
        _config = builder.Config.Indexer!;
        _layer = builder.Layer;
        int hidden = builder.Config.HiddenSize, dim = _config.HeadDim;
        _query = builder.Linear("self_attn.indexer.wq_b", checked(_config.Heads * dim), builder.Config.Latent!.QueryRank);
        _key = builder.Linear("self_attn.indexer.wk", dim, hidden);
        _keyNorm = builder.LayerNorm("self_attn.indexer.k_norm", dim, KeyNormEpsilon);
        _weights = builder.Linear("self_attn.indexer.weights_proj", _config.Heads, hidden);
        _compressGate = new Linear(builder.Matrix("self_attn.indexer.index_kpool_compress_gate", dim, hidden), null);
        _compressBias = builder.Floats("self_attn.indexer.index_kpool_compress_ape", _config.Pool, dim);
        _keyPlane = builder.AddPlane("indexer_key", dim, exact: true);
        _gatePlane = builder.AddPlane("indexer_gate", dim, exact: true);
        _poolPlane = builder.AddPlane("indexer_pool", dim, exact: true);
    }

    private int Budget => _config.TopK / _config.Pool;

    /// <inheritdoc/>
    public void Choose(ForwardPass pass, Rows x, Rows queryLatent)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        CacheKeys(pass, x);
        int pools = pass.LongestSequence() / _config.Pool;
        if (pools <= Budget && pass.Observer is null)
        {
            new Span<int>(pass.Selection.Counts, x.Count).Fill(-1);
            return;
        }

        Rows queries = pass.Scratch.Rows(x.Count, _query.Outputs), weights = pass.Scratch.Rows(x.Count, _config.Heads);
        _query.Apply(pass, queryLatent, queries);
        _weights.Apply(pass, x, weights);
        int block = pass.Observer is null ? Math.Min(RowsAtOnce, x.Count) : x.Count;
        Rows scores = pass.Scratch.Rows(block, pools);
        int* chosen = pass.Scratch.Ints((long)block * Budget);
        for (int first = 0; first < x.Count; first += block)
        {
            pass.Parallel(Math.Min(block, x.Count - first), (long)pools * _config.Heads * _config.HeadDim, (This: this, Pass: pass, First: first, Queries: queries, Weights: weights, Scores: scores, Chosen: (nint)chosen), static (s, row) =>
                s.This.ChooseRow(s.Pass, s.First + row, s.Queries, s.Weights, s.Scores.Row(row), (int*)s.Chosen + row * s.This.Budget));
        }

        if (pass.Observer is not null)
            Observe(pass, scores, chosen);
    }

    private void CacheKeys(ForwardPass pass, Rows x)
    {
        Rows keys = pass.Scratch.Rows(x.Count, _config.HeadDim), gates = pass.Scratch.Rows(x.Count, _config.HeadDim);
        pass.Products.Add(_key.Weight, x, keys);
        pass.Products.Add(_compressGate.Weight, x, gates);
        pass.Products.Run(pass);
        _key.AddBias(keys);
        for (int row = 0; row < x.Count; row++)
        {
            _keyNorm.Apply(keys.Row(row), keys.Row(row));
            new ReadOnlySpan<float>(keys.Row(row), keys.Width).CopyTo(new Span<float>(pass.CacheRow(_keyPlane, row), keys.Width));
            new ReadOnlySpan<float>(gates.Row(row), gates.Width).CopyTo(new Span<float>(pass.CacheRow(_gatePlane, row), gates.Width));
        }

        pass.Observe("cache", _layer, "indexer_key", keys);
        pass.Observe("cache", _layer, "indexer_gate", gates);
        for (int row = 0; row < x.Count; row++)
        {
            if ((pass.Position(row) + 1) % _config.Pool == 0)
                PoolKey(pass, row);
        }
    }

    // Per channel a softmax over the pool's tokens weighs their keys.
    private void PoolKey(ForwardPass pass, int row)
    {
        int dim = _config.HeadDim, start = pass.Position(row) + 1 - _config.Pool;
        int* pages = pass.Pages(row);
        float* pool = pass.CacheRow(_poolPlane, row);
        for (int i = 0; i < dim; i++)
        {
            float maximum = float.NegativeInfinity, total = 0, sum = 0;
            for (int j = 0; j < _config.Pool; j++)
                maximum = Math.Max(maximum, pass.CacheRow(_gatePlane, pages, start + j)[i] + _compressBias[j * dim + i]);
            for (int j = 0; j < _config.Pool; j++)
            {
                float weight = MathF.Exp(pass.CacheRow(_gatePlane, pages, start + j)[i] + _compressBias[j * dim + i] - maximum);
                total += weight;
                sum += weight * pass.CacheRow(_keyPlane, pages, start + j)[i];
            }

            pool[i] = sum / total;
        }
    }

    private void ChooseRow(ForwardPass pass, int row, Rows queries, Rows weights, float* scores, int* chosen)
    {
        int dim = _config.HeadDim, visible = pass.Position(row) + 1, complete = visible / _config.Pool;
        int* pages = pass.Pages(row);
        float* query = queries.Row(row), weight = weights.Row(row);
        float weightScale = 1 / MathF.Sqrt(_config.Heads), scale = 1 / MathF.Sqrt(dim);
        for (int p = 0; p < complete; p++)
        {
            float* key = pass.CacheRow(_poolPlane, pages, (p + 1) * _config.Pool - 1);
            float sum = 0;
            for (int head = 0; head < _config.Heads; head++)
                sum += weight[head] * weightScale * Math.Max(0, RowMath.Dot(query + head * dim, key, dim) * scale);
            scores[p] = sum;
        }

        int taken = Math.Min(complete, Budget);
        Selection selection = pass.Selection;
        if (complete <= Budget)
        {
            for (int p = 0; p < complete; p++)
                chosen[p] = p;
            selection.Counts[row] = -1;
        }
        else
        {
            Ranking.TopK(new ReadOnlySpan<float>(scores, complete), new Span<int>(chosen, Budget));
            new Span<int>(chosen, Budget).Sort();
            int* positions = selection.Row(row);
            int count = 0;
            for (int i = 0; i < taken; i++)
            {
                for (int j = 0; j < _config.Pool; j++)
                    positions[count++] = chosen[i] * _config.Pool + j;
            }

            for (int position = complete * _config.Pool; position < visible; position++)
                positions[count++] = position;
            selection.Counts[row] = count;
        }

        for (int i = taken; i < Budget; i++)
            chosen[i] = -1;
    }

    private void Observe(ForwardPass pass, Rows scores, int* chosen)
    {
        int tokens = pass.LongestSequence();
        Rows pools = pass.Scratch.Rows(scores.Count, Budget), allowed = pass.Scratch.Rows(scores.Count, tokens), keys = pass.Scratch.Rows(scores.Width, _config.HeadDim);
        allowed.Span.Clear();
        for (int row = 0; row < scores.Count; row++)
        {
            int visible = pass.Position(row) + 1, complete = visible / _config.Pool, count = pass.Selection.Counts[row];
            new Span<float>(scores.Row(row) + complete, scores.Width - complete).Fill(float.NegativeInfinity);
            for (int i = 0; i < Budget; i++)
                pools.Row(row)[i] = chosen[row * Budget + i];
            for (int i = 0; i < (count < 0 ? visible : count); i++)
                allowed.Row(row)[count < 0 ? i : pass.Selection.Row(row)[i]] = 1;
        }

        for (int p = 0; p < keys.Count; p++)
            new ReadOnlySpan<float>(pass.CacheRow(_poolPlane, pass.Pages(pass.RowCount - 1), (p + 1) * _config.Pool - 1), keys.Width).CopyTo(new Span<float>(keys.Row(p), keys.Width));
        pass.Observe("indexer", _layer, "pool_keys", keys);
        pass.Observe("indexer", _layer, "pool_scores", scores);
        pass.Observe("indexer", _layer, "pools", pools);
        pass.Observe("indexer", _layer, "allowed", allowed);
    }
}
