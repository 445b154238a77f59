namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, half m, 12 bytes with a 6-bit scale s and offset o per run, 128 bytes of nibbles q
/// (each 32 bytes hold a run in the low and the next one in the high nibbles); value = (d·s)·q − m·o.
/// </summary>
internal sealed class Q4_KCodec() : BlockwiseCodec(BlockFormat.Q4_K, 256, 144, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0), m = ReadHalf(block, 2);
        for (int run = 0; run < 8; run++)
        {
            (int s, int o) = PackedCodes.SixBits(block.Slice(4, 12), run);
            float scale = d * s, offset = m * o;
            for (int i = 0; i < 32; i++)
                values[run * 32 + i] = scale * ((block[16 + run / 2 * 32 + i] >> (run % 2 * 4)) & 15) - offset;
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        Quantise(values, block[..16], codes, levels: 15, first: -1, steps: 20);
        Pack(codes, block);
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        Quantise(values, importance, block[..16], codes, levels: 15);
        Pack(codes, block);
    }

    private static void Pack(ReadOnlySpan<byte> codes, Span<byte> block)
    {
        for (int i = 0; i < 128; i++)
        {
            int low = i / 32 * 64 + i % 32;
            block[16 + i] = (byte)(codes[low] | codes[low + 32] << 4);
        }
    }

    /// <summary>Finds and writes scales and offsets of 8 runs of 32 (16 bytes; also those of Q5_K) and gives the codes.</summary>
    internal static void Quantise(ReadOnlySpan<float> values, Span<byte> header, Span<byte> codes, int levels, float first, int steps)
    {
        Span<float> scales = stackalloc float[8], offsets = stackalloc float[8], weights = stackalloc float[32];
        float largestScale = 0, largestOffset = 0;
        for (int run = 0; run < 8; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 32, 32);
            float squares = 0;
            foreach (float value in x)
                squares += value * value;
            float typical = MathF.Sqrt(squares / 32);
            for (int i = 0; i < 32; i++)
                weights[i] = typical + MathF.Abs(x[i]); // large weights matter more
            (scales[run], offsets[run]) = ScaleSearch.Affine(x, weights, levels, first, steps, absolute: false);
            largestScale = Math.Max(largestScale, scales[run]);
            largestOffset = Math.Max(largestOffset, offsets[run]);
        }

        float inverseScale = largestScale > 0 ? 63 / largestScale : 0, inverseOffset = largestOffset > 0 ? 63 / largestOffset : 0;
        Span<byte> s = stackalloc byte[8], o = stackalloc byte[8];
        for (int run = 0; run < 8; run++)
        {
            s[run] = (byte)Rounding.ToEven(inverseScale * scales[run], 0, 63);
            o[run] = (byte)Rounding.ToEven(inverseOffset * offsets[run], 0, 63);
        }

        PackedCodes.PackSixBits(s, o, header[4..]);
        Fill(values, codes, levels, s, o, WriteHalf(header, 0, largestScale / 63), WriteHalf(header, 2, largestOffset / 63));
    }

    /// <summary>As <see cref="Quantise(ReadOnlySpan{float}, Span{byte}, Span{byte}, int, float, int)"/>, with regard to importance.</summary>
    internal static void Quantise(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> header, Span<byte> codes, int levels)
    {
        Span<float> scales = stackalloc float[8], offsets = stackalloc float[8], sums = stackalloc float[8], weights = stackalloc float[32];
        Span<byte> s = stackalloc byte[8], o = stackalloc byte[8];
        float sigma = 2 * WeightedSearch.MeanSquare(values);
        for (int run = 0; run < 8; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 32, 32);
            WeightedSearch.Weights(x, importance.Slice(run * 32, 32), sigma, weights);
            sums[run] = WeightedSearch.Sum(weights);
            (scales[run], offsets[run]) = ScaleSearch.Affine(x, weights, levels, first: -0.9f, steps: 36, absolute: false, step: 0.05f);
        }

        float d = WeightedSearch.Positive(scales, sums, 63, s), m = WeightedSearch.Positive(offsets, sums, 63, o);
        PackedCodes.PackSixBits(s, o, header[4..]);
        Fill(values, codes, levels, s, o, WriteHalf(header, 0, d), WriteHalf(header, 2, m));
    }

    // The codes for the scales that a reader will see.
    private static void Fill(ReadOnlySpan<float> values, Span<byte> codes, int levels, ReadOnlySpan<byte> s, ReadOnlySpan<byte> o, float d, float m)
    {
        for (int i = 0; i < 256; i++)
        {
            float scale = d * s[i / 32];
            codes[i] = scale == 0 ? (byte)0 : (byte)Rounding.ToEven((values[i] + m * o[i / 32]) / scale, 0, levels);
        }
    }
}
