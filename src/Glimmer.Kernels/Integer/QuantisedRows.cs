using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>
/// Rows of activations as signed bytes with one scale per block of 32 or 256: x ≈ d·q with d = max|x| / 127 and q = x·(127 / max|x|) rounded to nearest, ties
/// to even.
/// </summary>
/// <remarks>
/// <para>
/// A block's numbers depend on that block alone. Blocks smaller than 1e-30 throughout count as zero; a block with an infinity or a NaN gets scale NaN, so that
/// the results it enters become NaN.
/// </para>
/// <para>
/// Rows lie in panels of <see cref="PanelRows"/>, the last one as narrow as what is left. In a panel of w rows a block is one record: for every four columns w
/// integers of four bytes; −Σq of every 32 columns (blocks of 32) or every 16 (blocks of 256), w integers each; with blocks of 256 also −Σq of every 32 columns in 16 bits,
/// two neighbours in one integer; w scales. So one pointer walks through everything.
/// </para>
/// </remarks>
internal readonly unsafe struct QuantisedRows
{
    /// <summary>Rows of a panel: as many columns as the widest register tile has.</summary>
    public const int PanelRows = 12;

    /// <summary>The bits of 1.5·2^23, below which a rounded number shows as an integer.</summary>
    private const int RoundingBits = 0x4B400000;

    [ThreadStatic]
    private static NativeBlock? _memory;

    private readonly byte* _memoryStart;

    /// <summary>Lays rows out over <paramref name="memory"/>, which holds <see cref="Size"/> bytes.</summary>
    public QuantisedRows(byte* memory, int rows, int columns, bool super)
    {
        _memoryStart = memory;
        Rows = rows;
        IsSuper = super;
        Blocks = columns / (super ? 256 : 32);
    }

    /// <summary>Rows.</summary>
    public int Rows { get; }

    /// <summary>Whether blocks have 256 columns.</summary>
    public bool IsSuper { get; }

    /// <summary>Blocks of a row.</summary>
    public int Blocks { get; }

    /// <summary>Panels.</summary>
    public int Panels => (Rows + PanelRows - 1) / PanelRows;

    /// <summary>Bytes of a block per row.</summary>
    public static int RecordBytes(bool super) => super ? 256 + 64 + 16 + 4 : 32 + 4 + 4;

    /// <summary>Where the sums of a record begin, per row of the panel; sums of pairs follow them, then the scale.</summary>
    public static int SumsAt(bool super) => super ? 256 : 32;

    /// <summary>Where the paired sums of a record of 256 begin, per row of the panel.</summary>
    public const int PairsAt = 256 + 64;

    /// <summary>Where the scale of a record lies, per row of the panel.</summary>
    public static int ScaleAt(bool super) => RecordBytes(super) - 4;

    /// <summary>Bytes that so many rows need.</summary>
    public static long Size(int rows, int columns, bool super) => (long)rows * (columns / (super ? 256 : 32)) * RecordBytes(super);

    /// <summary>Rows of a panel.</summary>
    public int Width(int panel) => Math.Min(PanelRows, Rows - panel * PanelRows);

    /// <summary>First record of a panel.</summary>
    public byte* Panel(int panel) => _memoryStart + (long)panel * PanelRows * Blocks * RecordBytes(IsSuper);

    /// <summary>Memory of the calling thread for activations, valid until its next call.</summary>
    public static byte* Reserve(long bytes)
    {
        // Not an array: a long pass through a wide mixture of experts needs more than two gigabytes.
        NativeBlock? memory = _memory;
        if (memory is null || memory.Length < bytes)
        {
            memory?.Dispose();
            memory = _memory = new NativeBlock(Math.Max(bytes, 1 << 16));
        }

        return memory.Start;
    }

    /// <summary>Quantises the rows of one panel; <paramref name="x"/> is row 0 of all.</summary>
    public void QuantisePanel<V>(float* x, int stride, int panel)
        where V : struct, ILanes<V>
    {
        int width = Width(panel);
        byte* records = Panel(panel);
        x += (long)panel * PanelRows * stride;
        for (int row = 0; row < width; row++, x += stride)
        {
            if (typeof(V) == typeof(Lanes512))
                QuantiseRowWide(x, records, width, row);
            else if (IsSuper)
                QuantiseRow256<V>(x, records, width, row);
            else
                QuantiseRow32<V>(x, records, width, row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantiseRow32<V>(float* x, byte* record, int width, int row)
        where V : struct, ILanes<V>
    {
        float* rounded = stackalloc float[32];
        for (int block = 0; block < Blocks; block++, x += 32, record += (long)width * RecordBytes(super: false))
        {
            V a = V.Load(x), b = V.Load(x + 16);
            float scale = Round(V.Largest(Larger(V.Abs(a), V.Abs(b))), Folding.Sum(V.Fma(a, V.Broadcast(0), b * V.Broadcast(0))), out V inverse);
            V rounding = V.Broadcast(12582912f);
            V.Store(V.Fma(a, inverse, rounding), rounded);
            V.Store(V.Fma(b, inverse, rounding), rounded + 16);
            int* quads = (int*)record + row;
            int sum = Put((int*)rounded, scale, quads, width) + Put((int*)rounded + 16, scale, quads + 4 * width, width);
            ((int*)(record + 32 * width))[row] = -sum;
            ((float*)(record + 36 * width))[row] = scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantiseRow256<V>(float* x, byte* record, int width, int row)
        where V : struct, ILanes<V>
    {
        float* rounded = stackalloc float[16];
        for (int block = 0; block < Blocks; block++, x += 256, record += (long)width * RecordBytes(super: true))
        {
            V largest = V.Broadcast(0), poison = V.Broadcast(0), zero = V.Broadcast(0), rounding = V.Broadcast(12582912f);
            for (int i = 0; i < 256; i += 16)
            {
                V v = V.Load(x + i);
                largest = Larger(largest, V.Abs(v));
                poison = V.Fma(v, zero, poison); // NaN when any number is not finite
            }

            float scale = Round(V.Largest(largest), Folding.Sum(poison), out V inverse);
            int* quads = (int*)record + row, sums = (int*)(record + 256 * width) + row;
            short* pairs = (short*)(record + PairsAt * width) + 2 * row;
            for (int run = 0; run < 16; run += 2, pairs += (run & 3) == 0 ? 2 * width - 1 : 1)
            {
                V.Store(V.Fma(V.Load(x + 16 * run), inverse, rounding), rounded);
                int first = Put((int*)rounded, scale, quads + 4 * run * width, width);
                V.Store(V.Fma(V.Load(x + 16 * run + 16), inverse, rounding), rounded);
                int second = Put((int*)rounded, scale, quads + (4 * run + 4) * width, width);
                sums[run * width] = -first;
                sums[(run + 1) * width] = -second;
                *pairs = (short)-(first + second);
            }

            ((float*)(record + 336 * width))[row] = scale;
        }
    }

    /// <summary>Both forms with 512-bit integers: magnitudes of floats compare as their bits do.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void QuantiseRowWide(float* x, byte* record, int width, int row)
    {
        bool super = IsSuper;
        int columns = super ? 256 : 32;
        long step = (long)width * RecordBytes(super);
        Vector512<int> magnitude = Vector512.Create(0x7FFFFFFF), shift = Vector512.Create(RoundingBits);
        Vector512<float> rounding = Vector512.Create(12582912f);
        for (int block = 0; block < Blocks; block++, x += columns, record += step)
        {
            Vector512<int> most = Vector512<int>.Zero;
            for (int i = 0; i < columns; i += 16)
                most = Vector512.Max(most, Vector512.Load((int*)x + i) & magnitude);
            float largest = BitConverter.Int32BitsToSingle(Largest(most));
            bool finite = float.IsFinite(largest), counts = finite && largest >= 1e-30f;
            float scale = !finite ? float.NaN : counts ? largest / 127 : 0;
            Vector512<float> inverse = Vector512.Create(counts ? 127 / largest : 0);
            int* quads = (int*)record + row, sums = (int*)(record + SumsAt(super) * width) + row;
            short* pairs = (short*)(record + PairsAt * width) + 2 * row;
            int before = 0;
            for (int run = 0; run < columns / 16; run++, quads += 4 * width)
            {
                Vector512<int> rounded = Vector512.FusedMultiplyAdd(Vector512.Load(x + 16 * run), inverse, rounding).AsInt32() - shift;
                Vector128<sbyte> bytes = counts ? Avx512F.ConvertToVector128SByte(rounded) : Vector128<sbyte>.Zero; // infinity times 0 is not a number
                Vector128<int> four = bytes.AsInt32();
                quads[0] = four[0];
                quads[width] = four[1];
                quads[2 * width] = four[2];
                quads[3 * width] = four[3];
                int sum = -Vector128.Sum(Sse2.MultiplyAddAdjacent(Ssse3.MultiplyAddAdjacent(Vector128.Create((byte)1), bytes), Vector128.Create((short)1)));
                if (super)
                    sums[run * width] = sum;
                if ((run & 1) == 0)
                {
                    before = sum;
                    continue;
                }

                if (super)
                    pairs[run / 4 * 2 * width + (run / 2 & 1)] = (short)(before + sum);
                else
                    *sums = before + sum;
            }

            ((float*)(record + ScaleAt(super) * width))[row] = scale;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Largest(Vector512<int> v)
    {
        Vector256<int> half = Vector256.Max(v.GetLower(), v.GetUpper());
        Vector128<int> quarter = Vector128.Max(half.GetLower(), half.GetUpper());
        quarter = Vector128.Max(quarter, Vector128.Shuffle(quarter, Vector128.Create(2, 3, 0, 1)));
        return Math.Max(quarter[0], quarter[1]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Larger<V>(V a, V b)
        where V : struct, ILanes<V> => V.SelectLess(a, b, b, a);

    /// <summary>The scale of a block (0 when it counts as zero, NaN when a number is not finite) and what to multiply it with.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Round<V>(float largest, float poison, out V inverse)
        where V : struct, ILanes<V>
    {
        if (float.IsNaN(poison) || largest < 1e-30f)
        {
            inverse = V.Broadcast(0);
            return float.IsNaN(poison) ? float.NaN : 0;
        }

        inverse = V.Broadcast(127 / largest);
        return largest / 127;
    }

    /// <summary>Stores sixteen rounded numbers as four integers of four bytes, <paramref name="step"/> apart, and returns their sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Put(int* rounded, float scale, int* quads, int step)
    {
        if (!(scale > 0))
        {
            quads[0] = quads[step] = quads[2 * step] = quads[3 * step] = 0;
            return 0;
        }

        // Adding 1.5·2^23 has rounded to an integer, whose two's complement is in the low bits.
        Vector128<int> shift = Vector128.Create(RoundingBits);
        Vector128<int> a = Vector128.Load(rounded) - shift, b = Vector128.Load(rounded + 4) - shift, c = Vector128.Load(rounded + 8) - shift, d = Vector128.Load(rounded + 12) - shift;
        Vector128<int> bytes = Vector128.Narrow(Vector128.Narrow(a, b), Vector128.Narrow(c, d)).AsInt32();
        quads[0] = bytes[0];
        quads[step] = bytes[1];
        quads[2 * step] = bytes[2];
        quads[3 * step] = bytes[3];
        return Vector128.Sum(a + b + (c + d));
    }
}
