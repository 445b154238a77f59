using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>Root mean square normalisation with a weight per component (arXiv 1910.07467).</summary>
internal sealed unsafe class RmsNorm(float[] weight, float epsilon)
{
    /// <summary>Components.</summary>
    public int Width => weight.Length;

    /// <summary>Normalises every row; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(ForwardPass pass, Rows x, Rows y) =>
        pass.Parallel(x.Count, x.Width * 2, (Norm: this, X: x, Y: y), static (s, row) => s.Norm.Apply(s.X.Row(row), s.Y.Row(row)));

    /// <summary>Normalises one vector; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(float* x, float* y) => ApplyToHeads(x, y, 1);

    /// <summary>Normalises adjoining heads, each by itself.</summary>
    public void ApplyToHeads(float* x, float* y, int heads) =>
        Normalisation.RmsNorm(new ReadOnlySpan<float>(x, heads * Width), weight, epsilon, new Span<float>(y, heads * Width));
}

/// <summary>Layer normalisation with weight and bias (arXiv 1607.06450).</summary>
internal sealed unsafe class LayerNorm(float[] weight, float[] bias, float epsilon)
{
    /// <summary>Normalises one vector; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(float* x, float* y) =>
        Normalisation.LayerNorm(new ReadOnlySpan<float>(x, weight.Length), weight, bias, epsilon, new Span<float>(y, weight.Length));
}
