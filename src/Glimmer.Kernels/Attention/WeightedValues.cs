using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>Where the weights of a tile lie: key k of item i at Data + k·KeyStride + i·ItemStride.</summary>
internal readonly unsafe struct TileWeights(float* data, int keyStride, int itemStride)
{
    public readonly float* Data = data;
    public readonly int KeyStride = keyStride;
    public readonly int ItemStride = itemStride;

    public TileWeights Item(int item) => new(Data + (long)item * ItemStride, KeyStride, ItemStride);
}

/// <summary>Adds the values of a tile, each times its weight, to the running sums of items.</summary>
/// <remarks>
/// Every number of a sum takes its values in the order of the keys, one fused multiply-add each, however many items run together. Keys that an item does not
/// see are not touched, not even with a weight of 0: what lies there may be no number.
/// </remarks>
internal static unsafe class WeightedValues
{
    /// <param name="weights">The weights.</param>
    /// <param name="lengths">Keys that each item sees, from the first of all.</param>
    /// <param name="items">Number of items.</param>
    /// <param name="start">First key of the tile.</param>
    /// <param name="rows">The values of the tile, up to the longest item's last.</param>
    /// <param name="sums">Running sums, item i from sums + i·width.</param>
    /// <param name="width">Floats of a sum and of a value row, a multiple of 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Add<V>(TileWeights weights, int* lengths, int items, int start, float** rows, float* sums, int width)
        where V : struct, ILanes<V>
    {
        int item = 0;
        for (; item + 4 <= items; item += 4)
        {
            TileWeights four = weights.Item(item);
            float* sum = sums + (long)item * width;
            int shared = PagedAttention.TileKeys;
            for (int i = 0; i < 4; i++)
                shared = Math.Min(shared, Count(lengths[item + i], start));
            if (shared > 0)
                Four<V>(four, rows, shared, sum, width);
            for (int i = 0; i < 4; i++)
                One<V>(four.Item(i), rows, shared, Count(lengths[item + i], start), sum + (long)i * width, width);
        }

        for (; item < items; item++)
            One<V>(weights.Item(item), rows, 0, Count(lengths[item], start), sums + (long)item * width, width);
    }

    /// <summary>The same for four items that all see the whole tile, with values as halves and widths of whole 64s.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="items">Items, a multiple of 4.</param>
    /// <param name="rows">The values of the tile.</param>
    /// <param name="next">Values to fetch ahead, or nulls.</param>
    /// <param name="sums">Running sums.</param>
    /// <param name="width">Numbers of a value.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddHalves<V>(TileWeights weights, int items, byte** rows, byte** next, float* sums, int width)
        where V : struct, ILanes<V>
    {
        for (int item = 0; item < items; item += 4)
        {
            for (int c = 0; c < width; c += 64)
                FourWide<V, Halves>(weights.Item(item), rows, next, PagedAttention.TileKeys, sums + (long)item * width, width, c);
        }
    }

