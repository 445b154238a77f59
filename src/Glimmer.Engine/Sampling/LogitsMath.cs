using System.Numerics;

namespace Glimmer.Engine.Sampling;

/// <summary>Passes over one row of logits.</summary>
internal static class LogitsMath
{
    /// <summary>The largest value and its lowest index; the index is −1 when no value is a number above −∞.</summary>
    public static (float Value, int Index) Max(ReadOnlySpan<float> values)
    {
        int width = Vector<float>.Count, i = 0;
        float max = float.NegativeInfinity;
        if (values.Length >= width)
        {
            Vector<float> best = new(values);
            for (i = width; i + width <= values.Length; i += width)
                best = Vector.Max(best, new Vector<float>(values[i..]));
            for (int lane = 0; lane < width; lane++)
                max = Math.Max(max, best[lane]);
        }

        for (; i < values.Length; i++)
            max = Math.Max(max, values[i]);
        if (float.IsNaN(max) || float.IsNegativeInfinity(max))
            return (max, -1);
        Vector<float> wanted = new(max);
        for (i = 0; i + width <= values.Length; i += width)
        {
            if (Vector.EqualsAny(new Vector<float>(values[i..]), wanted))
                break;
        }

        while (values[i] != max)
            i++;
        return (max, i);
    }

    /// <summary>Replaces every value x by exp((x − max)·scale) and returns the sum.</summary>
    public static double Exponentials(Span<float> values, float max, float scale)
    {
        int width = Vector<float>.Count, i = 0;
        Vector<float> top = new(max), factor = new(scale);
        double sum = 0;
        for (; i + width <= values.Length; i += width)
        {
            Vector<float> y = Vector.Exp((new Vector<float>(values[i..]) - top) * factor);
            y.CopyTo(values[i..]);
            sum += Vector.Sum(y);
        }

        for (; i < values.Length; i++)
        {
            values[i] = MathF.Exp((values[i] - max) * scale);
            sum += values[i];
        }

        return sum;
    }

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
