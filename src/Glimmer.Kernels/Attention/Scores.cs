using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>Register tiles of dot products of queries with a tile of keys.</summary>
/// <remarks>
/// The canonical order: a product takes its elements one after the other, from the first, with fused multiply-add, starting from 0. Whether sixteen
/// queries or sixteen keys share a register therefore changes nothing.
/// </remarks>
internal static unsafe class Scores
{
    private const int TileKeys = PagedAttention.TileKeys;

    /// <summary>Sixteen items in a register, keys one by one: for many items.</summary>
    /// <param name="keyRows">The keys of the tile, <paramref name="width"/> floats each.</param>
    /// <param name="count">Keys, 1 to <see cref="TileKeys"/>.</param>
    /// <param name="queries">Element d of item i at queries + d·items + i.</param>
    /// <param name="items">Items, a multiple of 16.</param>
    /// <param name="width">Floats of a key and a query.</param>
    /// <param name="scores">Key k with item i goes to scores + k·items + i; room for all keys of a tile.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ByItem<V>(float** keyRows, int count, float* queries, int items, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float** rows = stackalloc float*[TileKeys];
        for (int k = 0; k < TileKeys; k++)
            rows[k] = keyRows[Math.Min(k, count - 1)]; // past the end the last key again; nobody reads what comes of it
        int item = 0;
        if (typeof(V) == typeof(Lanes512))
        {
            // Sixteen sums in registers: only the 512-bit form has enough of them.
            for (; item + 64 <= items; item += 64)
            {
                for (int k = 0; k < count; k += 4)
                    SixtyFour<V>(rows + k, queries + item, items, width, scores + (long)k * items + item);
            }

            for (; item < items; item += 16)
            {
                for (int k = 0; k < count; k += 8)
                    SixteenWithEight<V>(rows + k, queries + item, items, width, scores + (long)k * items + item);
            }
        }

