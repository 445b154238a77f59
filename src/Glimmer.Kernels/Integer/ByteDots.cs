using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Integer;

/// <summary>The sums of one run of codes with one row of activations, for sixteen rows of weights.</summary>
internal unsafe interface IByteDots
{
    /// <summary>results[r] = fma(float(start + Σ code[r]·q), scales[r]·factor, results[r]) for sixteen rows r.</summary>
    /// <param name="codes">Quads of 64 unsigned codes, row r in bytes 4r … 4r + 3.</param>
    /// <param name="quads">Number of quads.</param>
    /// <param name="x">First four activations; the next four are <paramref name="step"/> integers further.</param>
    /// <param name="step">Rows of the panel.</param>
    /// <param name="start">The sum's start: what takes back the zero of the codes.</param>
    /// <param name="largest">The largest code; above 127 codes have their zero at 128.</param>
    /// <param name="scales">Sixteen scales.</param>
    /// <param name="factor">The activations' scale, or 1.</param>
    /// <param name="results">Sixteen results.</param>
    static abstract void Accumulate(byte* codes, int quads, int* x, int step, int start, int largest, float* scales, float factor, float* results);
}

/// <summary>512 bits without the byte product: products of bytes add up in 16 bits as long as they fit.</summary>
internal readonly unsafe struct ByteDots512 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int largest, float* scales, float factor, float* results)
    {
        Vector512<int> sums;
        Vector512<short> ones = Vector512.Create((short)1);
        if (largest > 127)
        {
            // The magnitude of the code times the activation with the code's sign: at most 2·128·127, so nothing saturates.
            sums = default;
            for (int k = 0; k < quads; k++, codes += 64, x += step)
            {
                Vector512<sbyte> w = (Vector512.Load(codes) ^ Vector512.Create((byte)0x80)).AsSByte(), q = Vector512.Create(*x).AsSByte();
                q = Vector512.ConditionalSelect(Vector512.LessThan(w, Vector512<sbyte>.Zero), -q, q);
                sums += Avx512BW.MultiplyAddAdjacent(Avx512BW.MultiplyAddAdjacent(Avx512BW.Abs(w), q), ones);
            }
        }
        else
        {
            sums = Vector512.Create(start);
            int together = Math.Min(8, 32767 / (2 * 127 * largest));
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
}

/// <summary>256 bits, in two halves of eight rows; with the byte product where the processor has it at this width.</summary>
internal readonly unsafe struct ByteDots256 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int largest, float* scales, float factor, float* results)
    {
        Half(codes, quads, x, step, start, largest, scales, factor, results);
        Half(codes + 32, quads, x, step, start, largest, scales + 8, factor, results + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half(byte* codes, int quads, int* x, int step, int start, int largest, float* scales, float factor, float* results)
    {
        Vector256<int> sums = Vector256.Create(start);
        Vector256<short> ones = Vector256.Create((short)1);
        if (AvxVnni.IsSupported)
        {
            for (int k = 0; k < quads; k++, codes += 64, x += step)
                sums = AvxVnni.MultiplyWideningAndAdd(sums, Vector256.Load(codes), Vector256.Create(*x).AsSByte());
        }
        else if (largest > 127)
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
            int together = Math.Min(8, 32767 / (2 * 127 * largest));
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
}

/// <summary>128 bits, in four quarters of four rows; with the byte product of Arm where there is one, else portable.</summary>
internal readonly unsafe struct ByteDots128 : IByteDots
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Accumulate(byte* codes, int quads, int* x, int step, int start, int largest, float* scales, float factor, float* results)
    {
        bool signed = Dp.IsSupported && largest > 127;
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
}
