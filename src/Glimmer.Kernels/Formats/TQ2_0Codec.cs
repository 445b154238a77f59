namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 256 ternary numbers: 64 bytes of 2-bit codes as in Q2_K, half d; value = d·(code − 1).</summary>
internal sealed class TQ2_0Codec() : BlockwiseCodec(BlockFormat.TQ2_0, 256, 66, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 64);
        for (int i = 0; i < 256; i++)
            values[i] = scale * (PackedCodes.TwoBits(block[..64], i) - 1);
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = MathF.Abs(Rounding.Extreme(values));
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 64, scale);
        Span<byte> codes = stackalloc byte[256];
        for (int i = 0; i < 256; i++)
            codes[i] = (byte)(Rounding.AwayFromZero(values[i] * inverse, -1, 1) + 1);
        PackedCodes.PackTwoBits(codes, block[..64]);
    }
}