        for (; item < items; item += 16)
        {
            for (int k = 0; k < count; k += 4)
                SixteenWithFour<V>(rows + k, queries + item, items, width, scores + (long)k * items + item);
        }
    }

    /// <summary>Sixteen keys in a register, items one by one: for few items.</summary>
    /// <param name="columns">What <see cref="KeyColumns.Fill"/> made.</param>
    /// <param name="pairs">Whether it made pairs of halves.</param>
    /// <param name="queries">Element d of item i at queries + i·width + d.</param>
    /// <param name="items">Items, a multiple of 4.</param>
    /// <param name="width">Floats of a key and a query.</param>
    /// <param name="scores">Key k with item i goes to scores + i·<see cref="TileKeys"/> + k.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ByKey<V>(float* columns, bool pairs, float* queries, int items, int width, float* scores)
        where V : struct, ILanes<V>
    {
        for (int item = 0; item < items; item += 4, scores += 4 * TileKeys)
        {
            float* query = queries + (long)item * width;
            if (pairs)
            {
                PairsWithFour(columns, query, width, scores);
            }
            else if (typeof(V) == typeof(Lanes512))
            {
                TwoWithFour<V>(columns, query, width, scores);
            }
            else
            {
                OneWithFour<V>(columns, query, width, scores);
                OneWithFour<V>(columns + 16, query, width, scores + 16);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixtyFour<V>(float** keys, float* q, long items, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        V s00 = V.Broadcast(0), s01 = s00, s02 = s00, s03 = s00;
        V s10 = s00, s11 = s00, s12 = s00, s13 = s00;
        V s20 = s00, s21 = s00, s22 = s00, s23 = s00;
        V s30 = s00, s31 = s00, s32 = s00, s33 = s00;
        for (int d = 0; d < width; d++)
        {
            V q0 = V.Load(q), q1 = V.Load(q + 16), q2 = V.Load(q + 32), q3 = V.Load(q + 48);
            q += items;
            V k = V.Broadcast(k0[d]);
            s00 = V.Fma(k, q0, s00);
            s01 = V.Fma(k, q1, s01);
            s02 = V.Fma(k, q2, s02);
            s03 = V.Fma(k, q3, s03);
            k = V.Broadcast(k1[d]);
            s10 = V.Fma(k, q0, s10);
            s11 = V.Fma(k, q1, s11);
            s12 = V.Fma(k, q2, s12);
            s13 = V.Fma(k, q3, s13);
            k = V.Broadcast(k2[d]);
            s20 = V.Fma(k, q0, s20);
            s21 = V.Fma(k, q1, s21);
            s22 = V.Fma(k, q2, s22);
            s23 = V.Fma(k, q3, s23);
            k = V.Broadcast(k3[d]);
            s30 = V.Fma(k, q0, s30);
            s31 = V.Fma(k, q1, s31);
            s32 = V.Fma(k, q2, s32);
            s33 = V.Fma(k, q3, s33);
        }

        Put4(s00, s01, s02, s03, scores);
        Put4(s10, s11, s12, s13, scores + items);
        Put4(s20, s21, s22, s23, scores + 2 * items);
        Put4(s30, s31, s32, s33, scores + 3 * items);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixteenWithEight<V>(float** keys, float* q, long items, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3], k4 = keys[4], k5 = keys[5], k6 = keys[6], k7 = keys[7];
        V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
        for (int d = 0; d < width; d++)
        {
            V x = V.Load(q);
            q += items;
            s0 = V.Fma(V.Broadcast(k0[d]), x, s0);
            s1 = V.Fma(V.Broadcast(k1[d]), x, s1);
            s2 = V.Fma(V.Broadcast(k2[d]), x, s2);
            s3 = V.Fma(V.Broadcast(k3[d]), x, s3);
            s4 = V.Fma(V.Broadcast(k4[d]), x, s4);
            s5 = V.Fma(V.Broadcast(k5[d]), x, s5);
            s6 = V.Fma(V.Broadcast(k6[d]), x, s6);
            s7 = V.Fma(V.Broadcast(k7[d]), x, s7);
        }

        V.Store(s0, scores);
        V.Store(s1, scores + items);
        V.Store(s2, scores + 2 * items);
        V.Store(s3, scores + 3 * items);
        scores += 4 * items;
        V.Store(s4, scores);
        V.Store(s5, scores + items);
        V.Store(s6, scores + 2 * items);
        V.Store(s7, scores + 3 * items);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SixteenWithFour<V>(float** keys, float* q, long items, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float* k0 = keys[0], k1 = keys[1], k2 = keys[2], k3 = keys[3];
        V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        for (int d = 0; d < width; d++)
        {
            V x = V.Load(q);
            q += items;
            s0 = V.Fma(V.Broadcast(k0[d]), x, s0);
            s1 = V.Fma(V.Broadcast(k1[d]), x, s1);
            s2 = V.Fma(V.Broadcast(k2[d]), x, s2);
            s3 = V.Fma(V.Broadcast(k3[d]), x, s3);
        }

        V.Store(s0, scores);
        V.Store(s1, scores + items);
        V.Store(s2, scores + 2 * items);
        V.Store(s3, scores + 3 * items);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoWithFour<V>(float* columns, float* query, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float* q0 = query, q1 = q0 + width, q2 = q1 + width, q3 = q2 + width;
        V a0 = V.Broadcast(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (int d = 0; d < width; d++)
        {
            V a = V.Load(columns), b = V.Load(columns + 16);
            columns += TileKeys;
            V x = V.Broadcast(q0[d]);
            a0 = V.Fma(x, a, a0);
            b0 = V.Fma(x, b, b0);
            x = V.Broadcast(q1[d]);
            a1 = V.Fma(x, a, a1);
            b1 = V.Fma(x, b, b1);
            x = V.Broadcast(q2[d]);
            a2 = V.Fma(x, a, a2);
            b2 = V.Fma(x, b, b2);
            x = V.Broadcast(q3[d]);
            a3 = V.Fma(x, a, a3);
            b3 = V.Fma(x, b, b3);
        }

        Put4(a0, b0, a1, b1, scores);
        Put4(a2, b2, a3, b3, scores + 2 * TileKeys);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneWithFour<V>(float* columns, float* query, int width, float* scores)
        where V : struct, ILanes<V>
    {
        float* q0 = query, q1 = q0 + width, q2 = q1 + width, q3 = q2 + width;
        V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        for (int d = 0; d < width; d++)
        {
            V a = V.Load(columns);
            columns += TileKeys;
            s0 = V.Fma(V.Broadcast(q0[d]), a, s0);
            s1 = V.Fma(V.Broadcast(q1[d]), a, s1);
            s2 = V.Fma(V.Broadcast(q2[d]), a, s2);
            s3 = V.Fma(V.Broadcast(q3[d]), a, s3);
        }

        V.Store(s0, scores);
        V.Store(s1, scores + TileKeys);
        V.Store(s2, scores + 2 * TileKeys);
        V.Store(s3, scores + 3 * TileKeys);
    }

    // Pairs of halves are widened on the way: the low one moves up, then both lie as PartialLanes.FromFiniteHalf wants them.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PairsWithFour(float* columns, float* query, int width, float* scores)
    {
        float* q0 = query, q1 = q0 + width, q2 = q1 + width, q3 = q2 + width;
        Vector512<int> mask = Vector512.Create(PartialLanes.FiniteHalfMask);
        Vector512<float> power = Vector512.Create(PartialLanes.Two112);
        Vector512<float> a0 = Vector512<float>.Zero, a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
        for (int d = 0; d < width; d += 2)
        {
            Vector512<int> first = Vector512.Load((int*)columns), second = Vector512.Load((int*)columns + 16);
            columns += TileKeys;
            Vector512<float> a = ((first << 16 >> 3) & mask).AsSingle() * power, b = ((second << 16 >> 3) & mask).AsSingle() * power;
            Vector512<float> x = Vector512.Create(q0[d]);
            a0 = Vector512.FusedMultiplyAdd(x, a, a0);
            b0 = Vector512.FusedMultiplyAdd(x, b, b0);
            x = Vector512.Create(q1[d]);
            a1 = Vector512.FusedMultiplyAdd(x, a, a1);
            b1 = Vector512.FusedMultiplyAdd(x, b, b1);
            x = Vector512.Create(q2[d]);
            a2 = Vector512.FusedMultiplyAdd(x, a, a2);
            b2 = Vector512.FusedMultiplyAdd(x, b, b2);
            x = Vector512.Create(q3[d]);
            a3 = Vector512.FusedMultiplyAdd(x, a, a3);
            b3 = Vector512.FusedMultiplyAdd(x, b, b3);
            a = ((first >> 3) & mask).AsSingle() * power;
            b = ((second >> 3) & mask).AsSingle() * power;
            x = Vector512.Create(q0[d + 1]);
            a0 = Vector512.FusedMultiplyAdd(x, a, a0);
            b0 = Vector512.FusedMultiplyAdd(x, b, b0);
            x = Vector512.Create(q1[d + 1]);
            a1 = Vector512.FusedMultiplyAdd(x, a, a1);
            b1 = Vector512.FusedMultiplyAdd(x, b, b1);
            x = Vector512.Create(q2[d + 1]);
            a2 = Vector512.FusedMultiplyAdd(x, a, a2);
            b2 = Vector512.FusedMultiplyAdd(x, b, b2);
            x = Vector512.Create(q3[d + 1]);
            a3 = Vector512.FusedMultiplyAdd(x, a, a3);
            b3 = Vector512.FusedMultiplyAdd(x, b, b3);
        }

        a0.Store(scores);
        b0.Store(scores + 16);
        a1.Store(scores + TileKeys);
        b1.Store(scores + TileKeys + 16);
        a2.Store(scores + 2 * TileKeys);
        b2.Store(scores + 2 * TileKeys + 16);
        a3.Store(scores + 3 * TileKeys);
        b3.Store(scores + 3 * TileKeys + 16);
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
}
