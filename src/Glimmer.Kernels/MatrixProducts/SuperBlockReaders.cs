using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Formats;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.MatrixProducts;

// The layouts are those of the codecs of the same name; each value is computed by the same operations in the same order, so
// the bits are the same. Every row consists of whole blocks, so there is never a rest.

/// <summary>Fields of packed bytes.</summary>
internal static unsafe class PackedFields
{
    /// <summary>Sixteen fields of a few bits, one per byte: bits <paramref name="shift"/> and up, under a mask.</summary>
    /// <remarks>Bytes are shifted in pairs; what crosses from one to the other lies outside the mask, as shift + bits is at most 8.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Take(byte* source, int shift, byte mask) =>
        Vector128.ShiftRightLogical(Vector128.Load(source).AsUInt16(), shift).AsByte() & Vector128.Create(mask);

    /// <summary>Sixteen codes as floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Floats<V>(Vector128<byte> codes)
        where V : struct, ILanes<V> => V.LoadSByte((sbyte*)&codes);

    /// <summary>Sixteen codes of up to four bits moved to where a higher part of the code belongs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<byte> Raise(Vector128<byte> codes, int bits) => Vector128.ShiftLeft(codes.AsUInt16(), bits).AsByte();

    public static UnreachableException NoRest(BlockFormat format) => new($"Rows of {format} consist of whole blocks.");
}

internal readonly unsafe struct Q4_0Reader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        byte* source = row + 18L * block;
        V scale = V.Broadcast(PartialLanes.FromHalf(*(ushort*)source));
        Vector128<byte> zero = Vector128.Create((byte)8);
        first = PackedFields.Floats<V>(PackedFields.Take(source + 2, 0, 15) - zero) * scale;
        second = PackedFields.Floats<V>(PackedFields.Take(source + 2, 4, 15) - zero) * scale;
    }

    public static void CopyRest(byte* row, int column, int count, float* values) => throw PackedFields.NoRest(BlockFormat.Q4_0);
}

internal readonly unsafe struct Q4_KReader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        byte* source = row + 144L * (block >> 3);
        int run = block & 7;
        Header(source, run, out V scale, out V offset);
        byte* codes = source + 16 + (run >> 1) * 32;
        int shift = (run & 1) * 4;
        first = PackedFields.Floats<V>(PackedFields.Take(codes, shift, 15)) * scale - offset;
        second = PackedFields.Floats<V>(PackedFields.Take(codes + 16, shift, 15)) * scale - offset;
    }

    public static void CopyRest(byte* row, int column, int count, float* values) => throw PackedFields.NoRest(BlockFormat.Q4_K);

    /// <summary>Scale and offset of one run of 32; Q5_K has the same header.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Header<V>(byte* source, int run, out V scale, out V offset)
        where V : struct, ILanes<V>
    {
        (int s, int o) = PackedCodes.SixBits(new ReadOnlySpan<byte>(source + 4, 12), run);
        scale = V.Broadcast(PartialLanes.FromHalf(*(ushort*)source) * s);
        offset = V.Broadcast(PartialLanes.FromHalf(*(ushort*)(source + 2)) * o);
    }
}

internal readonly unsafe struct Q5_KReader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        byte* source = row + 176L * (block >> 3);
        int run = block & 7;
        Q4_KReader.Header(source, run, out V scale, out V offset);
        byte* codes = source + 48 + (run >> 1) * 32;
        int shift = (run & 1) * 4;
        Vector128<byte> low = PackedFields.Take(codes, shift, 15), high = PackedFields.Take(source + 16, run, 1);
        first = PackedFields.Floats<V>(low | PackedFields.Raise(high, 4)) * scale - offset;
        low = PackedFields.Take(codes + 16, shift, 15);
        high = PackedFields.Take(source + 32, run, 1);
        second = PackedFields.Floats<V>(low | PackedFields.Raise(high, 4)) * scale - offset;
    }

    public static void CopyRest(byte* row, int column, int count, float* values) => throw PackedFields.NoRest(BlockFormat.Q5_K);
}

internal readonly unsafe struct Q6_KReader : IWeightReader
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load32<V>(byte* row, int block, out V first, out V second)
        where V : struct, ILanes<V>
    {
        byte* source = row + 210L * (block >> 3);
        int run = block & 7;
        float d = PartialLanes.FromHalf(*(ushort*)(source + 208));
        sbyte* scales = (sbyte*)(source + 192 + run * 2);
        byte* low = source + (run >> 2) * 64 + (run & 1) * 32;
        byte* high = source + 128 + (run >> 2) * 32;
        int lowShift = (run >> 1 & 1) * 4, highShift = (run & 3) * 2;
        Vector128<byte> zero = Vector128.Create((byte)32);
        Vector128<byte> codes = PackedFields.Take(low, lowShift, 15) | PackedFields.Raise(PackedFields.Take(high, highShift, 3), 4);
        first = PackedFields.Floats<V>(codes - zero) * V.Broadcast(d * scales[0]);
        codes = PackedFields.Take(low + 16, lowShift, 15) | PackedFields.Raise(PackedFields.Take(high + 16, highShift, 3), 4);
        second = PackedFields.Floats<V>(codes - zero) * V.Broadcast(d * scales[1]);
    }

    public static void CopyRest(byte* row, int column, int count, float* values) => throw PackedFields.NoRest(BlockFormat.Q6_K);
}
