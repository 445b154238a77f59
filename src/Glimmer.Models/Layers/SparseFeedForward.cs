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
    private readonly Linear _gate;
    private readonly ExpertRouter _router;
    private readonly DenseFeedForward[] _experts;
    private readonly DenseFeedForward? _shared;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public SparseFeedForward(LayerBuilder builder, MoeConfig config)
    {
        int hidden = builder.Config.HiddenSize;
        _layer = builder.Layer;
        _gate = builder.Linear("mlp.gate", config.Experts, hidden);
        _router = new ExpertRouter(config, builder.TryVector("mlp.gate.e_score_correction_bias", config.Experts));
        _experts = builder.Experts("mlp.experts", config.Experts, hidden, config.ExpertWidth);
        if (config.SharedExperts > 0)
            _shared = builder.FeedForward("mlp.shared_experts", hidden, checked(config.ExpertWidth * config.SharedExperts));
    }

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        int perToken = _router.PerToken;
        Rows logits = pass.Scratch.Rows(x.Count, _router.Experts), choice = pass.Scratch.Rows(x.Count, _router.Experts);
        Rows weights = pass.Scratch.Rows(x.Count, perToken);
        int* indices = pass.Scratch.Ints((long)x.Count * perToken);
        _gate.Apply(pass, x, logits);
        pass.Observe("router", _layer, "logits", logits);
        for (int row = 0; row < x.Count; row++)
            _router.Choose(logits.Row(row), choice.Row(row), indices + row * perToken, weights.Row(row));
        if (pass.Observer is not null)
            Observe(pass, indices, weights);

        y.Span.Clear();
        for (int expert = 0; expert < _experts.Length; expert++)
            RunExpert(pass, expert, x, y, indices, weights);
        if (_shared is null)
            return;
        Rows shared = pass.Scratch.Rows(x.Count, y.Width);
        _shared.Apply(pass, x, shared);
        PlainMath.Add(y.Data, shared.Data, checked(y.Count * y.Width));
    }

    private void RunExpert(ForwardPass pass, int expert, Rows x, Rows y, int* indices, Rows weights)
    {
        int perToken = _router.PerToken, members = 0;
        for (int i = 0; i < x.Count * perToken; i++)
            members += indices[i] == expert ? 1 : 0;
        if (members == 0)
            return;

        using Scratch.Frame frame = pass.Scratch.Open();
        int* entries = pass.Scratch.Ints(members);
        Rows gathered = pass.Scratch.Rows(members, x.Width), result = pass.Scratch.Rows(members, y.Width);
        for (int i = 0, member = 0; i < x.Count * perToken; i++)
        {
            if (indices[i] != expert)
                continue;
            entries[member] = i;
            new ReadOnlySpan<float>(x.Row(i / perToken), x.Width).CopyTo(new Span<float>(gathered.Row(member), x.Width));
            member++;
        }

        _experts[expert].Apply(pass, gathered, result);
        for (int member = 0; member < members; member++)
            PlainMath.AddScaled(y.Row(entries[member] / perToken), weights.Data[entries[member]], result.Row(member), y.Width);
    }

    private void Observe(ForwardPass pass, int* indices, Rows weights)
    {
        Rows numbers = pass.Scratch.Rows(weights.Count, weights.Width);
        for (int i = 0; i < weights.Count * weights.Width; i++)
            numbers.Data[i] = indices[i];
        pass.Observe("router", _layer, "indices", numbers);
        pass.Observe("router", _layer, "weights", weights);
    }
}
