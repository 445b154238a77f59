using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>What an item has gathered so far.</summary>
internal struct ItemState
{
    /// <summary>Keys that the item sees.</summary>
    public int Length;

    /// <summary>Largest score.</summary>
    public float Maximum;

    /// <summary>Σ e^(score − maximum).</summary>
    public float Sum;
}

/// <summary>Adds the values of a tile, each times its weight, to the running sums of items.</summary>
/// <remarks>Every number of a sum takes its values in the order of the keys, one fused multiply-add each, however many items run together.</remarks>
internal static unsafe class WeightedValues
{
    /// <param name="weights">Weights of item i from weights + i·<see cref="PagedAttention.TileKeys"/>.</param>
    /// <param name="states">The items; only keys below an item's length are touched.</param>
    /// <param name="items">Number of items.</param>
    /// <param name="start">First key of the tile.</param>
    /// <param name="rows">The values of the tile.</param>
    /// <param name="sums">Running sums, item i from sums + i·width.</param>
    /// <param name="width">Floats of a sum and of a value row, a multiple of 16.</param>
    public static void Add<V>(float* weights, ItemState* states, int items, int start, float** rows, float* sums, int width)
        where V : struct, ILanes<V>
    {
        int item = 0;
        for (; item + 4 <= items; item += 4)
        {
            int shared = PagedAttention.TileKeys;
            for (int i = 0; i < 4; i++)
                shared = Math.Min(shared, Count(states[item + i], start));
            float* weight = weights + item * PagedAttention.TileKeys;
            float* sum = sums + (long)item * width;
            if (shared > 0)
                Four<V>(weight, rows, shared, sum, width);
            for (int i = 0; i < 4; i++)
                One<V>(weight + i * PagedAttention.TileKeys, rows, shared, Count(states[item + i], start), sum + (long)i * width, width);
        }

        for (; item < items; item++)
            One<V>(weights + item * PagedAttention.TileKeys, rows, 0, Count(states[item], start), sums + (long)item * width, width);
    }

    private static int Count(ItemState state, int start) => Math.Clamp(state.Length - start, 0, PagedAttention.TileKeys);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<V>(float* weights, float** rows, int count, float* sums, int width)
        where V : struct, ILanes<V>
    {
        const int Next = PagedAttention.TileKeys;
        float* sum0 = sums, sum1 = sums + width, sum2 = sum1 + width, sum3 = sum2 + width;
        for (int c = 0; c < width; c += 16)
        {
            V s0 = V.Load(sum0 + c), s1 = V.Load(sum1 + c), s2 = V.Load(sum2 + c), s3 = V.Load(sum3 + c);
            for (int i = 0; i < count; i++)
            {
                V value = V.Load(rows[i] + c);
                s0 = V.Fma(V.Broadcast(weights[i]), value, s0);
                s1 = V.Fma(V.Broadcast(weights[i + Next]), value, s1);
                s2 = V.Fma(V.Broadcast(weights[i + 2 * Next]), value, s2);
                s3 = V.Fma(V.Broadcast(weights[i + 3 * Next]), value, s3);
            }

            V.Store(s0, sum0 + c);
            V.Store(s1, sum1 + c);
            V.Store(s2, sum2 + c);
            V.Store(s3, sum3 + c);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<V>(float* weights, float** rows, int from, int to, float* sum, int width)
        where V : struct, ILanes<V>
    {
        if (from >= to)
            return;
        for (int c = 0; c < width; c += 16)
        {
            V s = V.Load(sum + c);
            for (int i = from; i < to; i++)
                s = V.Fma(V.Broadcast(weights[i]), V.Load(rows[i] + c), s);
            V.Store(s, sum + c);
        }
    }
}
