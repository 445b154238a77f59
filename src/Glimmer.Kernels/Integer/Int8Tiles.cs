using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>Products of sixteen packed rows with rows of quantised activations.</summary>
/// <remarks>
/// The canonical order: for each block in turn, s is the exact integer sum of its 32 products and
/// result = fma(s, d_w·d_x, result), from 0. Integers are exact in any order, so all forms agree bit for bit.
/// </remarks>
internal unsafe interface IInt8Tile
{
    /// <summary>Most rows of activations that one call takes.</summary>
    static abstract int Width { get; }

    /// <summary>Computes 16 results for each of <paramref name="count"/> rows of activations from <paramref name="first"/>.</summary>
    /// <param name="group">Packed weights of sixteen rows.</param>
    /// <param name="x">Activations.</param>
    /// <param name="first">First row of activations.</param>
    /// <param name="count">Rows, at most <see cref="Width"/>.</param>
    /// <param name="results">Row i's results from results + 16·i; room for <see cref="Width"/> rows.</param>
    static abstract void Run(byte* group, in Int8Activations x, int first, int count, float* results);
}

/// <summary>The plain twin.</summary>
internal readonly unsafe struct ScalarInt8Tile : IInt8Tile
{
    public static int Width => 1;

    public static void Run(byte* group, in Int8Activations x, int first, int count, float* results)
    {
        for (int row = 0; row < 16; row++)
        {
            float result = 0;
            for (int block = 0; block < x.Blocks; block++)
            {
                byte* weights = group + (long)block * PackedMatrix.BlockBytes;
                int* q = x.BytesAt(first, block);
                int sum = 0;
                for (int c = 0; c < 32; c++)
                    sum += (weights[32 + c / 4 * 64 + row * 4 + c % 4] - 128) * ((sbyte*)(q + c / 4 * Int8Activations.PanelRows))[c % 4];
                float scale = PartialLanes.FromHalf(((ushort*)weights)[row]) * x.Scales[x.At(first, block)];
                result = MathF.FusedMultiplyAdd(sum, scale, result);
            }

            results[row] = result;
        }
    }
}

/// <summary>512-bit: bytes widen to 16 bits, pairs multiply and add (vpmaddwd); lane = row. Four rows of activations at once.</summary>
internal readonly unsafe struct Avx512Int8Tile : IInt8Tile
{
    public static int Width => 4;

    public static void Run(byte* group, in Int8Activations x, int first, int count, float* results)
    {
        if (count == 1)
            One(group, x, first, results);
        else
            Four(group, x, first, count, results);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Four(byte* group, in Int8Activations x, int first, int count, float* results)
    {
        int blocks = x.Blocks, second = first + Math.Min(1, count - 1), third = first + Math.Min(2, count - 1), fourth = first + count - 1;
        int* p0 = x.Pairs + (long)first * blocks * 16, p1 = x.Pairs + (long)second * blocks * 16;
        int* p2 = x.Pairs + (long)third * blocks * 16, p3 = x.Pairs + (long)fourth * blocks * 16;
        Vector512<float> r0 = default, r1 = default, r2 = default, r3 = default;
        Vector512<short> low = Vector512.Create((short)0x00FF);
        for (int block = 0; block < blocks; block++, p0 += 16, p1 += 16, p2 += 16, p3 += 16, group += PackedMatrix.BlockBytes)
        {
            long at0 = x.At(first, block), at1 = x.At(second, block), at2 = x.At(third, block), at3 = x.At(fourth, block);
            Vector512<int> s0 = Vector512.Create(x.Corrections[at0]), s1 = Vector512.Create(x.Corrections[at1]);
            Vector512<int> s2 = Vector512.Create(x.Corrections[at2]), s3 = Vector512.Create(x.Corrections[at3]);
            for (int k = 0; k < 8; k++)
            {
                // Per row the bytes w0 w1 w2 w3: as 16-bit numbers w0 w2 and w1 w3.
                Vector512<short> w = Vector512.Load((short*)(group + 32 + 64 * k));
                Vector512<short> even = w & low, odd = w >>> 8;
                s0 += Pairs(even, odd, p0 + 2 * k);
                s1 += Pairs(even, odd, p1 + 2 * k);
                s2 += Pairs(even, odd, p2 + 2 * k);
                s3 += Pairs(even, odd, p3 + 2 * k);
            }

            Vector512<float> scale = Lanes512.HalfVector((ushort*)group);
            r0 = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s0), scale * Vector512.Create(x.Scales[at0]), r0);
            r1 = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s1), scale * Vector512.Create(x.Scales[at1]), r1);
            r2 = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s2), scale * Vector512.Create(x.Scales[at2]), r2);
            r3 = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(s3), scale * Vector512.Create(x.Scales[at3]), r3);
        }

        r0.Store(results);
        r1.Store(results + 16);
        r2.Store(results + 32);
        r3.Store(results + 48);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void One(byte* group, in Int8Activations x, int first, float* results)
    {
        int* pairs = x.Pairs + (long)first * x.Blocks * 16;
        Vector512<float> result = default;
        Vector512<short> low = Vector512.Create((short)0x00FF);
        for (int block = 0; block < x.Blocks; block++, pairs += 16, group += PackedMatrix.BlockBytes)
        {
            long at = x.At(first, block);
            Vector512<int> sum = Vector512.Create(x.Corrections[at]), other = default;
            for (int k = 0; k < 8; k += 2)
            {
                Vector512<short> w = Vector512.Load((short*)(group + 32 + 64 * k)), next = Vector512.Load((short*)(group + 96 + 64 * k));
                sum += Pairs(w & low, w >>> 8, pairs + 2 * k);
                other += Pairs(next & low, next >>> 8, pairs + 2 * k + 2);
            }

            result = Vector512.FusedMultiplyAdd(Vector512.ConvertToSingle(sum + other), Lanes512.HalfVector((ushort*)group) * Vector512.Create(x.Scales[at]), result);
        }

        result.Store(results);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<int> Pairs(Vector512<short> even, Vector512<short> odd, int* x) =>
        Avx512BW.MultiplyAddAdjacent(even, Vector512.Create(x[0]).AsInt16()) + Avx512BW.MultiplyAddAdjacent(odd, Vector512.Create(x[1]).AsInt16());
}

