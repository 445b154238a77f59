namespace Glimmer.Models.Layers;

/// <summary>SwiGLU network: W_down(silu(W_gate x) ⊙ (W_up x)) (arXiv 2002.05202).</summary>
internal sealed unsafe class DenseFeedForward(Linear gate, Linear up, Linear down, float limit) : ILayerPart
{
    /// <summary>Inner width.</summary>
    public int Width => gate.Outputs;

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows g = pass.Scratch.Rows(x.Count, Width), u = pass.Scratch.Rows(x.Count, Width);
        gate.Apply(pass, x, g);
        up.Apply(pass, x, u);
        pass.Parallel(x.Count, Width * 16, (G: g, U: u, Limit: limit), static (s, row) => PlainMath.Swiglu(s.G.Row(row), s.U.Row(row), s.G.Width, s.Limit));
        down.Apply(pass, g, y);
    }
}
