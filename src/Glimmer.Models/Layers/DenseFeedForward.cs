using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>The three matrices of a SwiGLU network.</summary>
/// <param name="Gate">Shape (width, hidden).</param>
/// <param name="Up">Shape (width, hidden).</param>
/// <param name="Down">Shape (hidden, width).</param>
internal sealed record FeedForwardWeights(WeightMatrix Gate, WeightMatrix Up, WeightMatrix Down)
{
    /// <summary>Inner width.</summary>
    public int Width => Gate.Rows;
}

/// <summary>SwiGLU network: W_down(silu(W_gate x) ⊙ (W_up x)) (arXiv 2002.05202).</summary>
internal sealed unsafe class DenseFeedForward(FeedForwardWeights weights, float limit) : ILayerPart
{
    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows gate = pass.Scratch.Rows(x.Count, weights.Width), up = pass.Scratch.Rows(x.Count, weights.Width);
        pass.Products.Add(weights.Gate, x, gate);
        pass.Products.Add(weights.Up, x, up);
        pass.Products.Run(pass);
        Activate(pass, gate, up, limit);
        MatMul.Multiply(pass.Team, weights.Down, gate.Span, x.Count, y.Span, pass.Mode);
    }

    /// <summary>gate = silu(gate) ⊙ up, both bounded by <paramref name="limit"/>.</summary>
    public static void Activate(ForwardPass pass, Rows gate, Rows up, float limit) =>
        pass.Parallel(gate.Count, gate.Width * 16, (Gate: gate, Up: up, Limit: limit), static (s, row) =>
        {
            Span<float> g = new(s.Gate.Row(row), s.Gate.Width), u = new(s.Up.Row(row), s.Up.Width);
            if (float.IsPositiveInfinity(s.Limit))
                Activations.SwiGlu(g, u, g);
            else
                Activations.SwiGlu(g, u, s.Limit, g);
        });
}
