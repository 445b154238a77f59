using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// Rows of activations as signed bytes in blocks of 32: x ≈ d·q with d = max|x| / 127 and q = x·(127 / max|x|) rounded to nearest, ties to even.
/// </summary>
/// <remarks>
/// A block's numbers depend on that block alone. Blocks smaller than 1e-30 throughout count as zero; a block with an infinity or a NaN gets
/// scale NaN, so that the results it enters become NaN. Per block lie 8 pairs of pairs (q0 q2, q1 q3 of every four columns, 16 bits
/// each, for multiply-add of 16-bit numbers), the 32 bytes themselves (for instructions that take bytes), −128·Σq and d.
/// </remarks>
internal readonly unsafe struct Int8Activations
{
    /// <summary>Bytes per block: pairs, bytes, sum and scale.</summary>
    public const int BytesPerBlock = 64 + 32 + 4 + 4;

    [ThreadStatic]
    private static byte[]? _memory;

    private Int8Activations(byte* memory, int rows, int blocks)
    {
        long count = (long)rows * blocks;
        Blocks = blocks;
        Pairs = (int*)memory;
        Bytes = (int*)(memory + count * 64);
        Corrections = (int*)(memory + count * 96);
        Scales = (float*)(memory + count * 100);
    }

    /// <summary>Blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>16 integers per block.</summary>
    public int* Pairs { get; }

    /// <summary>8 integers of four bytes per block.</summary>
    public int* Bytes { get; }

    /// <summary>−128·Σq of each block: takes back the 128 that packed weights have too much.</summary>
    public int* Corrections { get; }

    /// <summary>d of each block.</summary>
    public float* Scales { get; }

    /// <summary>Bytes that so many rows need.</summary>
    public static long Size(int rows, int columns) => (long)rows * (columns / 32) * BytesPerBlock;

    /// <summary>Memory of the calling thread for activations, valid until its next call.</summary>
    public static byte* Reserve(long bytes)
    {
        byte[]? memory = _memory;
        if (memory is null || memory.Length < bytes + 64)
            memory = _memory = GC.AllocateUninitializedArray<byte>(checked((int)Math.Max(bytes + 64, 1 << 16)), pinned: true);
        return (byte*)(((nint)Unsafe.AsPointer(ref memory[0]) + 63) & ~63); // pinned, and kept by the thread's field
    }

    /// <summary>Quantises rows into <paramref name="memory"/>, which holds <see cref="Size"/> bytes.</summary>
    public static Int8Activations Quantise<V>(float* x, int stride, int rows, int columns, byte* memory)
        where V : struct, ILanes<V>
    {
        var result = new Int8Activations(memory, rows, columns / 32);
        for (int row = 0; row < rows; row++)
            result.QuantiseRow<V>(x + (long)row * stride, (long)row * result.Blocks);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantiseRow<V>(float* x, long at)
        where V : struct, ILanes<V>
    {
        float* rounded = stackalloc float[32];
        V rounding = V.Broadcast(12582912f), zero = V.Broadcast(0);
        for (int block = 0; block < Blocks; block++, x += 32, at++)
        {
            V first = V.Load(x), second = V.Load(x + 16);
            V a = V.Abs(first), b = V.Abs(second);
            float largest = V.Largest(V.SelectLess(a, b, b, a));
            float poison = Folding.Sum(V.Fma(first, zero, second * zero)); // NaN when any number is not finite
            if (float.IsNaN(poison) || largest < 1e-30f)
            {
                new Span<int>(Pairs + at * 16, 16).Clear();
                new Span<int>(Bytes + at * 8, 8).Clear();
                Corrections[at] = 0;
                Scales[at] = float.IsNaN(poison) ? float.NaN : 0;
                continue;
            }

            // Adding 1.5·2^23 rounds to an integer, whose two's complement is then in the low bits.
            V inverse = V.Broadcast(127 / largest);
            V.Store(V.Fma(first, inverse, rounding), rounded);
            V.Store(V.Fma(second, inverse, rounding), rounded + 16);
            Scales[at] = largest / 127;
            Corrections[at] = Put((int*)rounded, Pairs + at * 16, (sbyte*)(Bytes + at * 8)) * -128;
        }
    }

    /// <summary>Spreads 32 integers over the two forms and returns their sum.</summary>
    private static int Put(int* rounded, int* pairs, sbyte* bytes)
    {
        int sum = 0;
        for (int c = 0; c < 32; c += 4)
        {
            sbyte q0 = (sbyte)rounded[c], q1 = (sbyte)rounded[c + 1], q2 = (sbyte)rounded[c + 2], q3 = (sbyte)rounded[c + 3];
            (bytes[c], bytes[c + 1], bytes[c + 2], bytes[c + 3]) = (q0, q1, q2, q3);
            pairs[c / 2] = Pair(q0, q2);
            pairs[c / 2 + 1] = Pair(q1, q3);
            sum += q0 + q1 + q2 + q3;
        }

        return sum;
    }

    /// <summary>Two numbers of 16 bits, the first in the lower half.</summary>
    private static int Pair(sbyte first, sbyte second) => (second << 16) + (ushort)first;
}
