using Glimmer.Kernels;
using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// Mixture of experts: every token uses the experts its router chose, and the shared one. Tokens are grouped by expert
/// so that each expert's weights are read once per pass; a token's sum runs over its experts in ascending order, whatever
/// else is in the batch.
/// </summary>
internal sealed unsafe class SparseFeedForward : ILayerPart
{
    private readonly int _layer;
    private readonly float _limit;
    private readonly Linear _gate;
    private readonly ExpertRouter _router;
    private readonly float[] _bias;
    private readonly FeedForwardWeights[] _experts;
    private readonly FeedForwardWeights? _shared;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public SparseFeedForward(LayerBuilder builder, MoeConfig config)
    {
        int hidden = builder.Config.HiddenSize;
        _layer = builder.Layer;
        _limit = builder.SwigluLimit;
        _gate = builder.Linear("mlp.gate", config.Experts, hidden);
        _router = new ExpertRouter(config.Experts, config.PerToken, config.Groups, config.GroupsKept, config.Normalise, (float)config.Scale, config.Score);
        _bias = builder.TryVector("mlp.gate.e_score_correction_bias", config.Experts) ?? [];
        _experts = builder.Experts("mlp.experts", config.Experts, hidden, config.ExpertWidth);
        if (config.SharedExperts > 0)
            _shared = builder.FeedForward("mlp.shared_experts", hidden, checked(config.ExpertWidth * config.SharedExperts));
    }

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Scratch scratch = pass.Scratch;
        int perToken = _router.Chosen, pairs = checked(x.Count * perToken), experts = _experts.Length;
        Rows weights = scratch.Rows(x.Count, perToken);
        int* indices = scratch.Ints(pairs);
        Route(pass, x, indices, weights);

        // Sort the (token, expert) pairs by expert: place[pair] is the row where the pair's expert works.
        int* start = scratch.Ints(experts + 1), place = scratch.Ints(pairs);
        Sort(indices, pairs, start, place);
        // A single token's experts read its row where it is, which also lets them share its quantised form.
        bool single = x.Count == 1;
        Rows gathered = single ? x : scratch.Rows(pairs, x.Width);
        if (!single)
        {
            pass.Parallel(pairs, x.Width, (X: x, To: gathered, Place: (nint)place, PerToken: perToken), static (s, pair) =>
                RowMath.Copy(s.X.Row(pair / s.PerToken), s.To.Row(((int*)s.Place)[pair]), s.X.Width));
        }

        Rows gate = scratch.Rows(pairs, _experts[0].Width), up = scratch.Rows(pairs, _experts[0].Width);
        Rows sharedGate = scratch.Rows(x.Count, _shared?.Width ?? 0), sharedUp = scratch.Rows(x.Count, _shared?.Width ?? 0);
        for (int e = 0; e < experts; e++)
        {
            int first = start[e], count = start[e + 1] - first;
            if (count == 0)
                continue;
            Rows input = single ? x : gathered.Slice(first, count);
            pass.Products.Add(_experts[e].Gate, input, gate.Slice(first, count));
            pass.Products.Add(_experts[e].Up, input, up.Slice(first, count));
        }

        if (_shared is not null)
        {
            pass.Products.Add(_shared.Gate, x, sharedGate);
            pass.Products.Add(_shared.Up, x, sharedUp);
        }

        pass.Products.Run(pass);
        DenseFeedForward.Activate(pass, gate, up, _limit);
        if (_shared is not null)
            DenseFeedForward.Activate(pass, sharedGate, sharedUp, _limit);

        Rows results = scratch.Rows(pairs, y.Width), sharedResults = scratch.Rows(_shared is null ? 0 : x.Count, y.Width);
        for (int e = 0; e < experts; e++)
        {
            int first = start[e], count = start[e + 1] - first;
            if (count > 0)
                pass.Products.Add(_experts[e].Down, gate.Slice(first, count), results.Slice(first, count));
        }

        if (_shared is not null)
            pass.Products.Add(_shared.Down, sharedGate, sharedResults);
        pass.Products.Run(pass);
        pass.Parallel(x.Count, (long)y.Width * (perToken + 1), (Y: y, Results: results, Shared: sharedResults, Weights: weights, Place: (nint)place), static (s, row) =>
            Combine(s.Y.Row(row), s.Results, s.Shared.Count == 0 ? null : s.Shared.Row(row), s.Weights.Row(row), (int*)s.Place + row * s.Weights.Width, s.Weights.Width));
    }

    private void Route(ForwardPass pass, Rows x, int* indices, Rows weights)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows logits = pass.Scratch.Rows(x.Count, _router.Experts);
        _gate.Apply(pass, x, logits);
        pass.Observe("router", _layer, "logits", logits);
        pass.Parallel(x.Count, (long)_router.Experts * (_router.Chosen + 8), (This: this, Logits: logits, Indices: (nint)indices, Weights: weights), static (s, row) =>
            s.This._router.Route(new ReadOnlySpan<float>(s.Logits.Row(row), s.Logits.Width), s.This._bias, new Span<int>((int*)s.Indices + row * s.Weights.Width, s.Weights.Width), new Span<float>(s.Weights.Row(row), s.Weights.Width)));
        if (pass.Observer is null)
            return;
        Rows numbers = pass.Scratch.Rows(weights.Count, weights.Width);
        for (int i = 0; i < weights.Count * weights.Width; i++)
            numbers.Data[i] = indices[i];
        pass.Observe("router", _layer, "indices", numbers);
        pass.Observe("router", _layer, "weights", weights);
    }

    private void Sort(int* indices, int pairs, int* start, int* place)
    {
        int experts = _experts.Length;
        new Span<int>(start, experts + 1).Clear();
        for (int i = 0; i < pairs; i++)
            start[indices[i] + 1]++;
        for (int e = 0; e < experts; e++)
            start[e + 1] += start[e];
        for (int i = 0; i < pairs; i++)
            place[i] = start[indices[i]]++;
        for (int e = experts; e > 0; e--)
            start[e] = start[e - 1];
        start[0] = 0;
    }

    private static void Combine(float* y, Rows results, float* shared, float* weights, int* place, int perToken)
    {
        int width = results.Width;
        new Span<float>(y, width).Clear();
        for (int k = 0; k < perToken; k++)
            RowMath.AddScaled(y, weights[k], results.Row(place[k]), width);
        if (shared is not null)
            RowMath.Add(y, shared, width);
    }
}
