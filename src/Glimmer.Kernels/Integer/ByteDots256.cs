using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Integer;

/// <summary>256 bits, in two halves of eight rows; with the byte product where the processor has it at this width.</summary>
internal readonly unsafe struct ByteDots256 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int together, float* scales, float factor, float* results)
    {
        Half(codes, quads, x, step, start, together, scales, factor, results);
        Half(codes + 32, quads, x, step, start, together, scales + 8, factor, results + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half(byte* codes, int quads, int* x, int step, int start, int together, float* scales, float factor, float* results)
    {
        Vector256<int> sums = Vector256.Create(start);
        Vector256<short> ones = Vector256.Create((short)1);
        if (AvxVnni.IsSupported)
        {
            for (int k = 0; k < quads; k++, codes += 64, x += step)
                sums = AvxVnni.MultiplyWideningAndAdd(sums, Vector256.Load(codes), Vector256.Create(*x).AsSByte());
        }
        else if (together == 0)
        {
            sums = default;
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector256<sbyte> w = (Vector256.Load(codes) ^ Vector256.Create((byte)0x80)).AsSByte();
                sums += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(Avx2.Abs(w), Avx2.Sign(Vector256.Create(*x).AsSByte(), w)), ones);
            }
        }
        else
        {
            for (int k = 0; k < quads;)
            {
                Vector256<short> part = default;
                for (int end = Math.Min(quads, k + together); k < end; k++, codes += 64, x += step)
                    part += Avx2.MultiplyAddAdjacent(Vector256.Load(codes), Vector256.Create(*x).AsSByte());
                sums += Avx2.MultiplyAddAdjacent(part, ones);
            }
        }

        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(sums), Vector256.Load(scales) * Vector256.Create(factor), Vector256.Load(results)).Store(results);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AccumulateFour(byte* codes, int quads, int* x, int step, int* starts, int together, float* scales, float* factors, float* results)
    {
        HalfOfFour(codes, quads, x, step, starts, together, scales, factors, results);
        HalfOfFour(codes + 32, quads, x, step, starts, together, scales + 8, factors, results + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void HalfOfFour(byte* codes, int quads, int* x, int step, int* starts, int together, float* scales, float* factors, float* results)
    {
        Vector256<int> s0, s1, s2, s3;
        Vector256<short> ones = Vector256.Create((short)1);
        if (AvxVnni.IsSupported)
        {
            s0 = Vector256.Create(starts[0]);
            s1 = Vector256.Create(starts[1]);
            s2 = Vector256.Create(starts[2]);
            s3 = Vector256.Create(starts[3]);
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector256<byte> w = Vector256.Load(codes);
                s0 = AvxVnni.MultiplyWideningAndAdd(s0, w, Vector256.Create(x[0]).AsSByte());
                s1 = AvxVnni.MultiplyWideningAndAdd(s1, w, Vector256.Create(x[1]).AsSByte());
                s2 = AvxVnni.MultiplyWideningAndAdd(s2, w, Vector256.Create(x[2]).AsSByte());
                s3 = AvxVnni.MultiplyWideningAndAdd(s3, w, Vector256.Create(x[3]).AsSByte());
            }
        }
        else if (together == 0)
        {
            s0 = s1 = s2 = s3 = default;
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector256<sbyte> w = (Vector256.Load(codes) ^ Vector256.Create((byte)0x80)).AsSByte();
                Vector256<byte> size = Avx2.Abs(w);
                s0 += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(size, Avx2.Sign(Vector256.Create(x[0]).AsSByte(), w)), ones);
                s1 += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(size, Avx2.Sign(Vector256.Create(x[1]).AsSByte(), w)), ones);
                s2 += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(size, Avx2.Sign(Vector256.Create(x[2]).AsSByte(), w)), ones);
                s3 += Avx2.MultiplyAddAdjacent(Avx2.MultiplyAddAdjacent(size, Avx2.Sign(Vector256.Create(x[3]).AsSByte(), w)), ones);
            }
        }
        else
        {
            s0 = Vector256.Create(starts[0]);
            s1 = Vector256.Create(starts[1]);
            s2 = Vector256.Create(starts[2]);
            s3 = Vector256.Create(starts[3]);
            for (int k = 0; k < quads;)
            {
                Vector256<short> p0 = default, p1 = default, p2 = default, p3 = default;
                for (int end = Math.Min(quads, k + together); k < end; k++, codes += 64, x += step)
                {
                    Vector256<byte> w = Vector256.Load(codes);
                    p0 += Avx2.MultiplyAddAdjacent(w, Vector256.Create(x[0]).AsSByte());
                    p1 += Avx2.MultiplyAddAdjacent(w, Vector256.Create(x[1]).AsSByte());
                    p2 += Avx2.MultiplyAddAdjacent(w, Vector256.Create(x[2]).AsSByte());
                    p3 += Avx2.MultiplyAddAdjacent(w, Vector256.Create(x[3]).AsSByte());
                }

                s0 += Avx2.MultiplyAddAdjacent(p0, ones);
                s1 += Avx2.MultiplyAddAdjacent(p1, ones);
                s2 += Avx2.MultiplyAddAdjacent(p2, ones);
                s3 += Avx2.MultiplyAddAdjacent(p3, ones);
            }
        }

        Vector256<float> scale = Vector256.Load(scales);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s0), scale * Vector256.Create(factors[0]), Vector256.Load(results)).Store(results);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s1), scale * Vector256.Create(factors[1]), Vector256.Load(results + 16)).Store(results + 16);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s2), scale * Vector256.Create(factors[2]), Vector256.Load(results + 32)).Store(results + 32);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s3), scale * Vector256.Create(factors[3]), Vector256.Load(results + 48)).Store(results + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void AddOffsets(short* pairs, int steps, int* sums, int step, float* scales, float* results)
    {
        Vector256<int> low = default, high = default;
        for (int k = 0; k < steps; k++, pairs += 32, sums += step)
        {
            Vector256<short> x = Vector256.Create(*sums).AsInt16();
            low += Avx2.MultiplyAddAdjacent(Vector256.Load(pairs), x);
            high += Avx2.MultiplyAddAdjacent(Vector256.Load(pairs + 16), x);
        }

        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(low), Vector256.Load(scales), Vector256.Load(results)).Store(results);
        Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(high), Vector256.Load(scales + 8), Vector256.Load(results + 8)).Store(results + 8);
    }
}
