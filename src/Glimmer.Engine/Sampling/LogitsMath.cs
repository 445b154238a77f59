using System.Numerics;

namespace Glimmer.Engine.Sampling;

/// <summary>Passes over one row of logits.</summary>
internal static class LogitsMath
{
    /// <summary>Σ exp(x − max), leaving the values alone.</summary>
    public static double SumOfExponentials(ReadOnlySpan<float> values, float max)
    {
        int width = Vector<float>.Count, i = 0;
        Vector<float> top = new(max);
        double sum = 0;
        for (; i + width <= values.Length; i += width)
            sum += Vector.Sum(Vector.Exp(new Vector<float>(values[i..]) - top));
        for (; i < values.Length; i++)
            sum += MathF.Exp(values[i] - max);
        return sum;
    }
}
