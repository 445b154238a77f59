using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>Turns a tile of keys so that the same element of all keys lies together, as <see cref="Scores.ByKey"/> wants it.</summary>
internal static unsafe class KeyColumns
{
    private const int TileKeys = PagedAttention.TileKeys;

    /// <summary>Whether rows of a format are turned as they lie, without being widened first; halves then stay halves, two by two.</summary>
    public static bool TakesRaw<V>(KvFormat format, int width)
        where V : struct, ILanes<V> =>
        format == KvFormat.F32 || (format == KvFormat.F16 && typeof(V) == typeof(Lanes512) && width % 32 == 0);

    /// <summary>Element d of key k goes to columns + d·<see cref="TileKeys"/> + k; elements 2d and 2d + 1 of halves that stay halves.</summary>
    /// <param name="format">F16, if <see cref="TakesRaw"/>, else F32.</param>
    /// <param name="rows">Pointers to all keys of a tile; past the end any of them again.</param>
    /// <param name="next">Keys to fetch ahead, or nulls.</param>
    /// <param name="width">Numbers of a key.</param>
    /// <param name="columns">Receives the columns.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Fill<V>(KvFormat format, byte** rows, byte** next, int width, float* columns)
        where V : struct, ILanes<V>
    {
        if (typeof(V) == typeof(Lanes512))
        {
            // Counted in 32-bit numbers: one float or two halves.
            int words = format == KvFormat.F16 ? width / 2 : width, d = 0;
            for (; d + 16 <= words; d += 16)
            {
                for (int k = 0; k < TileKeys; k += 16)
                {
                    for (int i = k; i < k + 16; i++)
                        FetchAhead(next[i] + (nint)d * sizeof(float));
                    Turn16x16(rows + k, (nint)d * sizeof(float), columns + (long)d * TileKeys + k);
                }
            }

            One((float**)rows, d, words, columns);
            return;
        }

        int whole = typeof(V) == typeof(ScalarLanes) || !Sse.IsSupported ? 0 : width & ~3;
        for (int d = 0; d < whole; d += 4)
        {
            for (int k = 0; k < TileKeys; k += 4)
                Floats4x4((float**)rows + k, d, columns + (long)d * TileKeys + k);
        }

        One((float**)rows, whole, width, columns);
    }

    /// <summary>Asks for a cache line that will be needed soon; wherever it points, nothing breaks.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void FetchAhead(byte* address)
    {
        if (Sse.IsSupported)
            Sse.Prefetch1(address);
    }

    private static void One(float** rows, int from, int to, float* columns)
    {
        for (int d = from; d < to; d++)
        {
            for (int k = 0; k < TileKeys; k++)
                columns[(long)d * TileKeys + k] = rows[k][d];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Floats4x4(float** rows, int d, float* columns)
    {
        Vector128<float> a = Vector128.Load(rows[0] + d), b = Vector128.Load(rows[1] + d), c = Vector128.Load(rows[2] + d), e = Vector128.Load(rows[3] + d);
        Vector128<float> ab = Sse.UnpackLow(a, b), ce = Sse.UnpackLow(c, e), abHigh = Sse.UnpackHigh(a, b), ceHigh = Sse.UnpackHigh(c, e);
        Sse.MoveLowToHigh(ab, ce).Store(columns);
        Sse.MoveHighToLow(ce, ab).Store(columns + TileKeys);
        Sse.MoveLowToHigh(abHigh, ceHigh).Store(columns + 2 * TileKeys);
        Sse.MoveHighToLow(ceHigh, abHigh).Store(columns + 3 * TileKeys);
    }

    /// <summary>Transposes 16 rows of sixteen 32-bit numbers (two neighbouring halves travel as one): column d goes to columns + d·<see cref="TileKeys"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Turn16x16(byte** rows, nint offset, float* columns)
    {
        // After two steps, 128-bit piece j of the i-th vector of four rows has column 4j + i of those rows.
        Four(rows, offset, out Vector512<int> a0, out Vector512<int> a1, out Vector512<int> a2, out Vector512<int> a3);
        Four(rows + 4, offset, out Vector512<int> b0, out Vector512<int> b1, out Vector512<int> b2, out Vector512<int> b3);
        Four(rows + 8, offset, out Vector512<int> c0, out Vector512<int> c1, out Vector512<int> c2, out Vector512<int> c3);
        Four(rows + 12, offset, out Vector512<int> d0, out Vector512<int> d1, out Vector512<int> d2, out Vector512<int> d3);
        Pieces(a0, b0, c0, d0, columns);
        Pieces(a1, b1, c1, d1, columns + TileKeys);
        Pieces(a2, b2, c2, d2, columns + 2 * TileKeys);
        Pieces(a3, b3, c3, d3, columns + 3 * TileKeys);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Four(byte** rows, nint offset, out Vector512<int> first, out Vector512<int> second, out Vector512<int> third, out Vector512<int> fourth)
    {
        Vector512<int> a = Vector512.Load((int*)(rows[0] + offset)), b = Vector512.Load((int*)(rows[1] + offset));
        Vector512<int> c = Vector512.Load((int*)(rows[2] + offset)), d = Vector512.Load((int*)(rows[3] + offset));
        Vector512<long> ab = Avx512F.UnpackLow(a, b).AsInt64(), cd = Avx512F.UnpackLow(c, d).AsInt64();
        first = Avx512F.UnpackLow(ab, cd).AsInt32();
        second = Avx512F.UnpackHigh(ab, cd).AsInt32();
        ab = Avx512F.UnpackHigh(a, b).AsInt64();
        cd = Avx512F.UnpackHigh(c, d).AsInt64();
        third = Avx512F.UnpackLow(ab, cd).AsInt32();
        fourth = Avx512F.UnpackHigh(ab, cd).AsInt32();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Pieces(Vector512<int> a, Vector512<int> b, Vector512<int> c, Vector512<int> d, float* columns)
    {
        Vector512<int> low = Avx512F.Shuffle4x128(a, b, 0b10_00_10_00), high = Avx512F.Shuffle4x128(c, d, 0b10_00_10_00);
        Avx512F.Shuffle4x128(low, high, 0b10_00_10_00).Store((int*)columns);
        Avx512F.Shuffle4x128(low, high, 0b11_01_11_01).Store((int*)columns + 8 * TileKeys);
        low = Avx512F.Shuffle4x128(a, b, 0b11_01_11_01);
        high = Avx512F.Shuffle4x128(c, d, 0b11_01_11_01);
        Avx512F.Shuffle4x128(low, high, 0b10_00_10_00).Store((int*)columns + 4 * TileKeys);
        Avx512F.Shuffle4x128(low, high, 0b11_01_11_01).Store((int*)columns + 12 * TileKeys);
    }
}
