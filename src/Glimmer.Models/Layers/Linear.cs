using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>y = W·x + b.</summary>
internal sealed unsafe class Linear(WeightMatrix weight, float[]? bias)
{
    /// <summary>W, shape (outputs, inputs).</summary>
    public WeightMatrix Weight { get; } = weight;

    /// <summary>Outputs.</summary>
    public int Outputs => Weight.Rows;

    /// <summary>Multiplies every row.</summary>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        MatMul.Multiply(pass.Team, Weight, x.Span, x.Count, y.Span);
        if (bias is null)
            return;
        fixed (float* b = bias)
        {
            for (int row = 0; row < y.Count; row++)
                PlainMath.Add(y.Row(row), b, y.Width);
        }
    }
}
