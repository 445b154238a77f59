using System.Runtime.InteropServices;

namespace Glimmer.Kernels.Formats;

/// <summary>IEEE 754 single precision, little-endian.</summary>
public sealed class F32Codec : BlockCodec
{
    /// <inheritdoc/>
    public override BlockFormat Format => BlockFormat.F32;

    /// <inheritdoc/>
    public override int BlockLength => 1;

    /// <inheritdoc/>
    public override int BytesPerBlock => 4;

    /// <inheritdoc/>
    public override bool CanQuantise => true;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values) =>
        blocks.CopyTo(MemoryMarshal.AsBytes(values));

    /// <inheritdoc/>
    public override void Quantise(ReadOnlySpan<float> values, Span<byte> blocks) =>
        MemoryMarshal.AsBytes(values).CopyTo(blocks);
}
