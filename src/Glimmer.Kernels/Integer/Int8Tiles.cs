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
                sbyte* q = (sbyte*)(x.Bytes + ((long)first * x.Blocks + block) * 8);
                int sum = 0;
                for (int c = 0; c < 32; c++)
                    sum += (weights[32 + c / 4 * 64 + row * 4 + c % 4] - 128) * q[c];
                float scale = PartialLanes.FromHalf(((ushort*)weights)[row]) * x.Scales[(long)first * x.Blocks + block];
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run(byte* group, in Int8Activations x, int first, int count, float* results)
    {
        int blocks = x.Blocks;
        long at0 = (long)first * blocks;
        long at1 = count > 1 ? at0 + blocks : at0, at2 = count > 2 ? at1 + blocks : at0, at3 = count > 3 ? at2 + blocks : at0;
        Vector512<float> r0 = default, r1 = default, r2 = default, r3 = default;
        Vector512<short> low = Vector512.Create((short)0x00FF);
        for (int block = 0; block < blocks; block++, at0++, at1++, at2++, at3++, group += PackedMatrix.BlockBytes)
        {
            int* p0 = x.Pairs + at0 * 16, p1 = x.Pairs + at1 * 16, p2 = x.Pairs + at2 * 16, p3 = x.Pairs + at3 * 16;
            Vector512<int> s0 = Vector512.Create(x.Corrections[at0]), s1 = Vector512.Create(x.Corrections[at1]);
            Vector512<int> s2 = Vector512.Create(x.Corrections[at2]), s3 = Vector512.Create(x.Corrections[at3]);
            for (int k = 0; k < 8; k++)
            {
                // Per row the bytes w0 w1 w2 w3: as 16-bit numbers w0 w2 and w1 w3.
                Vector512<short> w = Vector512.Load((short*)(group + 32 + 64 * k));
                Vector512<short> even = w & low, odd = w >>> 8;
                s0 += Avx512BW.MultiplyAddAdjacent(even, Vector512.Create(p0[2 * k]).AsInt16()) + Avx512BW.MultiplyAddAdjacent(odd, Vector512.Create(p0[2 * k + 1]).AsInt16());
                s1 += Avx512BW.MultiplyAddAdjacent(even, Vector512.Create(p1[2 * k]).AsInt16()) + Avx512BW.MultiplyAddAdjacent(odd, Vector512.Create(p1[2 * k + 1]).AsInt16());
                s2 += Avx512BW.MultiplyAddAdjacent(even, Vector512.Create(p2[2 * k]).AsInt16()) + Avx512BW.MultiplyAddAdjacent(odd, Vector512.Create(p2[2 * k + 1]).AsInt16());
                s3 += Avx512BW.MultiplyAddAdjacent(even, Vector512.Create(p3[2 * k]).AsInt16()) + Avx512BW.MultiplyAddAdjacent(odd, Vector512.Create(p3[2 * k + 1]).AsInt16());
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
        int blocks = x.Blocks;
        long at0 = (long)first * blocks, at1 = count > 1 ? at0 + blocks : at0;
        Vector256<float> r0 = default, r1 = default;
        Vector256<short> low = Vector256.Create((short)0x00FF);
        for (int block = 0; block < blocks; block++, at0++, at1++, group += PackedMatrix.BlockBytes)
        {
            int* p0 = x.Pairs + at0 * 16, p1 = x.Pairs + at1 * 16;
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
