using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>Running softmax statistics of items: item i's largest score and Σ e^(score − largest).</summary>
internal readonly unsafe struct ItemStatistics(float* maxima, float* totals)
{
    /// <summary>Stands for no score yet: finite, so that differences stay numbers.</summary>
    public const float None = -3e38f;

    public readonly float* Maxima = maxima;
    public readonly float* Totals = totals;

    public void Clear(int items)
    {
        new Span<float>(Maxima, items).Fill(None);
        new Span<float>(Totals, items).Clear();
    }
}

/// <summary>
/// Turns the dot products of a tile into weights e^(score − maximum), raising maxima and correcting totals (Milakov and Gimelshein, 2018). Keys that
/// an item does not see count as −∞, so their weight is 0.
/// </summary>
/// <remarks>
/// The weights of a tile are added in one order: keys k and k + 16, then the sixteen as the lanes of a register are folded. A maximum that does not rise
/// corrects by e^0 = 1, which changes nothing.
/// </remarks>
internal static unsafe class TileSoftmax
{
    private const int TileKeys = PagedAttention.TileKeys;

    /// <summary>For scores in the order of <see cref="Scores.ByItem"/>.</summary>
    /// <param name="scores">Dot products, replaced by weights; weights of keys past <paramref name="count"/> become 0.</param>
    /// <param name="count">Keys in the tile.</param>
    /// <param name="items">Items, a multiple of 16.</param>
    /// <param name="start">First key of the tile.</param>
    /// <param name="lengths">Keys that each item sees; null when each sees the whole tile.</param>
    /// <param name="factor">Factor on every score.</param>
    /// <param name="state">Statistics, brought up to date.</param>
    /// <param name="corrections">Receives what the sums of values gathered so far must be multiplied with.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ByItem<V>(float* scores, int count, int items, int start, float* lengths, float factor, ItemStatistics state, float* corrections)
        where V : struct, ILanes<V>
    {
        V scale = V.Broadcast(factor);
        for (int item = 0; item < items; item += 16)
        {
            float* column = scores + item;
            V old = V.Load(state.Maxima + item), maximum = old;
            if (lengths == null)
            {
                for (int k = 0; k < count; k++)
                {
                    V score = V.Load(column + (long)k * items) * scale;
                    V.Store(score, column + (long)k * items);
                    maximum = V.SelectLess(maximum, score, score, maximum);
                }
            }
            else
            {
                V length = V.Load(lengths + item), nothing = V.Broadcast(float.NegativeInfinity);
                for (int k = 0; k < count; k++)
                {
                    V score = V.SelectLess(V.Broadcast(start + k), length, V.Load(column + (long)k * items) * scale, nothing);
                    V.Store(score, column + (long)k * items);
                    maximum = V.SelectLess(maximum, score, score, maximum);
                }
            }

            for (int k = 0; k < count; k++)
                V.Store(LaneMath.Exp(V.Load(column + (long)k * items) - maximum), column + (long)k * items);
            for (int k = count; k < TileKeys; k++)
                V.Store(V.Broadcast(0), column + (long)k * items);
            V correction = LaneMath.Exp(old - maximum);
            V.Store(maximum, state.Maxima + item);
            V.Store(correction, corrections + item);
            V.Store(V.Load(state.Totals + item) * correction + Sum<V>(column, items), state.Totals + item);
        }
    }

    /// <summary>For the scores of one item in the order of <see cref="Scores.ByKey"/>.</summary>
    /// <param name="scores">Dot products, replaced by weights.</param>
    /// <param name="count">Keys of the tile that the item sees, at least 1.</param>
    /// <param name="factor">Factor on every score.</param>
    /// <param name="maximum">Largest score.</param>
    /// <param name="total">Sum of the weights.</param>
    /// <returns>What the sums of values gathered so far must be multiplied with.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float ByKey<V>(float* scores, int count, float factor, ref float maximum, ref float total)
        where V : struct, ILanes<V>
    {
        V scale = V.Broadcast(factor);
        V.Store(V.Load(scores) * scale, scores);
        V.Store(V.Load(scores + 16) * scale, scores + 16);
        for (int i = count; i < TileKeys; i++)
            scores[i] = float.NegativeInfinity;
        V first = V.Load(scores), second = V.Load(scores + 16);
        float largest = V.Largest(V.SelectLess(first, second, second, first)), correction = 1;
        if (largest > maximum)
        {
            float* power = stackalloc float[16];
            V.Store(LaneMath.Exp(V.Broadcast(maximum) - V.Broadcast(largest)), power);
            correction = power[0];
            maximum = largest;
        }

        V shift = V.Broadcast(maximum);
        first = LaneMath.Exp(first - shift);
        second = LaneMath.Exp(second - shift);
        V.Store(first, scores);
        V.Store(second, scores + 16);
        total = total * correction + Folding.Sum(first + second);
        return correction;
    }

    // The order of Folding.Sum over lanes k + (k + 16).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Sum<V>(float* weights, long stride)
        where V : struct, ILanes<V>
    {
        V f0 = Folded<V>(weights, stride), f2 = Folded<V>(weights + 2 * stride, stride);
        V even = f0 + f2;
        V f1 = Folded<V>(weights + stride, stride), f3 = Folded<V>(weights + 3 * stride, stride);
        return even + (f1 + f3);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Folded<V>(float* weights, long stride)
        where V : struct, ILanes<V> =>
        (Pair<V>(weights, stride) + Pair<V>(weights + 8 * stride, stride)) + (Pair<V>(weights + 4 * stride, stride) + Pair<V>(weights + 12 * stride, stride));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Pair<V>(float* weights, long stride)
        where V : struct, ILanes<V> => V.Load(weights) + V.Load(weights + 16 * stride);
}
