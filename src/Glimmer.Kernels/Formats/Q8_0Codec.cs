using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: a half-precision scale d, then 32 signed bytes q; value = d·q.</summary>
public sealed class Q8_0Codec : BlockCodec
{
    /// <inheritdoc/>
    public override BlockFormat Format => BlockFormat.Q8_0;

    /// <inheritdoc/>
    public override int BlockLength => 32;

    /// <inheritdoc/>
    public override int BytesPerBlock => 34;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        for (int block = 0; block * 32 < values.Length; block++)
        {
            ReadOnlySpan<byte> source = blocks.Slice(block * 34, 34);
            float scale = (float)BinaryPrimitives.ReadHalfLittleEndian(source);
            Span<float> target = values.Slice(block * 32, 32);
            for (int i = 0; i < 32; i++)
                target[i] = scale * (sbyte)source[2 + i];
        }
    }
}
