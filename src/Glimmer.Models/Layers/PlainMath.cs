using System.Numerics;

namespace Glimmer.Models.Layers;

/// <summary>Short vector operations. Their order of summation depends on the length alone.</summary>
internal static unsafe class PlainMath
{
    /// <summary>Σ a[i]·b[i].</summary>
    public static float Dot(float* a, float* b, int length)
    {
        int width = Vector<float>.Count;
        Vector<float> first = default, second = default;
        int i = 0;
        for (; i + 2 * width <= length; i += 2 * width)
        {
            first += Vector.Load(a + i) * Vector.Load(b + i);
            second += Vector.Load(a + i + width) * Vector.Load(b + i + width);
        }

        float sum = Vector.Sum(first + second);
        for (; i < length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    /// <summary>y[i] += factor·x[i].</summary>
    public static void AddScaled(float* y, float factor, float* x, int length)
    {
        int width = Vector<float>.Count, i = 0;
        Vector<float> factors = new(factor);
        for (; i + width <= length; i += width)
            (Vector.Load(y + i) + factors * Vector.Load(x + i)).Store(y + i);
        for (; i < length; i++)
            y[i] += factor * x[i];
    }

    /// <summary>y[i] += x[i].</summary>
    public static void Add(float* y, float* x, int length)
    {
        int width = Vector<float>.Count, i = 0;
        for (; i + width <= length; i += width)
            (Vector.Load(y + i) + Vector.Load(x + i)).Store(y + i);
        for (; i < length; i++)
            y[i] += x[i];
    }

    /// <summary>y[i] *= factor.</summary>
    public static void Scale(float* y, float factor, int length)
    {
        for (int i = 0; i < length; i++)
            y[i] *= factor;
    }

    /// <summary>Root mean square normalisation: y = w · x / sqrt(mean(x²) + eps); without weights when <paramref name="weight"/> is null.</summary>
    public static void RmsNorm(float* x, float* weight, float* y, int length, float epsilon)
    {
        double sum = 0;
        for (int i = 0; i < length; i++)
            sum += (double)x[i] * x[i];
        float factor = (float)(1 / Math.Sqrt(sum / length + epsilon));
        for (int i = 0; i < length; i++)
            y[i] = weight is null ? x[i] * factor : weight[i] * (x[i] * factor);
    }

    /// <summary>Layer normalisation: y = w · (x − mean) / sqrt(variance + eps) + b.</summary>
    public static void LayerNorm(float* x, float* weight, float* bias, float* y, int length, float epsilon)
    {
        double sum = 0;
        for (int i = 0; i < length; i++)
            sum += x[i];
        double mean = sum / length, squares = 0;
        for (int i = 0; i < length; i++)
            squares += (x[i] - mean) * (x[i] - mean);
        double factor = 1 / Math.Sqrt(squares / length + epsilon);
        for (int i = 0; i < length; i++)
            y[i] = (float)((x[i] - mean) * factor) * weight[i] + bias[i];
    }

    /// <summary>gate[i] = silu(gate[i])·up[i], both bounded first when <paramref name="limit"/> is finite.</summary>
    public static void Swiglu(float* gate, float* up, int length, float limit)
    {
        for (int i = 0; i < length; i++)
        {
            float g = Math.Min(gate[i], limit), u = Math.Clamp(up[i], -limit, limit);
            gate[i] = g * Sigmoid(g) * u;
        }
    }

    /// <summary>1 / (1 + e^−x).</summary>
    public static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));
}
