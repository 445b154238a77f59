using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Elementwise;

/// <summary>
/// Passes over one long row, such as the logits of a token: each reads the row once and notes what later passes need per block of
/// <see cref="Block"/> numbers, so that those can skip most of it. All instruction sets agree bit for bit.
/// </summary>
public static unsafe class RowScans
{
    /// <summary>Numbers per block; the last block of a row may be shorter.</summary>
    public const int Block = 256;

    /// <summary>Blocks of a row.</summary>
    public static int BlocksOf(int length) => (length + Block - 1) / Block;

    /// <summary>Index of the largest number, the lowest of equal ones; −1 when there is none above −∞.</summary>
    /// <param name="values">The row.</param>
    /// <param name="largest">The number; NaN when the row has a NaN, else +∞ when it has one.</param>
    public static int IndexOfLargest(ReadOnlySpan<float> values, out float largest) => IndexOfLargest(InstructionSets.Current, values, out largest);

    /// <summary>Replaces every x by e^((x − shift)·scale), and tells of every block the sum and the largest result.</summary>
    /// <param name="values">The row; changed in place.</param>
    /// <param name="shift">Subtracted first: the row's largest number.</param>
    /// <param name="scale">Multiplied then: 1 / temperature, above 0.</param>
    /// <param name="sums">Receives the blocks' sums.</param>
    /// <param name="largest">Receives the blocks' largest results.</param>
    /// <returns>The sum over all blocks.</returns>
    public static double Exponentials(Span<float> values, float shift, float scale, Span<float> sums, Span<float> largest) =>
        Exponentials(InstructionSets.Current, values, shift, scale, sums, largest);

    /// <summary>Picks every number of at least a bound, in order.</summary>
    /// <param name="values">The row.</param>
    /// <param name="least">The bound.</param>
    /// <param name="largest">The largest number of every block: those below the bound are skipped.</param>
    /// <param name="indices">Receives where they stand; as long as the row at most.</param>
    /// <param name="picked">Receives the numbers.</param>
    /// <returns>How many there are.</returns>
    public static int PickFrom(ReadOnlySpan<float> values, float least, ReadOnlySpan<float> largest, Span<int> indices, Span<float> picked)
    {
        int count = 0;
        for (int block = 0; block < BlocksOf(values.Length); block++)
        {
            if (largest[block] < least)
                continue;
            int end = Math.Min(values.Length, (block + 1) * Block);
            for (int i = block * Block; i < end; i++)
            {
                float value = values[i];
                if (value < least)
                    continue;
                indices[count] = i;
                picked[count++] = value;
            }
        }

        return count;
    }

    internal static int IndexOfLargest(InstructionSet set, ReadOnlySpan<float> values, out float largest)
    {
        LargestKernel kernel;
        fixed (float* row = values)
        {
            kernel = new LargestKernel(row, values.Length);
            LaneDispatch.Run(set, ref kernel);
        }

        largest = kernel.Largest;
        if (kernel.Odd)
        {
            largest = float.PositiveInfinity;
            foreach (float value in values)
                largest = float.IsNaN(value) ? value : largest;
            return values.IndexOf(largest);
        }

        return float.IsNegativeInfinity(largest) ? -1 : values.IndexOf(largest);
    }

    internal static double Exponentials(InstructionSet set, Span<float> values, float shift, float scale, Span<float> sums, Span<float> largest)
    {
        int blocks = BlocksOf(values.Length);
        ArgumentOutOfRangeException.ThrowIfLessThan(sums.Length, blocks, nameof(sums));
        ArgumentOutOfRangeException.ThrowIfLessThan(largest.Length, blocks, nameof(largest));
        fixed (float* row = values, sum = sums, most = largest)
        {
            var kernel = new ExponentialKernel(row, values.Length, shift, scale, sum, most);
            LaneDispatch.Run(set, ref kernel);
        }

        double total = 0;
        foreach (float sum in sums[..blocks])
            total += sum;
        return total;
    }

