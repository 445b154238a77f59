namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: a byte per run (scale s in the low, offset o in the high nibble), 64 bytes of 2-bit codes q,
/// half d, half m; value = (d·s)·q − m·o.
/// </summary>
internal sealed class Q2_KCodec() : BlockwiseCodec(BlockFormat.Q2_K, 256, 84, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 80), m = ReadHalf(block, 82);
        for (int i = 0; i < 256; i++)
        {
            int packed = block[i / 16];
            values[i] = d * (packed & 15) * PackedCodes.TwoBits(block.Slice(16, 64), i) - m * (packed >> 4);
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16], offsets = stackalloc float[16], weights = stackalloc float[16];
        float largestScale = 0, largestOffset = 0;
        for (int run = 0; run < 16; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 16, 16);
            for (int i = 0; i < 16; i++)
                weights[i] = MathF.Abs(x[i]);
            (scales[run], offsets[run]) = ScaleSearch.Affine(x, weights, levels: 3, first: -0.5f, steps: 15, absolute: true);
            largestScale = Math.Max(largestScale, scales[run]);
            largestOffset = Math.Max(largestOffset, offsets[run]);
        }

        float inverseScale = largestScale > 0 ? 15 / largestScale : 0, inverseOffset = largestOffset > 0 ? 15 / largestOffset : 0;
        for (int run = 0; run < 16; run++)
            block[run] = (byte)(Rounding.ToEven(inverseScale * scales[run], 0, 15) | Rounding.ToEven(inverseOffset * offsets[run], 0, 15) << 4);
        Fill(values, block, WriteHalf(block, 80, largestScale / 15), WriteHalf(block, 82, largestOffset / 15));
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16], offsets = stackalloc float[16], sums = stackalloc float[16], weights = stackalloc float[16];
        Span<byte> s = stackalloc byte[16], o = stackalloc byte[16];
        float sigma = WeightedSearch.MeanSquare(values);
        for (int run = 0; run < 16; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 16, 16);
            WeightedSearch.Weights(x, importance.Slice(run * 16, 16), sigma, weights);
            sums[run] = WeightedSearch.Sum(weights);
            (scales[run], offsets[run]) = ScaleSearch.Affine(x, weights, levels: 3, first: -0.9f, steps: 36, absolute: false, step: 0.05f);
        }

        float d = WriteHalf(block, 80, WeightedSearch.Positive(scales, sums, 15, s)), m = WriteHalf(block, 82, WeightedSearch.Positive(offsets, sums, 15, o));
        for (int run = 0; run < 16; run++)
            block[run] = (byte)(s[run] | o[run] << 4);
        Fill(values, block, d, m);
    }

    // The codes for the scales that a reader will see.
    private static void Fill(ReadOnlySpan<float> values, Span<byte> block, float d, float m)
    {
        Span<byte> codes = stackalloc byte[256];
        for (int i = 0; i < 256; i++)
        {
            float scale = d * (block[i / 16] & 15);
            codes[i] = scale == 0 ? (byte)0 : (byte)Rounding.ToEven((values[i] + m * (block[i / 16] >> 4)) / scale, 0, 3);
        }

        PackedCodes.PackTwoBits(codes, block.Slice(16, 64));
    }
}
