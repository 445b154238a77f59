namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: half scale d, 16 bytes of nibbles q (low nibbles are values 0–15, high ones 16–31); value = d·(q − 8).</summary>
internal sealed class Q4_0Codec() : BlockwiseCodec(BlockFormat.Q4_0, 32, 18, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * ((block[2 + i] & 15) - 8);
            values[i + 16] = scale * ((block[2 + i] >> 4) - 8);
        }
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> weights = stackalloc float[32];
        Span<sbyte> codes = stackalloc sbyte[32];
        WeightedSearch.Weights(values, importance, rowMeanSquare, weights);
        WriteHalf(block, 0, WeightedSearch.Symmetric(values, weights, 8, codes));
        for (int i = 0; i < 16; i++)
            block[2 + i] = (byte)((codes[i] + 8) | (codes[i + 16] + 8) << 4);
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        // The extreme value gets the code 0, the one magnitude that only one sign has.
        float scale = Rounding.Extreme(values) / -8;
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        for (int i = 0; i < 16; i++)
        {
            int low = Rounding.Truncate(values[i] * inverse + 8.5f, 15), high = Rounding.Truncate(values[i + 16] * inverse + 8.5f, 15);
            block[2 + i] = (byte)(low | (high << 4));
        }
    }
}