    private static int Count(int length, int start) => Math.Clamp(length - start, 0, PagedAttention.TileKeys);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four<V>(TileWeights weights, float** rows, int count, float* sums, int width)
        where V : struct, ILanes<V>
    {
        int c = 0;
        if (typeof(V) == typeof(Lanes512))
        {
            for (; c + 64 <= width; c += 64)
                FourWide<V, Floats>(weights, (byte**)rows, (byte**)rows, count, sums, width, c);
        }

        for (; c < width; c += 16)
            FourNarrow<V>(weights, rows, count, sums, width, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourWide<V, TValues>(TileWeights weights, byte** rows, byte** next, int count, float* sums, long width, long column)
        where V : struct, ILanes<V>
        where TValues : IValues
    {
        float* w0 = weights.Data, w1 = w0 + weights.ItemStride, w2 = w1 + weights.ItemStride, w3 = w2 + weights.ItemStride;
        long step = weights.KeyStride;
        float* sum = sums + column;
        V s00 = V.Load(sum), s01 = V.Load(sum + 16), s02 = V.Load(sum + 32), s03 = V.Load(sum + 48);
        sum += width;
        V s10 = V.Load(sum), s11 = V.Load(sum + 16), s12 = V.Load(sum + 32), s13 = V.Load(sum + 48);
        sum += width;
        V s20 = V.Load(sum), s21 = V.Load(sum + 16), s22 = V.Load(sum + 32), s23 = V.Load(sum + 48);
        sum += width;
        V s30 = V.Load(sum), s31 = V.Load(sum + 16), s32 = V.Load(sum + 32), s33 = V.Load(sum + 48);
        for (long i = 0; i < count; i++)
        {
            byte* row = rows[i];
            TValues.FetchAhead(next[i], column);
            V v0 = TValues.Load<V>(row, column), v1 = TValues.Load<V>(row, column + 16), v2 = TValues.Load<V>(row, column + 32), v3 = TValues.Load<V>(row, column + 48);
            long at = i * step;
            V w = V.Broadcast(w0[at]);
            s00 = V.Fma(w, v0, s00);
            s01 = V.Fma(w, v1, s01);
            s02 = V.Fma(w, v2, s02);
            s03 = V.Fma(w, v3, s03);
            w = V.Broadcast(w1[at]);
            s10 = V.Fma(w, v0, s10);
            s11 = V.Fma(w, v1, s11);
            s12 = V.Fma(w, v2, s12);
            s13 = V.Fma(w, v3, s13);
            w = V.Broadcast(w2[at]);
            s20 = V.Fma(w, v0, s20);
            s21 = V.Fma(w, v1, s21);
            s22 = V.Fma(w, v2, s22);
            s23 = V.Fma(w, v3, s23);
            w = V.Broadcast(w3[at]);
            s30 = V.Fma(w, v0, s30);
            s31 = V.Fma(w, v1, s31);
            s32 = V.Fma(w, v2, s32);
            s33 = V.Fma(w, v3, s33);
        }

        sum = sums + column;
        Put4(s00, s01, s02, s03, sum);
        Put4(s10, s11, s12, s13, sum + width);
        Put4(s20, s21, s22, s23, sum + 2 * width);
        Put4(s30, s31, s32, s33, sum + 3 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FourNarrow<V>(TileWeights weights, float** rows, int count, float* sums, long width, long column)
        where V : struct, ILanes<V>
    {
        float* w0 = weights.Data, w1 = w0 + weights.ItemStride, w2 = w1 + weights.ItemStride, w3 = w2 + weights.ItemStride;
        long step = weights.KeyStride;
        float* sum = sums + column;
        V s0 = V.Load(sum), s1 = V.Load(sum + width), s2 = V.Load(sum + 2 * width), s3 = V.Load(sum + 3 * width);
        for (long i = 0; i < count; i++)
        {
            V value = V.Load(rows[i] + column);
            long at = i * step;
            s0 = V.Fma(V.Broadcast(w0[at]), value, s0);
            s1 = V.Fma(V.Broadcast(w1[at]), value, s1);
            s2 = V.Fma(V.Broadcast(w2[at]), value, s2);
            s3 = V.Fma(V.Broadcast(w3[at]), value, s3);
        }

        V.Store(s0, sum);
        V.Store(s1, sum + width);
        V.Store(s2, sum + 2 * width);
        V.Store(s3, sum + 3 * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One<V>(TileWeights weights, float** rows, int from, int to, float* sum, int width)
        where V : struct, ILanes<V>
    {
        if (from >= to)
            return;
        for (int c = 0; c < width; c += 16)
            OneNarrow<V>(weights.Data, weights.KeyStride, rows, from, to, sum + c, c);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneNarrow<V>(float* weights, long step, float** rows, int from, int to, float* sum, long column)
        where V : struct, ILanes<V>
    {
        V s = V.Load(sum);
        for (long i = from; i < to; i++)
            s = V.Fma(V.Broadcast(weights[i * step]), V.Load(rows[i] + column), s);
        V.Store(s, sum);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put4<V>(V a, V b, V c, V d, float* target)
        where V : struct, ILanes<V>
    {
        V.Store(a, target);
        V.Store(b, target + 16);
        V.Store(c, target + 32);
        V.Store(d, target + 48);
    }

    private interface IValues
    {
        static abstract V Load<V>(byte* row, long column)
            where V : struct, ILanes<V>;

        static abstract void FetchAhead(byte* row, long column);
    }

    private readonly struct Floats : IValues
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load<V>(byte* row, long column)
            where V : struct, ILanes<V> => V.Load((float*)row + column);

        public static void FetchAhead(byte* row, long column)
        {
        }
    }

    private readonly struct Halves : IValues
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static V Load<V>(byte* row, long column)
            where V : struct, ILanes<V> => V.LoadFiniteHalf((ushort*)row + column);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void FetchAhead(byte* row, long column)
        {
            KeyColumns.FetchAhead(row + column * sizeof(ushort));
            KeyColumns.FetchAhead(row + column * sizeof(ushort) + 64);
        }
    }
}
