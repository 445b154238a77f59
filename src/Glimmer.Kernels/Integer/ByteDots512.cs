using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Integer;

/// <summary>512 bits without the byte product: products of bytes add up in 16 bits as long as they fit.</summary>
internal readonly unsafe struct ByteDots512 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int together, float* scales, float factor, float* results)
    {
        Vector512<int> sums;
        Vector512<short> ones = Vector512.Create((short)1);
        if (together == 0)
        {
            // The magnitude of the code times the activation with the code's sign: at most 2·128·127, so nothing saturates.
            sums = default;
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector512<sbyte> w = (Vector512.Load(codes) ^ Vector512.Create((byte)0x80)).AsSByte();
                sums += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(Avx512BW.Abs(w), Signed(Vector512.Create(*x).AsSByte(), w)), ones);
            }
        }
        else
        {
            sums = Vector512.Create(start);
            for (int k = 0; k < quads;)
            {
                Vector512<short> part = default;
                for (int end = Math.Min(quads, k + together); k < end; k++, codes += 64, x += step)
                    part += Avx512BW.MultiplyAddAdjacent(Vector512.Load(codes), Vector512.Create(*x).AsSByte());
                sums += Avx512BW.MultiplyAddAdjacent(part, ones);
            }
        }

        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(sums), Vector512.Load(scales) * Vector512.Create(factor), Vector512.Load(results)).Store(results);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateFour(byte* codes, int quads, int* x, int step, int* starts, int together, float* scales, float* factors, float* results)
    {
        Vector512<int> s0, s1, s2, s3;
        Vector512<short> ones = Vector512.Create((short)1);
        if (together == 0)
        {
            s0 = s1 = s2 = s3 = default;
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector512<sbyte> w = (Vector512.Load(codes) ^ Vector512.Create((byte)0x80)).AsSByte();
                Vector512<byte> size = Avx512BW.Abs(w);
                s0 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(size, Signed(Vector512.Create(x[0]).AsSByte(), w)), ones);
                s1 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(size, Signed(Vector512.Create(x[1]).AsSByte(), w)), ones);
                s2 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(size, Signed(Vector512.Create(x[2]).AsSByte(), w)), ones);
                s3 += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(size, Signed(Vector512.Create(x[3]).AsSByte(), w)), ones);
            }
        }
        else
        {
            s0 = Vector512.Create(starts[0]);
            s1 = Vector512.Create(starts[1]);
            s2 = Vector512.Create(starts[2]);
            s3 = Vector512.Create(starts[3]);
            for (int k = 0; k < quads;)
            {
                Vector512<short> p0 = default, p1 = default, p2 = default, p3 = default;
                for (int end = Math.Min(quads, k + together); k < end; k++, codes += 64, x += step)
                {
                    Vector512<byte> w = Vector512.Load(codes);
                    p0 += Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(x[0]).AsSByte());
                    p1 += Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(x[1]).AsSByte());
                    p2 += Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(x[2]).AsSByte());
                    p3 += Avx512BW.MultiplyAddAdjacent(w, Vector512.Create(x[3]).AsSByte());
                }

                s0 += Avx512BW.MultiplyAddAdjacent(p0, ones);
                s1 += Avx512BW.MultiplyAddAdjacent(p1, ones);
                s2 += Avx512BW.MultiplyAddAdjacent(p2, ones);
                s3 += Avx512BW.MultiplyAddAdjacent(p3, ones);
            }
        }

        Vector512<float> scale = Vector512.Load(scales);
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s0), scale * Vector512.Create(factors[0]), Vector512.Load(results)).Store(results);
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s1), scale * Vector512.Create(factors[1]), Vector512.Load(results + 16)).Store(results + 16);
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s2), scale * Vector512.Create(factors[2]), Vector512.Load(results + 32)).Store(results + 32);
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s3), scale * Vector512.Create(factors[3]), Vector512.Load(results + 48)).Store(results + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<sbyte> Signed(Vector512<sbyte> x, Vector512<sbyte> w) => Vector512.ConditionalSelect(Vector512.LessThan(w, Vector512<sbyte>.Zero), -x, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddOffsets(short* pairs, int steps, int* sums, int step, float* scales, float* results)
    {
        Vector512<int> total = default;
        for (int k = 0; k < steps; k++, pairs += 32, sums += step)
            total += Avx512BW.MultiplyAddAdjacent(Vector512.Load(pairs), Vector512.Create(*sums).AsInt16());
        Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(total), Vector512.Load(scales), Vector512.Load(results)).Store(results);
    }
}
