namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: 32 bytes with the third bits of the codes (bit n of byte l belongs to number 32·n + l), 64 bytes
/// with their two low bits, 12 bytes of 6-bit scales s, half d; value = d·(s − 32)·(q − 4).
/// </summary>
internal sealed class Q3_KCodec() : BlockwiseCodec(BlockFormat.Q3_K, 256, 110, canQuantise: true)
{
    private const int Codes = 32;
    private const int Scales = 96;

    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 108);
        for (int i = 0; i < 256; i++)
        {
            float scale = d * ScaleOf(block.Slice(Scales, 12), i / 16);
            int high = (block[i % 32] >> (i / 32)) & 1;
            values[i] = scale * ((PackedCodes.TwoBits(block.Slice(Codes, 64), i) | high << 2) - 4);
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        Span<sbyte> trial = stackalloc sbyte[16];
        for (int run = 0; run < 16; run++)
            scales[run] = ScaleSearch.SymmetricByDescent(values.Slice(run * 16, 16), levels: 4, trial);
        float extreme = Rounding.Extreme(scales);
        float inverse = extreme == 0 ? 0 : -32 / extreme;
        for (int run = 0; run < 16; run++)
        {
            int scale = extreme == 0 ? 0 : Rounding.ToEven(inverse * scales[run], -32, 31) + 32;
            block[Scales + run % 8] |= (byte)((scale & 15) << (run / 8 * 4));
            block[Scales + 8 + run % 4] |= (byte)((scale >> 4) << (run / 4 * 2));
        }

        Fill(values, block, WriteHalf(block, 108, Rounding.Reciprocal(inverse)));
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16], sums = stackalloc float[16], weights = stackalloc float[16];
        Span<sbyte> codes = stackalloc sbyte[16];
        float sigma = 2 * WeightedSearch.MeanSquare(values);
        for (int run = 0; run < 16; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 16, 16);
            WeightedSearch.Weights(x, importance.Slice(run * 16, 16), sigma, weights);
            sums[run] = WeightedSearch.Sum(weights);
            scales[run] = WeightedSearch.Symmetric(x, weights, 4, codes);
        }

        float d = WeightedSearch.Symmetric(scales, sums, 32, codes);
        for (int run = 0; run < 16; run++)
        {
            int scale = codes[run] + 32;
            block[Scales + run % 8] |= (byte)((scale & 15) << (run / 8 * 4));
            block[Scales + 8 + run % 4] |= (byte)((scale >> 4) << (run / 4 * 2));
        }

        Fill(values, block, WriteHalf(block, 108, d));
    }

    // The codes for the scales that a reader will see.
    private static void Fill(ReadOnlySpan<float> values, Span<byte> block, float d)
    {
        Span<byte> codes = stackalloc byte[256];
        for (int i = 0; i < 256; i++)
        {
            float scale = d * ScaleOf(block.Slice(Scales, 12), i / 16);
            int code = scale == 0 ? 0 : Rounding.ToEven(values[i] / scale, -4, 3) + 4;
            block[i % 32] |= (byte)((code >> 2) << (i / 32));
            codes[i] = (byte)(code & 3);
        }

        PackedCodes.PackTwoBits(codes, block.Slice(Codes, 64));
    }

    // 16 scales of 6 bits: low nibbles in bytes 0–7 (runs 8–15 in the upper halves), two high bits of four runs in each of bytes 8–11.
    private static int ScaleOf(ReadOnlySpan<byte> packed, int run) =>
        (((packed[run % 8] >> (run / 8 * 4)) & 15) | ((packed[8 + run % 4] >> (run / 4 * 2)) & 3) << 4) - 32;
}