    /// <summary>The largest of sixteen lanes that hold neither NaN nor −0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float LargestLane<V>(V value, float* scratch)
        where V : struct, ILanes<V>
    {
        V.Store(value, scratch);
        Vector128<float> most = Vector128.Max(
            Vector128.Max(Vector128.Load(scratch), Vector128.Load(scratch + 4)),
            Vector128.Max(Vector128.Load(scratch + 8), Vector128.Load(scratch + 12)));
        most = Vector128.Max(most, Vector128.Shuffle(most, Vector128.Create(2, 3, 0, 1)));
        return Math.Max(most[0], most[1]);
    }

    private struct LargestKernel(float* values, int count) : ILaneKernel
    {
        /// <summary>The largest number; −∞ when there is none.</summary>
        public float Largest = float.NegativeInfinity;

        /// <summary>Whether there is a NaN or +∞.</summary>
        public bool Odd;

        public void Run<V>()
            where V : struct, ILanes<V> => Find<V>(values, count, ref Largest, ref Odd);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Find<V>(float* values, int count, ref float largest, ref bool odd)
            where V : struct, ILanes<V>
        {
            V zero = V.Broadcast(0), one = V.Broadcast(1), infinity = V.Broadcast(float.PositiveInfinity), lowest = V.Broadcast(float.NegativeInfinity);
            // Four chains: one alone would wait for each comparison.
            V first = lowest, second = lowest, third = lowest, fourth = lowest;
            V odds = zero, odds2 = zero, odds3 = zero, odds4 = zero;
            int i = 0;
            for (; i + 64 <= count; i += 64)
            {
                V a = V.Load(values + i), b = V.Load(values + i + 16), c = V.Load(values + i + 32), d = V.Load(values + i + 48);
                first = V.SelectLess(first, a, a, first);
                second = V.SelectLess(second, b, b, second);
                third = V.SelectLess(third, c, c, third);
                fourth = V.SelectLess(fourth, d, d, fourth);
                // Neither a NaN nor +∞ is less than +∞.
                odds = V.SelectLess(a, infinity, odds, one);
                odds2 = V.SelectLess(b, infinity, odds2, one);
                odds3 = V.SelectLess(c, infinity, odds3, one);
                odds4 = V.SelectLess(d, infinity, odds4, one);
            }

            first = V.SelectLess(first, second, second, first);
            third = V.SelectLess(third, fourth, fourth, third);
            largest = V.Largest(V.SelectLess(first, third, third, first));
            odd = V.Largest(odds + odds2 + (odds3 + odds4)) > 0;
            for (; i < count; i++)
            {
                largest = values[i] > largest ? values[i] : largest;
                odd |= !(values[i] < float.PositiveInfinity);
            }
        }
    }

    private readonly struct ExponentialKernel(float* values, int count, float shift, float scale, float* sums, float* largest) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V> => Apply<V>(values, count, shift, scale, sums, largest);

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Apply<V>(float* values, int count, float shift, float scale, float* sums, float* largest)
            where V : struct, ILanes<V>
        {
            V less = V.Broadcast(shift), factor = V.Broadcast(scale);
            float* padded = stackalloc float[16];
            for (int start = 0; start < count; start += Block)
            {
                V sum = V.Broadcast(0), most = V.Broadcast(0);
                int end = Math.Min(count, start + Block), i = start;
                for (; i + 16 <= end; i += 16)
                {
                    V power = LaneMath.Exp((V.Load(values + i) - less) * factor);
                    V.Store(power, values + i);
                    sum += power;
                    most = V.SelectLess(most, power, power, most);
                }

                if (i < end)
                {
                    for (int lane = 0; lane < 16; lane++)
                        padded[lane] = i + lane < end ? values[i + lane] : float.NegativeInfinity;
                    V power = LaneMath.Exp((V.Load(padded) - less) * factor);
                    V.StoreFirst(power, values + i, end - i);
                    sum += power;
                    most = V.SelectLess(most, power, power, most);
                }

                sums[start / Block] = Folding.Sum(sum);
                largest[start / Block] = LargestLane(most, padded);
            }
        }
    }
}
