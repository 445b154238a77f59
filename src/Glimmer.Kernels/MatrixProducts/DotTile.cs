using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.MatrixProducts;

/// <summary>Register tiles of dot products between rows of floats: weights with activations, keys with queries.</summary>
/// <remarks>
/// The canonical order of a dot product: lane j of sixteen takes the products of elements j, j+16, j+32 … one after the other
/// with fused multiply-add, starting from 0 (elements past the end count as 0·0); then the lanes are folded
/// (<see cref="ILanes{V}.Fold"/>, <see cref="Folding"/>). Every tile keeps to it, so it does not matter which one computed an element.
/// </remarks>
internal static unsafe class DotTile
{
    /// <summary>
    /// Dot products of <paramref name="aCount"/> rows with <paramref name="bCount"/> rows, each of <paramref name="length"/> floats.
    /// </summary>
    /// <param name="a">Pointers to the first rows; at least one.</param>
    /// <param name="aCount">First rows.</param>
    /// <param name="b">First of the second rows; at least one.</param>
    /// <param name="bStride">Floats from one second row to the next.</param>
    /// <param name="bCount">Second rows.</param>
    /// <param name="length">Floats per row.</param>
    /// <param name="result">Element (i of a, j of b) goes to result[j·resultStride + i].</param>
    /// <param name="resultStride">Floats from one row of results to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply<V>(float** a, int aCount, float* b, long bStride, int bCount, int length, float* result, long resultStride)
        where V : struct, ILanes<V>
    {
        float* sums = stackalloc float[16];
        float** four = stackalloc float*[4];
        int j = 0;
        if (typeof(V) == typeof(Lanes512))
        {
            // Sixteen sums in registers: only the 512-bit form has enough of them.
            for (; bCount - j >= 3; j += 4)
            {
                float* b0 = b + j * bStride, b1 = b0 + bStride, b2 = b1 + bStride, b3 = j + 3 < bCount ? b2 + bStride : b2;
                int used = Math.Min(4, bCount - j);
                for (int i = 0; i < aCount; i += 4)
                {
                    Take(a, aCount, i, four);
                    Tile4x4<V>(four, b0, b1, b2, b3, length, sums);
                    for (int k = 0; k < used; k++)
                        Put(sums + 4 * k, aCount - i, result + (j + k) * resultStride + i);
                }
            }
        }

        for (; j < bCount; j++)
        {
            for (int i = 0; i < aCount; i += 4)
            {
                Take(a, aCount, i, four);
                Tile4x1<V>(four, b + j * bStride, length).Store(sums);
                Put(sums, aCount - i, result + j * resultStride + i);
            }
        }
    }

    /// <summary>One dot product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot<V>(float* a, float* b, int length)
        where V : struct, ILanes<V>
    {
        V sum = V.Broadcast(0);
        int c = 0;
        for (; c + 16 <= length; c += 16)
            sum = V.Fma(V.Load(a + c), V.Load(b + c), sum);
        if (c < length)
            sum = V.Fma(V.LoadFirst(a + c, length - c), V.LoadFirst(b + c, length - c), sum);
        return Folding.Sum(sum);
    }

