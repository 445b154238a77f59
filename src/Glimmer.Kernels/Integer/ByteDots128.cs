using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;

namespace Glimmer.Kernels.Integer;

/// <summary>128 bits, in four quarters of four rows; with the byte product of Arm where there is one, else portable.</summary>
internal readonly unsafe struct ByteDots128 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int together, float* scales, float factor, float* results)
    {
        bool signed = Dp.IsSupported && together == 0;
        Vector128<int> s0 = Vector128.Create(signed ? 0 : start), s1 = s0, s2 = s0, s3 = s0;
        Vector128<byte> flip = Vector128.Create(signed ? (byte)0x80 : (byte)0);
        for (int k = 0; k < quads; k++, codes += 64, x += step)
        {
            s0 = Dot(s0, Vector128.Load(codes) ^ flip, *x);
            s1 = Dot(s1, Vector128.Load(codes + 16) ^ flip, *x);
            s2 = Dot(s2, Vector128.Load(codes + 32) ^ flip, *x);
            s3 = Dot(s3, Vector128.Load(codes + 48) ^ flip, *x);
        }

        Finish(s0, scales, factor, results);
        Finish(s1, scales + 4, factor, results + 4);
        Finish(s2, scales + 8, factor, results + 8);
        Finish(s3, scales + 12, factor, results + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> Dot(Vector128<int> sums, Vector128<byte> codes, int x)
    {
        if (Dp.IsSupported)
            return Dp.DotProduct(sums, codes.AsSByte(), Vector128.Create(x).AsSByte());
        Vector128<int> c = codes.AsInt32(), mask = Vector128.Create(255);
        return sums + (c & mask) * (sbyte)x + ((c >>> 8) & mask) * (sbyte)(x >> 8) + (((c >>> 16) & mask) * (sbyte)(x >> 16) + (c >>> 24) * (x >> 24));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Finish(Vector128<int> sums, float* scales, float factor, float* results) =>
        Vector128.FusedMultiplyAdd(Vector128.ConvertToSingle(sums), Vector128.Load(scales) * Vector128.Create(factor), Vector128.Load(results)).Store(results);

    public static void AccumulateFour(byte* codes, int quads, int* x, int step, int* starts, int together, float* scales, float* factors, float* results)
    {
        for (int i = 0; i < 4; i++)
            Accumulate(codes, quads, x + i, step, starts[i], together, scales, factors[i], results + 16 * i);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddOffsets(short* pairs, int steps, int* sums, int step, float* scales, float* results)
    {
        Vector128<int> s0 = default, s1 = default, s2 = default, s3 = default;
        for (int k = 0; k < steps; k++, pairs += 32, sums += step)
        {
            s0 += DotPairs(Vector128.Load(pairs), *sums);
            s1 += DotPairs(Vector128.Load(pairs + 8), *sums);
            s2 += DotPairs(Vector128.Load(pairs + 16), *sums);
            s3 += DotPairs(Vector128.Load(pairs + 24), *sums);
        }

        Finish(s0, scales, 1, results);
        Finish(s1, scales + 4, 1, results + 4);
        Finish(s2, scales + 8, 1, results + 8);
        Finish(s3, scales + 12, 1, results + 12);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<int> DotPairs(Vector128<short> pairs, int x) =>
        ((pairs.AsInt32() << 16) >> 16) * (short)x + (pairs.AsInt32() >> 16) * (x >> 16);
}
