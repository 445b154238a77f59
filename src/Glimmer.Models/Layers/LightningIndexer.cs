using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// The indexer of DeepSeek sparse attention (arXiv 2512.02556) in GLM's form: a few cheap heads score every earlier
/// token, and attention sees the best of them. Up to its budget everything is seen and nothing is scored.
/// </summary>
internal sealed unsafe class LightningIndexer : IIndexer
{
    private const int RowsAtOnce = 16;
    private const int TileTokens = 128;
    private const float KeyNormEpsilon = 1e-6f;
    private readonly int _layer;
    private readonly IndexerConfig _config;
    private readonly Linear _query;
    private readonly Linear _key;
    private readonly LayerNorm _keyNorm;
    private readonly Linear _gate;
    private readonly int _plane;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public LightningIndexer(LayerBuilder builder)
    {
        _config = builder.Config.Indexer!;
        _layer = builder.Layer;
        int hidden = builder.Config.HiddenSize;
        _query = builder.Linear("self_attn.indexer.wq_b", checked(_config.Heads * _config.HeadDim), builder.Config.Latent!.QueryRank);
        _key = builder.Linear("self_attn.indexer.wk", _config.HeadDim, hidden);
        _keyNorm = builder.LayerNorm("self_attn.indexer.k_norm", _config.HeadDim, KeyNormEpsilon);
        _gate = builder.Linear("self_attn.indexer.weights_proj", _config.Heads, hidden);
        _plane = builder.AddPlane("indexer", _config.HeadDim, exact: true);
    }

    /// <inheritdoc/>
    public void Choose(ForwardPass pass, Rows x, Rows queryLatent)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows keys = pass.Scratch.Rows(x.Count, _config.HeadDim);
        _key.Apply(pass, x, keys);
        for (int row = 0; row < x.Count; row++)
        {
            _keyNorm.Apply(keys.Row(row), keys.Row(row));
            pass.Rotation.Apply(keys.Row(row), 1, keys.Width, row);
            new ReadOnlySpan<float>(keys.Row(row), keys.Width).CopyTo(new Span<float>(pass.CacheRow(_plane, row), keys.Width));
        }

        pass.Observe("indexer", _layer, "k", keys);
        int longest = pass.LongestSequence();
        if (longest <= _config.TopK && pass.Observer is null)
        {
            new Span<int>(pass.Selection.Counts, x.Count).Fill(-1);
            return;
        }

        Rows queries = pass.Scratch.Rows(x.Count, _query.Outputs), gates = pass.Scratch.Rows(x.Count, _config.Heads);
        _query.Apply(pass, queryLatent, queries);
        _gate.Apply(pass, x, gates);
        float scale = 1 / MathF.Sqrt(_config.Heads) / MathF.Sqrt(_config.HeadDim);
        for (int row = 0; row < x.Count; row++)
        {
            pass.Rotation.Apply(queries.Row(row), _config.Heads, _config.HeadDim, row);
            RowMath.Scale(gates.Row(row), scale, gates.Width);
        }

        pass.Observe("indexer", _layer, "q", queries);
        int block = pass.Observer is null ? Math.Min(RowsAtOnce, x.Count) : x.Count;
        Rows scores = pass.Scratch.Rows(block, longest);
        for (int first = 0; first < x.Count; first += block)
            ChooseBlock(pass, first, Math.Min(block, x.Count - first), queries, gates, scores);
        if (pass.Observer is not null)
            Observe(pass, scores);
    }

    private void ChooseBlock(ForwardPass pass, int first, int rows, Rows queries, Rows gates, Rows scores)
    {
        int tiles = (scores.Width + TileTokens - 1) / TileTokens;
        pass.Parallel(rows * tiles, (long)TileTokens * _config.Heads * _config.HeadDim, (This: this, Pass: pass, First: first, Tiles: tiles, Queries: queries, Gates: gates, Scores: scores), static (s, part) =>
            s.This.Score(s.Pass, s.First + part / s.Tiles, part % s.Tiles * TileTokens, s.Queries, s.Gates, s.Scores.Row(part / s.Tiles)));
        pass.Parallel(rows, scores.Width * 8, (This: this, Pass: pass, First: first, Scores: scores), static (s, row) =>
            s.This.Take(s.Pass, s.First + row, s.Scores.Row(row)));
    }

    // score = Σ_h gate_h · relu(query_h · key), for a tile of visible tokens.
    private void Score(ForwardPass pass, int row, int start, Rows queries, Rows gates, float* scores)
    {
        int end = Math.Min(start + TileTokens, pass.Position(row) + 1);
        int* pages = pass.Pages(row);
        float* query = queries.Row(row), gate = gates.Row(row);
        for (int position = start; position < end; position++)
        {
            float* key = pass.CacheRow(_plane, pages, position);
            float sum = 0;
            for (int head = 0; head < _config.Heads; head++)
                sum += gate[head] * Math.Max(0, RowMath.Dot(query + head * _config.HeadDim, key, _config.HeadDim));
            scores[position] = sum;
        }
    }

    private void Take(ForwardPass pass, int row, float* scores)
    {
        int visible = pass.Position(row) + 1;
        Selection selection = pass.Selection;
        if (visible <= _config.TopK)
        {
            selection.Counts[row] = -1;
            return;
        }

        Span<int> chosen = new(selection.Row(row), _config.TopK);
        Ranking.TopK(new ReadOnlySpan<float>(scores, visible), chosen);
        chosen.Sort();
        selection.Counts[row] = _config.TopK;
    }

    private void Observe(ForwardPass pass, Rows scores)
    {
        Rows chosen = pass.Scratch.Rows(scores.Count, _config.TopK);
        chosen.Span.Fill(-1);
        for (int row = 0; row < scores.Count; row++)
        {
            int visible = pass.Position(row) + 1, count = pass.Selection.Counts[row];
            new Span<float>(scores.Row(row) + visible, scores.Width - visible).Fill(float.NegativeInfinity);
            for (int i = 0; i < (count < 0 ? visible : count); i++)
                chosen.Row(row)[i] = count < 0 ? i : pass.Selection.Row(row)[i];
        }

        pass.Observe("indexer", _layer, "scores", scores);
        pass.Observe("indexer", _layer, "topk", chosen);
    }
}
