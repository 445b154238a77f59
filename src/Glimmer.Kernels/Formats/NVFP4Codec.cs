namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 64 in 4 runs of 16: an unsigned E4M3 scale s per run, then 8 bytes of E2M1 nibbles per run (low nibbles first half);
/// value = (s/2)·(doubled E2M1). A tensor may have a further scale of its own in the model file.
/// </summary>
internal sealed class NVFP4Codec() : BlockwiseCodec(BlockFormat.NVFP4, 64, 36, canQuantise: true)
{
    private const float LargestScale = 448;
    private const int LargestCode = 0x7E;

    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        for (int run = 0; run < 4; run++)
        {
            float scale = HalfScale(block[run]);
            for (int i = 0; i < 8; i++)
            {
                int packed = block[4 + run * 8 + i];
                values[run * 16 + i] = scale * Fp4Levels.Values[packed & 15];
                values[run * 16 + i + 8] = scale * Fp4Levels.Values[packed >> 4];
            }
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        for (int run = 0; run < 4; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 16, 16);
            block[run] = ScaleCode(MathF.Abs(Rounding.Extreme(x)) / 6);
            float scale = HalfScale(block[run]);
            for (int i = 0; i < 8; i++)
                block[4 + run * 8 + i] = (byte)(Fp4Levels.Nearest(x[i], scale) | Fp4Levels.Nearest(x[i + 8], scale) << 4);
        }
    }

    private static float HalfScale(byte code)
    {
        int exponent = (code >> 3) & 15, mantissa = code & 7;
        if (code == 0x7F)
            return 0; // NaN in E4M3
        return exponent == 0 ? MathF.ScaleB(mantissa, -10) : MathF.ScaleB(8 + mantissa, exponent - 11);
    }

    // To nearest, ties away from zero.
    private static byte ScaleCode(float scale)
    {
        if (!(scale > 0))
            return 0;
        scale = Math.Min(scale, LargestScale);
        int exponent = (int)((BitConverter.SingleToUInt32Bits(scale) >> 23) & 255) - 127 + 7;
        if (exponent <= 0)
            return (byte)Math.Min(7, (int)(scale * 512 + 0.5f));
        uint mantissa = ((BitConverter.SingleToUInt32Bits(scale) & 0x7F_FFFF) + 0x8_0000) >> 20;
        return (byte)Math.Min(LargestCode, (exponent << 3) + (int)mantissa);
    }
}
