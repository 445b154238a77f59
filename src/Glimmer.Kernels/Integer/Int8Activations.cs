using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// Rows of activations as signed bytes in blocks of 32: x ≈ d·q with d = max|x| / 127 and q = x·(127 / max|x|) rounded to nearest, ties to even.
/// </summary>
/// <remarks>
/// A block's numbers depend on that block alone. Blocks smaller than 1e-30 throughout count as zero; a block with an infinity or a NaN gets
/// scale NaN, so that the results it enters become NaN. Per block lie 8 pairs of pairs (q0 q2, q1 q3 of every four columns, 16 bits
/// each, for multiply-add of 16-bit numbers), the 32 bytes themselves (for instructions that take bytes), −128·Σq and d. The last three lie in panels of
/// <see cref="PanelRows"/> rows, a block of all rows side by side, so that one pointer walks through a panel.
/// </remarks>
internal readonly unsafe struct Int8Activations
{
    /// <summary>Bytes per block: pairs, bytes, sum and scale.</summary>
    public const int BytesPerBlock = 64 + 32 + 4 + 4;

    /// <summary>Rows of activations in a panel.</summary>
    public const int PanelRows = 8;

    /// <summary>The bits of 1.5·2^23, below which a rounded number shows as an integer.</summary>
    private const int RoundingBits = 0x4B400000;

    [ThreadStatic]
    private static byte[]? _memory;

    private Int8Activations(byte* memory, int rows, int blocks)
    {
        long count = Padded(rows) * blocks;
        Blocks = blocks;
        Pairs = (int*)memory;
        Bytes = (int*)(memory + count * 64);
        Corrections = (int*)(memory + count * 96);
        Scales = (float*)(memory + count * 100);
    }

    /// <summary>Blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>16 integers per block, row after row.</summary>
    public int* Pairs { get; }

    /// <summary>8 integers of four bytes per block: four columns of every row of the panel, then the next four.</summary>
    public int* Bytes { get; }

    /// <summary>−128·Σq of each block: takes back the 128 that packed weights have too much.</summary>
    public int* Corrections { get; }

    /// <summary>d of each block.</summary>
    public float* Scales { get; }

    /// <summary>Bytes that so many rows need.</summary>
    public static long Size(int rows, int columns) => Padded(rows) * (columns / 32) * BytesPerBlock;

    /// <summary>Where a block's correction and scale lie.</summary>
    public long At(int row, int block) => ((long)(row / PanelRows) * Blocks + block) * PanelRows + row % PanelRows;

    /// <summary>First integer of a block's bytes; the next four columns are <see cref="PanelRows"/> integers further.</summary>
    public int* BytesAt(int row, int block) => Bytes + ((long)(row / PanelRows) * Blocks + block) * PanelRows * 8 + row % PanelRows;

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
            result.QuantiseRow<V>(x + (long)row * stride, row);
        return result;
    }

    private static long Padded(int rows) => ((long)rows + PanelRows - 1) / PanelRows * PanelRows;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantiseRow<V>(float* x, int row)
        where V : struct, ILanes<V>
    {
        float* rounded = stackalloc float[32];
        V rounding = V.Broadcast(12582912f), zero = V.Broadcast(0);
        for (int block = 0; block < Blocks; block++, x += 32)
        {
            long at = At(row, block);
            int* pairs = Pairs + ((long)row * Blocks + block) * 16;
            V first = V.Load(x), second = V.Load(x + 16);
            V a = V.Abs(first), b = V.Abs(second);
            float largest = V.Largest(V.SelectLess(a, b, b, a));
            float poison = Folding.Sum(V.Fma(first, zero, second * zero)); // NaN when any number is not finite
            if (float.IsNaN(poison) || largest < 1e-30f)
            {
                new Span<int>(rounded, 32).Clear();
                Put((int*)rounded, 0, pairs, BytesAt(row, block));
                Corrections[at] = 0;
                Scales[at] = float.IsNaN(poison) ? float.NaN : 0;
                continue;
            }

            // Adding 1.5·2^23 rounds to an integer, whose two's complement is then in the low bits.
            V inverse = V.Broadcast(127 / largest);
            V.Store(V.Fma(first, inverse, rounding), rounded);
            V.Store(V.Fma(second, inverse, rounding), rounded + 16);
            Scales[at] = largest / 127;
            Corrections[at] = Put((int*)rounded, RoundingBits, pairs, BytesAt(row, block)) * -128;
        }
    }

    /// <summary>Spreads 32 integers over the two forms and returns their sum. Each is stored with <paramref name="offset"/> added.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Put(int* rounded, int offset, int* pairs, int* bytes)
    {
        Vector128<int> sum = default, shift = Vector128.Create(offset);
        for (int k = 0; k < 8; k++)
        {
            // Four columns: q0 q1 q2 q3. The pairs are q0 | q2 << 16 and q1 | q3 << 16.
            Vector128<int> q = Vector128.Load(rounded + 4 * k) - shift;
            sum += q;
            Vector64<int> low = (q & Vector128.Create(0xFFFF)).GetLower(), high = (q << 16).GetUpper();
            (low | high).Store(pairs + 2 * k);
            bytes[k * PanelRows] = Vector128.Narrow(Vector128.Narrow(q, q), default).AsInt32()[0];
        }

        return Vector128.Sum(sum);
    }
}
