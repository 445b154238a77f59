using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>Largest elements; among equals the lower index comes first. A NaN is never chosen before a number.</summary>
public static unsafe class Ranking
{
    /// <summary>Index of the largest element; 0 when all are −∞ or NaN.</summary>
    /// <exception cref="ArgumentException">There is no element.</exception>
    public static int ArgMax(ReadOnlySpan<float> values) => ArgMax(InstructionSets.Current, values);

    /// <summary>Indices of the largest elements, in descending order of their value.</summary>
    /// <param name="values">The elements.</param>
    /// <param name="indices">Receives as many indices as it is long; at most as many as there are elements.</param>
    /// <exception cref="ArgumentException">More indices are asked for than there are elements.</exception>
    public static void TopK(ReadOnlySpan<float> values, Span<int> indices)
    {
        int k = indices.Length;
        if (k > values.Length)
            throw new ArgumentException($"The {k} largest of {values.Length} elements do not exist.", nameof(indices));
        if (k == 0)
            return;

        // A binary heap whose root is the element to drop next: the smallest, and of equals the last.
        for (int i = 0; i < k; i++)
            indices[i] = i;
        for (int root = k / 2 - 1; root >= 0; root--)
            Sink(values, indices, root, k);
        float smallest = values[indices[0]];
        for (int i = k; i < values.Length; i++)
        {
            // Not greater means not better: an equal element with a higher index loses. NaN compares as below −∞.
            if (!(values[i] > smallest) && !(float.IsNaN(smallest) && !float.IsNaN(values[i])))
                continue;
            indices[0] = i;
            Sink(values, indices, 0, k);
            smallest = values[indices[0]];
        }

        for (int last = k - 1; last > 0; last--)
        {
            (indices[0], indices[last]) = (indices[last], indices[0]);
            Sink(values, indices, 0, last);
        }
    }

    internal static int ArgMax(InstructionSet set, ReadOnlySpan<float> values)
    {
        if (values.IsEmpty)
            throw new ArgumentException("An empty row has no largest element.", nameof(values));
        float largest;
        fixed (float* source = values)
        {
            var kernel = new LargestKernel(source, values.Length);
            LaneDispatch.Run(set, ref kernel);
            largest = kernel.Result;
        }

        // The first element that is as large: 0 and −0 are equal, and all −∞ or NaN leaves the first.
        if (float.IsNegativeInfinity(largest))
            return 0;
        int index = 0;
        while (values[index] != largest)
            index++;
        return index;
    }

    /// <summary>Whether the first index ranks behind the second.</summary>
    private static bool Worse(ReadOnlySpan<float> values, int a, int b)
    {
        float first = values[a], second = values[b];
        if (first < second)
            return true;
        if (first > second)
            return false;
        if (float.IsNaN(first) != float.IsNaN(second))
            return float.IsNaN(first);
        return a > b;
    }

    private static void Sink(ReadOnlySpan<float> values, Span<int> heap, int root, int count)
    {
        while (true)
        {
            int child = 2 * root + 1;
            if (child >= count)
                return;
            if (child + 1 < count && Worse(values, heap[child + 1], heap[child]))
                child++;
            if (!Worse(values, heap[child], heap[root]))
                return;
            (heap[root], heap[child]) = (heap[child], heap[root]);
            root = child;
        }
    }

    private struct LargestKernel(float* values, int count) : ILaneKernel
    {
        public float Result;

        public void Run<V>()
            where V : struct, ILanes<V> => Result = Largest<V>(values, count);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static float Largest<V>(float* values, int count)
            where V : struct, ILanes<V>
        {
            V first = V.Broadcast(float.NegativeInfinity), second = first;
            int i = 0;
            for (; i + 32 <= count; i += 32)
            {
                V a = V.Load(values + i), b = V.Load(values + i + 16);
                first = V.SelectLess(first, a, a, first);
                second = V.SelectLess(second, b, b, second);
            }

            float largest = V.Largest(V.SelectLess(first, second, second, first));
            for (; i < count; i++)
            {
                if (largest < values[i])
                    largest = values[i];
            }

            return largest;
        }
    }
}
