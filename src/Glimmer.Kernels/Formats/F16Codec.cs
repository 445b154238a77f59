using System.Runtime.InteropServices;

namespace Glimmer.Kernels.Formats;

/// <summary>IEEE 754 half precision, little-endian.</summary>
public sealed class F16Codec : BlockCodec
{
    /// <inheritdoc/>
    public override BlockFormat Format => BlockFormat.F16;

    /// <inheritdoc/>
    public override int BlockLength => 1;

    /// <inheritdoc/>
    public override int BytesPerBlock => 2;

    /// <inheritdoc/>
    public override bool CanQuantise => true;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(blocks);
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)halves[i];
    }

    /// <inheritdoc/>
    public override void Quantise(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        Span<Half> halves = MemoryMarshal.Cast<byte, Half>(blocks);
        for (int i = 0; i < values.Length; i++)
            halves[i] = (Half)values[i];
    }
}
