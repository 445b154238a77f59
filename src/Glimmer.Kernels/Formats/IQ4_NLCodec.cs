namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: half d, 16 bytes of nibbles as in Q4_0 that choose one of 16 uneven levels; value = d·level.</summary>
internal sealed class IQ4_NLCodec() : BlockwiseCodec(BlockFormat.IQ4_NL, 32, 18, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * Iq4Levels.Values[block[2 + i] & 15];
            values[i + 16] = scale * Iq4Levels.Values[block[2 + i] >> 4];
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Fill(values, Iq4Levels.BestScale(values), block);
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> weights = stackalloc float[32];
        WeightedSearch.Weights(values, importance, 2 * WeightedSearch.MeanSquare(values), weights);
        Fill(values, Iq4Levels.BestScale(values, weights), block);
    }

    private static void Fill(ReadOnlySpan<float> values, float scale, Span<byte> block)
    {
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        for (int i = 0; i < 16; i++)
            block[2 + i] = (byte)(Iq4Levels.Nearest(inverse * values[i]) | Iq4Levels.Nearest(inverse * values[i + 16]) << 4);
    }
}