/// <summary>256-bit, the same in two halves of eight rows; two rows of activations at once.</summary>
internal readonly unsafe struct Avx2Int8Tile : IInt8Tile
{
    public static int Width => 2;

    public static void Run(byte* group, in Int8Activations x, int first, int count, float* results)
    {
        Half(group, x, first, count, 0, results);
        Half(group, x, first, count, 8, results + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Half(byte* group, in Int8Activations x, int first, int count, int row, float* results)
    {
        int second = first + count - 1;
        int* p0 = x.Pairs + (long)first * x.Blocks * 16, p1 = x.Pairs + (long)second * x.Blocks * 16;
        Vector256<float> r0 = default, r1 = default;
        Vector256<short> low = Vector256.Create((short)0x00FF);
        for (int block = 0; block < x.Blocks; block++, p0 += 16, p1 += 16, group += PackedMatrix.BlockBytes)
        {
            long at0 = x.At(first, block), at1 = x.At(second, block);
            Vector256<int> s0 = Vector256.Create(x.Corrections[at0]), s1 = Vector256.Create(x.Corrections[at1]);
            for (int k = 0; k < 8; k++)
            {
                Vector256<short> w = Vector256.Load((short*)(group + 32 + 64 * k + 4 * row));
                Vector256<short> even = w & low, odd = w >>> 8;
                s0 += Avx2.MultiplyAddAdjacent(even, Vector256.Create(p0[2 * k]).AsInt16()) + Avx2.MultiplyAddAdjacent(odd, Vector256.Create(p0[2 * k + 1]).AsInt16());
                s1 += Avx2.MultiplyAddAdjacent(even, Vector256.Create(p1[2 * k]).AsInt16()) + Avx2.MultiplyAddAdjacent(odd, Vector256.Create(p1[2 * k + 1]).AsInt16());
            }

            Vector256<float> scale = Lanes256.HalfVector((ushort*)group + row);
            r0 = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s0), scale * Vector256.Create(x.Scales[at0]), r0);
            r1 = Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(s1), scale * Vector256.Create(x.Scales[at1]), r1);
        }

        r0.Store(results);
        r1.Store(results + 16);
    }
}
