using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>Turns a tile of keys so that the same element of all keys lies together, as <see cref="Scores.ByKey"/> wants it.</summary>
internal static unsafe class KeyColumns
{
    private const int TileKeys = PagedAttention.TileKeys;

    /// <summary>Whether rows of a format are turned as they lie, without being widened first.</summary>
    public static bool TakesRaw<V>(KvFormat format, int width)
        where V : struct, ILanes<V> =>
        format == KvFormat.F32 || (format == KvFormat.F16 && typeof(V) == typeof(Lanes512) && width % 32 == 0);

    /// <summary>Element d of key k goes to columns + d·<see cref="TileKeys"/> + k.</summary>
    /// <param name="format">F16, if <see cref="TakesRaw"/>, else F32.</param>
    /// <param name="rows">Pointers to all keys of a tile; past the end any of them again.</param>
    /// <param name="width">Numbers of a key.</param>
    /// <param name="columns">Receives the columns.</param>
    public static void Fill<V>(KvFormat format, byte** rows, int width, float* columns)
        where V : struct, ILanes<V>
    {
        if (typeof(V) == typeof(Lanes512))
        {
            int step = format == KvFormat.F16 ? 32 : 16, d = 0;
            for (; d + step <= width; d += step)
            {
                for (int k = 0; k < TileKeys; k += 16)
                {
                    if (format == KvFormat.F16)
                        Halves16x32(rows + k, (nint)d * sizeof(ushort), columns + (long)d * TileKeys + k);
                    else
                        Floats16x16(rows + k, (nint)d * sizeof(float), columns + (long)d * TileKeys + k);
                }
            }

            One((float**)rows, d, width, columns);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Floats16x16(byte** rows, nint offset, float* columns)
    {
        Vector512<int>* turned = stackalloc Vector512<int>[16];
        Turn(rows, offset, turned);
        for (int d = 0; d < 16; d++)
            turned[d].AsSingle().Store(columns + d * TileKeys);
    }

    // Two neighbouring halves travel as one 32-bit number.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Halves16x32(byte** rows, nint offset, float* columns)
    {
        Vector512<int>* turned = stackalloc Vector512<int>[16];
        Turn(rows, offset, turned);
        Vector512<int> mask = Vector512.Create(unchecked((int)0x8FFFE000));
        Vector512<float> power = Vector512.Create(PartialLanes.Two112);
        for (int d = 0; d < 16; d++, columns += 2 * TileKeys)
        {
            Vector512<int> pair = turned[d];
            (((pair << 16 >> 3) & mask).AsSingle() * power).Store(columns);
            (((pair >> 3) & mask).AsSingle() * power).Store(columns + TileKeys);
        }
    }

    /// <summary>Transposes 16 rows of sixteen 32-bit numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Turn(byte** rows, nint offset, Vector512<int>* turned)
    {
        // Rows 4i … 4i+3 first: afterwards 128-bit piece j of turned[4i + c] has column 4j + c of those rows.
        for (int i = 0; i < 16; i += 4)
        {
            Vector512<int> a = Vector512.Load((int*)(rows[i] + offset)), b = Vector512.Load((int*)(rows[i + 1] + offset));
            Vector512<int> c = Vector512.Load((int*)(rows[i + 2] + offset)), d = Vector512.Load((int*)(rows[i + 3] + offset));
            Vector512<long> ab = Avx512F.UnpackLow(a, b).AsInt64(), cd = Avx512F.UnpackLow(c, d).AsInt64();
            Vector512<long> abHigh = Avx512F.UnpackHigh(a, b).AsInt64(), cdHigh = Avx512F.UnpackHigh(c, d).AsInt64();
            turned[i] = Avx512F.UnpackLow(ab, cd).AsInt32();
            turned[i + 1] = Avx512F.UnpackHigh(ab, cd).AsInt32();
            turned[i + 2] = Avx512F.UnpackLow(abHigh, cdHigh).AsInt32();
            turned[i + 3] = Avx512F.UnpackHigh(abHigh, cdHigh).AsInt32();
        }

        // Then the 4 x 4 pieces of each c.
        for (int c = 0; c < 4; c++)
        {
            Vector512<int> low = Avx512F.Shuffle4x128(turned[c], turned[4 + c], 0b10_00_10_00), lowOdd = Avx512F.Shuffle4x128(turned[c], turned[4 + c], 0b11_01_11_01);
            Vector512<int> high = Avx512F.Shuffle4x128(turned[8 + c], turned[12 + c], 0b10_00_10_00), highOdd = Avx512F.Shuffle4x128(turned[8 + c], turned[12 + c], 0b11_01_11_01);
            turned[c] = Avx512F.Shuffle4x128(low, high, 0b10_00_10_00);
            turned[8 + c] = Avx512F.Shuffle4x128(low, high, 0b11_01_11_01);
            turned[4 + c] = Avx512F.Shuffle4x128(lowOdd, highOdd, 0b10_00_10_00);
            turned[12 + c] = Avx512F.Shuffle4x128(lowOdd, highOdd, 0b11_01_11_01);
        }
    }
}
