namespace Glimmer.Models.Layers;

/// <summary>Layer normalisation with weight and bias (arXiv 1607.06450).</summary>
internal sealed unsafe class LayerNorm(float[] weight, float[] bias, float epsilon)
{
    /// <summary>Normalises one vector; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(float* x, float* y)
    {
        fixed (float* w = weight, b = bias)
            PlainMath.LayerNorm(x, w, b, y, weight.Length, epsilon);
    }
}
