using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>How keys and values lie in the cache. Kernels widen each exactly and compute in single precision.</summary>
public enum KvFormat
{
    /// <summary>Single precision: nothing is rounded.</summary>
    F32,

    /// <summary>Half precision, nearest, ties to even; what is too large becomes ±65504.</summary>
    F16,

    /// <summary>Blocks of 32 numbers of a head: a half-precision scale d = max |x| / 127, then 32 signed bytes q; a number is d·q.</summary>
    Q8_0,
}

/// <summary>Rows of the formats: their size, writing and reading.</summary>
public static unsafe class KvRowFormats
{
    /// <summary>Numbers of a block of <see cref="KvFormat.Q8_0"/>.</summary>
    public const int BlockLength = 32;

    /// <summary>Bytes of a block of <see cref="KvFormat.Q8_0"/>.</summary>
    internal const int BlockBytes = 2 + BlockLength;

    /// <summary>The format itself, or F16 in place of Q8_0 for heads that do not fill whole blocks.</summary>
    public static KvFormat For(this KvFormat format, int headWidth) =>
        format == KvFormat.Q8_0 && headWidth % BlockLength != 0 ? KvFormat.F16 : format;

    /// <summary>Bytes of so many numbers of a head.</summary>
    /// <exception cref="ArgumentException">They do not fill whole blocks.</exception>
    public static long BytesFor(this KvFormat format, long numbers) => format switch
    {
        KvFormat.F32 => numbers * sizeof(float),
        KvFormat.F16 => numbers * sizeof(ushort),
        _ when numbers % BlockLength == 0 => numbers / BlockLength * BlockBytes,
        _ => throw new ArgumentException($"{numbers} numbers do not fill blocks of {BlockLength}.", nameof(numbers)),
    };

    /// <summary>Writes numbers of one head.</summary>
    /// <param name="format">The format of the row.</param>
    /// <param name="values">The numbers.</param>
    /// <param name="row">Receives <see cref="BytesFor"/> bytes.</param>
    /// <param name="count">How many; whole blocks for Q8_0.</param>
    public static void Write(KvFormat format, float* values, void* row, int count) => Write(InstructionSets.Current, format, values, row, count);

    /// <summary>Reads numbers of one head, exactly what attention computes with.</summary>
    public static void Read(KvFormat format, void* row, float* values, int count) => Read(InstructionSets.Current, format, row, values, count);

    internal static void Write(InstructionSet set, KvFormat format, float* values, void* row, int count)
    {
        if (format == KvFormat.F32)
        {
            new ReadOnlySpan<float>(values, count).CopyTo(new Span<float>(row, count));
            return;
        }

        var kernel = new WriteKernel(format, values, (byte*)row, count);
        LaneDispatch.Run(set, ref kernel);
    }

    internal static void Read(InstructionSet set, KvFormat format, void* row, float* values, int count)
    {
        var kernel = new ReadKernel(format, (byte*)row, values, count);
        LaneDispatch.Run(set, ref kernel);
    }

    /// <summary>Widens a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Widen<V>(KvFormat format, byte* row, float* values, int count)
        where V : struct, ILanes<V>
    {
        if (format == KvFormat.F16)
            WidenHalves<V>((ushort*)row, values, count);
        else if (format == KvFormat.Q8_0)
            WidenBlocks<V>(row, values, count);
        else
            new ReadOnlySpan<float>(row, count).CopyTo(new Span<float>(values, count));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenHalves<V>(ushort* row, float* values, int count)
        where V : struct, ILanes<V>
    {
        int i = 0;
        for (; i + 16 <= count; i += 16)
            V.Store(V.LoadFiniteHalf(row + i), values + i);
        for (; i < count; i++)
            values[i] = PartialLanes.FromFiniteHalf(row[i]);
    }

    // A half times a byte has at most 18 digits: the product is exact.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WidenBlocks<V>(byte* row, float* values, int count)
        where V : struct, ILanes<V>
    {
        int i = 0;
        for (; i + BlockLength <= count; i += BlockLength, row += BlockBytes)
        {
            V scale = V.Broadcast(PartialLanes.FromFiniteHalf(*(ushort*)row));
            V.Store(V.LoadSByte((sbyte*)row + 2) * scale, values + i);
            V.Store(V.LoadSByte((sbyte*)row + 18) * scale, values + i + 16);
        }

        // Values that are the beginning of a key may end in a block.
        for (int j = 0; i + j < count; j++)
            values[i + j] = PartialLanes.FromFiniteHalf(*(ushort*)row) * (sbyte)row[2 + j];
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NarrowHalves<V>(float* values, ushort* row, int count)
        where V : struct, ILanes<V>
    {
        int i = 0;
        for (; i + 16 <= count; i += 16)
            V.StoreHalf(V.Load(values + i), row + i);
        for (; i < count; i++)
            row[i] = PartialLanes.ToHalf(values[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void NarrowBlocks<V>(float* values, byte* row, int count)
        where V : struct, ILanes<V>
    {
        const float Rounding = 12582912f; // 1.5·2^23: adding it rounds to an integer, ties to even
        float* whole = stackalloc float[BlockLength];
        for (int i = 0; i < count; i += BlockLength, row += BlockBytes)
        {
            V first = V.Load(values + i), second = V.Load(values + i + 16), a = V.Abs(first), b = V.Abs(second);
            ushort scale = PartialLanes.ToHalf(V.Largest(V.SelectLess(a, b, b, a)) / 127);

            // The scale as it is stored: it may be the smaller one of two halves, so that quotients lie a little beyond 127.
            float stored = PartialLanes.FromFiniteHalf(scale);
            V inverse = V.Broadcast(stored == 0 ? 0 : 1 / stored), high = V.Broadcast(127), low = V.Broadcast(-127), rounding = V.Broadcast(Rounding);
            V.Store(Round(first * inverse, low, high, rounding), whole);
            V.Store(Round(second * inverse, low, high, rounding), whole + 16);
            *(ushort*)row = scale;
            for (int j = 0; j < BlockLength; j++)
                row[2 + j] = (byte)(sbyte)whole[j];
        }
    }

    // A NaN passes neither comparison the right way round and becomes the lower bound.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Round<V>(V x, V low, V high, V rounding)
        where V : struct, ILanes<V>
    {
        x = V.SelectLess(low, x, x, low);
        x = V.SelectLess(x, high, x, high);
        return (x + rounding) - rounding;
    }

    private readonly struct WriteKernel(KvFormat format, float* values, byte* row, int count) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            if (format == KvFormat.F16)
                NarrowHalves<V>(values, (ushort*)row, count);
            else
                NarrowBlocks<V>(values, row, count);
        }
    }

    private readonly struct ReadKernel(KvFormat format, byte* row, float* values, int count) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V> => Widen<V>(format, row, values, count);
    }
}
