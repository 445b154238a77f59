using System.Runtime.InteropServices;

namespace Glimmer.Kernels.Formats;

/// <summary>bfloat16: the upper half of a single-precision number; rounding is to nearest, ties to even.</summary>
public sealed class BF16Codec : BlockCodec
{
    /// <inheritdoc/>
    public override BlockFormat Format => BlockFormat.BF16;

    /// <inheritdoc/>
    public override int BlockLength => 1;

    /// <inheritdoc/>
    public override int BytesPerBlock => 2;

    /// <inheritdoc/>
    public override bool CanQuantise => true;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        ReadOnlySpan<ushort> bits = MemoryMarshal.Cast<byte, ushort>(blocks);
        for (int i = 0; i < values.Length; i++)
            values[i] = BitConverter.UInt32BitsToSingle((uint)bits[i] << 16);
    }

    /// <inheritdoc/>
    public override void Quantise(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        Span<ushort> bits = MemoryMarshal.Cast<byte, ushort>(blocks);
        for (int i = 0; i < values.Length; i++)
            bits[i] = Round(values[i]);
    }

    private static ushort Round(float value)
    {
        uint raw = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value))
            return (ushort)((raw >> 16) | 0x40); // keep it a NaN when the payload was only in the lower half
        return (ushort)((raw + 0x7FFF + ((raw >> 16) & 1)) >> 16);
    }
}
