using Glimmer.Kernels.Elementwise;
using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels;

/// <summary>Linear algebra on single rows. Results may overwrite an operand in place.</summary>
public static unsafe class VectorMath
{
    /// <summary>y = a + b.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Add(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new AddFunction(), a, b, y);

    /// <summary>y = a·b, element by element.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Multiply(ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new MultiplyFunction(), a, b, y);

    /// <summary>y = factor·x.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Scale(ReadOnlySpan<float> x, float factor, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new ScaleFunction(factor), x, x, y);

    /// <summary>y += factor·x, each element with one rounding.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void AddScaled(ReadOnlySpan<float> x, float factor, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new AddScaledFunction(factor), x, y, y);

    /// <summary>Σ a[i]·b[i] in the canonical order of matrix products.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => Dot(InstructionSets.Current, a, b);

    internal static float Dot(InstructionSet set, ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        if (a.Length != b.Length)
            throw new ArgumentException($"Rows of {a.Length} and {b.Length} numbers have no dot product.", nameof(b));
        fixed (float* aPointer = a, bPointer = b)
        {
            var kernel = new DotKernel(aPointer, bPointer, a.Length);
            LaneDispatch.Run(set, ref kernel);
            return kernel.Result;
        }
    }

    private struct DotKernel(float* a, float* b, int length) : ILaneKernel
    {
        public float Result;

        public void Run<V>()
            where V : struct, ILanes<V> => Result = DotTile.Dot<V>(a, b, length);
    }
}
