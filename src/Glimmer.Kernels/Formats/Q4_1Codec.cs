namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: half scale d, half minimum m, 16 bytes of nibbles q as in Q4_0; value = d·q + m.</summary>
internal sealed class Q4_1Codec() : BlockwiseCodec(BlockFormat.Q4_1, 32, 20, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0), minimum = ReadHalf(block, 2);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * (block[4 + i] & 15) + minimum;
            values[i + 16] = scale * (block[4 + i] >> 4) + minimum;
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        (float minimum, float maximum) = Rounding.Range(values);
        float scale = (maximum - minimum) / 15;
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        WriteHalf(block, 2, minimum);
        for (int i = 0; i < 16; i++)
        {
            int low = Rounding.Truncate((values[i] - minimum) * inverse + 0.5f, 15), high = Rounding.Truncate((values[i + 16] - minimum) * inverse + 0.5f, 15);
            block[4 + i] = (byte)(low | (high << 4));
        }
    }
}
