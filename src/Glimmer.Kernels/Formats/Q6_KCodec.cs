namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: 128 bytes with the low nibbles and 64 bytes with the two high bits of the codes q, 16 signed
/// bytes of scales s, half d; value = (d·s)·(q − 32). In each half block byte l (0–63) of the low part holds the numbers l and l + 64.
/// </summary>
internal sealed class Q6_KCodec() : BlockwiseCodec(BlockFormat.Q6_K, 256, 210, canQuantise: true)
{
    private const int High = 128;
    private const int Scales = 192;

    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 208);
        for (int i = 0; i < 256; i++)
        {
            int low = (block[i / 128 * 64 + i % 64] >> (i / 64 % 2 * 4)) & 15;
            int code = low | PackedCodes.TwoBits(block.Slice(High, 64), i) << 4;
            values[i] = d * (sbyte)block[Scales + i / 16] * (code - 32);
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        for (int run = 0; run < 16; run++)
            scales[run] = ScaleSearch.Symmetric(values.Slice(run * 16, 16), levels: 32, steps: 9, step: 0.1f);
        Fill(values, scales, block);
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> scales = stackalloc float[16];
        Span<sbyte> codes = stackalloc sbyte[16];
        for (int run = 0; run < 16; run++)
            scales[run] = WeightedSearch.Symmetric(values.Slice(run * 16, 16), importance.Slice(run * 16, 16), 32, codes);
        Fill(values, scales, block);
    }

    private static void Fill(ReadOnlySpan<float> values, ReadOnlySpan<float> scales, Span<byte> block)
    {
        float extreme = Rounding.Extreme(scales);
        if (MathF.Abs(extreme) < ScaleSearch.Negligible)
            return;
        float inverse = -128 / extreme;
        float d = WriteHalf(block, 208, 1 / inverse);
        Span<byte> codes = stackalloc byte[256];
        for (int i = 0; i < 256; i++)
        {
            int run = i / 16;
            if (i % 16 == 0)
                block[Scales + run] = (byte)(sbyte)Rounding.ToEven(inverse * scales[run], -128, 127);
            float scale = d * (sbyte)block[Scales + run];
            int code = scale == 0 ? 32 : Rounding.ToEven(values[i] / scale, -32, 31) + 32;
            block[i / 128 * 64 + i % 64] |= (byte)((code & 15) << (i / 64 % 2 * 4));
            codes[i] = (byte)(code >> 4);
        }

        PackedCodes.PackTwoBits(codes, block.Slice(High, 64));
    }
}
