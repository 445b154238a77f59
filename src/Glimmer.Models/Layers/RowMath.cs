using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>The kernels' row operations on pointers into scratch memory.</summary>
internal static unsafe class RowMath
{
    /// <summary>Σ a[i]·b[i].</summary>
    public static float Dot(float* a, float* b, int length) => VectorMath.Dot(Row(a, length), Row(b, length));

    /// <summary>y[i] += factor·x[i].</summary>
    public static void AddScaled(float* y, float factor, float* x, int length) => VectorMath.AddScaled(Row(x, length), factor, Row(y, length));

    /// <summary>y[i] += x[i].</summary>
    public static void Add(float* y, float* x, int length) => VectorMath.Add(Row(y, length), Row(x, length), Row(y, length));

    /// <summary>y[i] *= factor.</summary>
    public static void Scale(float* y, float factor, int length) => VectorMath.Scale(Row(y, length), factor, Row(y, length));

    /// <summary>x[i] = 1 / (1 + e^−x[i]).</summary>
    public static void Sigmoid(float* x, int length) => Activations.Sigmoid(Row(x, length), Row(x, length));

    /// <summary>1 / (1 + e^−x).</summary>
    public static float Sigmoid(float x) => 1 / (1 + MathF.Exp(-x));

    /// <summary>Copies a row.</summary>
    public static void Copy(float* from, float* to, int length) => Row(from, length).CopyTo(Row(to, length));

    private static Span<float> Row(float* first, int length) => new(first, length);
}
