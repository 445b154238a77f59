using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels;

/// <summary>Root-mean-square and layer normalisation of rows, statistics in single precision over sixteen lanes.</summary>
/// <remarks>A row's result depends on that row alone. Results may overwrite their input in place.</remarks>
public static unsafe class Normalisation
{
    /// <summary>y = w·(x / √(mean(x²) + ε)) for every row (Zhang and Sennrich, 2019).</summary>
    /// <param name="x">Rows, shape (rows, width), contiguous.</param>
    /// <param name="weight">One factor per column; its length is the width.</param>
    /// <param name="epsilon">ε, added to the mean square.</param>
    /// <param name="y">Result, the same shape.</param>
    /// <exception cref="ArgumentException">The lengths are not whole rows of the same number.</exception>
    public static void RmsNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y) =>
        RmsNorm(InstructionSets.Current, x, weight, epsilon, y);

    /// <summary>y = w·(x − mean) / √(variance + ε) + b for every row.</summary>
    /// <param name="x">Rows, shape (rows, width), contiguous.</param>
    /// <param name="weight">One factor per column; its length is the width.</param>
    /// <param name="bias">One summand per column.</param>
    /// <param name="epsilon">ε, added to the variance (mean square of the deviations).</param>
    /// <param name="y">Result, the same shape.</param>
    /// <exception cref="ArgumentException">The lengths are not whole rows of the same number.</exception>
    public static void LayerNorm(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float epsilon, Span<float> y) =>
        LayerNorm(InstructionSets.Current, x, weight, bias, epsilon, y);

    internal static void RmsNorm(InstructionSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, float epsilon, Span<float> y)
    {
        CheckRows(x, weight, y);
        fixed (float* from = x, w = weight, to = y)
        {
            var kernel = new RmsKernel(from, w, epsilon, to, x.Length / weight.Length, weight.Length);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    internal static void LayerNorm(InstructionSet set, ReadOnlySpan<float> x, ReadOnlySpan<float> weight, ReadOnlySpan<float> bias, float epsilon, Span<float> y)
    {
        CheckRows(x, weight, y);
        if (bias.Length != weight.Length)
            throw new ArgumentException($"A bias of {bias.Length} numbers does not fit rows of {weight.Length}.", nameof(bias));
        fixed (float* from = x, w = weight, b = bias, to = y)
        {
            var kernel = new LayerKernel(from, w, b, epsilon, to, x.Length / weight.Length, weight.Length);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    private static void CheckRows(ReadOnlySpan<float> x, ReadOnlySpan<float> weight, Span<float> y)
    {
        if (weight.IsEmpty || x.Length % weight.Length != 0 || x.Length != y.Length)
            throw new ArgumentException($"{x.Length} numbers and a result of {y.Length} are not the same whole rows of {weight.Length}.", nameof(x));
    }

    private readonly struct RmsKernel(float* x, float* weight, float epsilon, float* y, int rows, int width) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (int row = 0; row < rows; row++)
                Row<V>(x + (long)row * width, weight, epsilon, y + (long)row * width, width);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(float* x, float* weight, float epsilon, float* y, int width)
            where V : struct, ILanes<V>
        {
            float scale = 1 / MathF.Sqrt(DotTile.Dot<V>(x, x, width) / width + epsilon);
            V factor = V.Broadcast(scale);
            int i = 0;
            for (; i + 16 <= width; i += 16)
                V.Store(V.Load(weight + i) * (V.Load(x + i) * factor), y + i);
            for (; i < width; i++)
                y[i] = weight[i] * (x[i] * scale);
        }
    }

    private readonly struct LayerKernel(float* x, float* weight, float* bias, float epsilon, float* y, int rows, int width) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (int row = 0; row < rows; row++)
                Row<V>(x + (long)row * width, weight, bias, epsilon, y + (long)row * width, width);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(float* x, float* weight, float* bias, float epsilon, float* y, int width)
            where V : struct, ILanes<V>
        {
            V sum = V.Broadcast(0);
            int i = 0;
            for (; i + 16 <= width; i += 16)
                sum += V.Load(x + i);
            if (i < width)
                sum += V.LoadFirst(x + i, width - i);
            float mean = Folding.Sum(sum) / width;

            // Deviations first, into the result, so that lanes past the end count as no deviation at all.
            V shift = V.Broadcast(mean);
            for (i = 0; i + 16 <= width; i += 16)
                V.Store(V.Load(x + i) - shift, y + i);
            for (; i < width; i++)
                y[i] = x[i] - mean;

            float scale = 1 / MathF.Sqrt(DotTile.Dot<V>(y, y, width) / width + epsilon);
            V factor = V.Broadcast(scale);
            for (i = 0; i + 16 <= width; i += 16)
                V.Store(V.Fma(V.Load(y + i) * factor, V.Load(weight + i), V.Load(bias + i)), y + i);
            for (; i < width; i++)
                y[i] = MathF.FusedMultiplyAdd(y[i] * scale, weight[i], bias[i]);
        }
    }
}
