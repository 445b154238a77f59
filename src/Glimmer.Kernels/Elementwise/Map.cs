using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Elementwise;

/// <summary>A function of two numbers, written for lanes. Functions of one number ignore the second.</summary>
internal interface ILaneFunction
{
    /// <summary>The function of every pair of lanes.</summary>
    V Invoke<V>(V a, V b)
        where V : struct, ILanes<V>;
}

/// <summary>Applies a function to rows of numbers. What happens to a number depends on itself alone, so any split is exact.</summary>
internal static unsafe class Map
{
    /// <summary>y[i] = f(a[i], b[i]); y may be a or b, but must not overlap them otherwise.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Apply<TFunction>(InstructionSet set, TFunction function, ReadOnlySpan<float> a, ReadOnlySpan<float> b, Span<float> y)
        where TFunction : struct, ILaneFunction
    {
        if (a.Length != y.Length || b.Length != y.Length)
            throw new ArgumentException($"Operands of {a.Length} and {b.Length} numbers do not fit a result of {y.Length}.", nameof(y));
        fixed (float* aPointer = a, bPointer = b, yPointer = y)
        {
            var kernel = new Kernel<TFunction>(function, aPointer, bPointer, yPointer, y.Length);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    private readonly struct Kernel<TFunction>(TFunction function, float* a, float* b, float* y, int count) : ILaneKernel
        where TFunction : struct, ILaneFunction
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            TFunction f = function;
            float* first = a, second = b, result = y;
            int i = Whole<V>(f, first, second, result, count);
            if (i < count)
                V.StoreFirst(f.Invoke(V.LoadFirst(first + i, count - i), V.LoadFirst(second + i, count - i)), result + i, count - i);
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.AggressiveOptimization)]
        private static int Whole<V>(TFunction f, float* a, float* b, float* y, int count)
            where V : struct, ILanes<V>
        {
            int i = 0;
            for (; i + 16 <= count; i += 16)
                V.Store(f.Invoke(V.Load(a + i), V.Load(b + i)), y + i);
            return i;
        }
    }
}
