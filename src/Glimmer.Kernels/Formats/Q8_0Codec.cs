namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: a half-precision scale d, then 32 signed bytes q; value = d·q.</summary>
internal sealed class Q8_0Codec() : BlockwiseCodec(BlockFormat.Q8_0, 32, 34, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0);
        for (int i = 0; i < 32; i++)
            values[i] = scale * (sbyte)block[2 + i];
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = MathF.Abs(Rounding.Extreme(values)) / 127;
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        for (int i = 0; i < 32; i++)
            block[2 + i] = (byte)(sbyte)Rounding.AwayFromZero(values[i] * inverse, -128, 127);
    }
}
