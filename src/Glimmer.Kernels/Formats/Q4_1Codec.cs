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
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> weights = stackalloc float[32];
        Span<int> codes = stackalloc int[32];
        WeightedSearch.Weights(values, importance, rowMeanSquare, weights);
        (float scale, float offset) = ScaleSearch.Affine(values, weights, levels: 15, first: -0.9f, steps: 36, absolute: false, step: 0.05f);
        scale = WriteHalf(block, 0, scale);
        float minimum = WriteHalf(block, 2, -offset), inverse = Rounding.Reciprocal(scale);
        for (int i = 0; i < 32; i++)
            codes[i] = Rounding.ToEven((values[i] - minimum) * inverse, 0, 15);
        for (int i = 0; i < 16; i++)
            block[4 + i] = (byte)(codes[i] | (codes[i + 16] << 4));
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