    /// <summary>Four row pointers from index i; past the end the last row again, whose sums are dropped.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Take(float** rows, int count, int i, float** four)
    {
        for (int k = 0; k < 4; k++)
            four[k] = rows[Math.Min(i + k, count - 1)];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put(float* sums, int wanted, float* target)
    {
        if (wanted >= 4)
        {
            Vector128.Store(Vector128.Load(sums), target);
            return;
        }

        for (int k = 0; k < wanted; k++)
            target[k] = sums[k];
    }

    // In the tiles, the ends of rows that do not fill sixteen lanes are copied to padded memory first and make one more
    // pass of the same loop. No call is left behind the loop's start, so that the sums stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector128<float> Tile4x1<V>(float** a, float* b0, int length)
        where V : struct, ILanes<V>
    {
        float* a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
        float* ends = stackalloc float[80];
        int whole = length & ~15, rest = length & 15;
        if (rest > 0)
        {
            PartialLanes.Fill(ends + 0, b0 + whole, rest);
            PartialLanes.Fill(ends + 16, a0 + whole, rest);
            PartialLanes.Fill(ends + 32, a1 + whole, rest);
            PartialLanes.Fill(ends + 48, a2 + whole, rest);
            PartialLanes.Fill(ends + 64, a3 + whole, rest);
        }

        V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        while (true)
        {
            for (int c = 0; c < whole; c += 16)
            {
                V x = V.Load(b0 + c);
                s0 = V.Fma(x, V.Load(a0 + c), s0);
                s1 = V.Fma(x, V.Load(a1 + c), s1);
                s2 = V.Fma(x, V.Load(a2 + c), s2);
                s3 = V.Fma(x, V.Load(a3 + c), s3);
            }

            if (rest == 0)
                break;
            b0 = ends;
            a0 = ends + 16;
            a1 = ends + 32;
            a2 = ends + 48;
            a3 = ends + 64;
            (whole, rest) = (16, 0);
        }

        return Folding.Sum4(V.Fold(s0), V.Fold(s1), V.Fold(s2), V.Fold(s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x4<V>(float** a, float* b0, float* b1, float* b2, float* b3, int length, float* sums)
        where V : struct, ILanes<V>
    {
        float* a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
        float* ends = stackalloc float[128];
        int whole = length & ~15, rest = length & 15;
        if (rest > 0)
        {
            PartialLanes.Fill(ends + 0, b0 + whole, rest);
            PartialLanes.Fill(ends + 16, b1 + whole, rest);
            PartialLanes.Fill(ends + 32, b2 + whole, rest);
            PartialLanes.Fill(ends + 48, b3 + whole, rest);
            PartialLanes.Fill(ends + 64, a0 + whole, rest);
            PartialLanes.Fill(ends + 80, a1 + whole, rest);
            PartialLanes.Fill(ends + 96, a2 + whole, rest);
            PartialLanes.Fill(ends + 112, a3 + whole, rest);
        }

        V s00 = V.Broadcast(0), s01 = s00, s02 = s00, s03 = s00;
        V s10 = s00, s11 = s00, s12 = s00, s13 = s00;
        V s20 = s00, s21 = s00, s22 = s00, s23 = s00;
        V s30 = s00, s31 = s00, s32 = s00, s33 = s00;
        while (true)
        {
            for (int c = 0; c < whole; c += 16)
            {
                V w0 = V.Load(a0 + c);
                V w1 = V.Load(a1 + c);
                V w2 = V.Load(a2 + c);
                V w3 = V.Load(a3 + c);
                V x0 = V.Load(b0 + c);
                s00 = V.Fma(x0, w0, s00);
                s01 = V.Fma(x0, w1, s01);
                s02 = V.Fma(x0, w2, s02);
                s03 = V.Fma(x0, w3, s03);
                V x1 = V.Load(b1 + c);
                s10 = V.Fma(x1, w0, s10);
                s11 = V.Fma(x1, w1, s11);
                s12 = V.Fma(x1, w2, s12);
                s13 = V.Fma(x1, w3, s13);
                V x2 = V.Load(b2 + c);
                s20 = V.Fma(x2, w0, s20);
                s21 = V.Fma(x2, w1, s21);
                s22 = V.Fma(x2, w2, s22);
                s23 = V.Fma(x2, w3, s23);
                V x3 = V.Load(b3 + c);
                s30 = V.Fma(x3, w0, s30);
                s31 = V.Fma(x3, w1, s31);
                s32 = V.Fma(x3, w2, s32);
                s33 = V.Fma(x3, w3, s33);
            }

            if (rest == 0)
                break;
            b0 = ends;
            b1 = ends + 16;
            b2 = ends + 32;
            b3 = ends + 48;
            a0 = ends + 64;
            a1 = ends + 80;
            a2 = ends + 96;
            a3 = ends + 112;
            (whole, rest) = (16, 0);
        }

        Folding.Sum4(V.Fold(s00), V.Fold(s01), V.Fold(s02), V.Fold(s03)).Store(sums);
        Folding.Sum4(V.Fold(s10), V.Fold(s11), V.Fold(s12), V.Fold(s13)).Store(sums + 4);
        Folding.Sum4(V.Fold(s20), V.Fold(s21), V.Fold(s22), V.Fold(s23)).Store(sums + 8);
        Folding.Sum4(V.Fold(s30), V.Fold(s31), V.Fold(s32), V.Fold(s33)).Store(sums + 12);
    }
}
