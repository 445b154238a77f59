using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>y[i] = e^(x[i] − max x) / Σ_j e^(x[j] − max x), in single precision.</summary>
public static unsafe class Softmax
{
    /// <summary>Computes the softmax of one row; <paramref name="y"/> may be <paramref name="x"/>. An empty row stays empty.</summary>
    /// <remarks>−∞ gives 0; a row of nothing but −∞, or with a NaN or +∞, gives NaN.</remarks>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Apply(ReadOnlySpan<float> x, Span<float> y) => Apply(InstructionSets.Current, x, y);

    internal static void Apply(InstructionSet set, ReadOnlySpan<float> x, Span<float> y)
    {
        if (x.Length != y.Length)
            throw new ArgumentException($"A row of {x.Length} numbers does not fit a result of {y.Length}.", nameof(y));
        if (x.IsEmpty)
            return;
        fixed (float* from = x, to = y)
        {
            var kernel = new Kernel(from, to, x.Length);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    private readonly struct Kernel(float* x, float* y, int count) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V> => Apply<V>(x, y, count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Apply<V>(float* x, float* y, int count)
            where V : struct, ILanes<V>
        {
            int whole = count & ~15, rest = count & 15;
            V end = V.Broadcast(float.NegativeInfinity);
            if (rest > 0)
            {
                float* padded = stackalloc float[16];
                for (int i = 0; i < 16; i++)
                    padded[i] = i < rest ? x[whole + i] : float.NegativeInfinity;
                end = V.Load(padded);
            }

            V largest = end;
            for (int i = 0; i < whole; i += 16)
            {
                V value = V.Load(x + i);
                largest = V.SelectLess(largest, value, value, largest);
            }

            V shift = V.Broadcast(V.Largest(largest));
            V sum = V.Broadcast(0);
            for (int i = 0; i < whole; i += 16)
            {
                V power = LaneMath.Exp(V.Load(x + i) - shift);
                V.Store(power, y + i);
                sum += power;
            }

            if (rest > 0)
            {
                end = LaneMath.Exp(end - shift);
                sum += end;
            }

            V total = V.Broadcast(Folding.Sum(sum));
            for (int i = 0; i < whole; i += 16)
                V.Store(V.Load(y + i) / total, y + i);
            if (rest > 0)
                V.StoreFirst(end / total, y + whole, rest);
        }
    }
}
