namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 32 (OCP microscaling): one byte e, 16 bytes of E2M1 nibbles as in Q4_0; value = 2^(e − 128)·(doubled E2M1).
/// </summary>
internal sealed class MXFP4Codec() : BlockwiseCodec(BlockFormat.MXFP4, 32, 17, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = HalfPower(block[0]);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * Fp4Levels.Values[block[1 + i] & 15];
            values[i + 16] = scale * Fp4Levels.Values[block[1 + i] >> 4];
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float largest = MathF.Abs(Rounding.Extreme(values));
        int exponent = largest > 0 ? (int)MathF.Floor(MathF.Log2(largest)) - 2 + 127 : 0; // 6 = 1.5·2² is the largest magnitude
        block[0] = (byte)exponent;
        float scale = HalfPower(block[0]);
        for (int i = 0; i < 16; i++)
            block[1 + i] = (byte)(Fp4Levels.Nearest(values[i], scale) | Fp4Levels.Nearest(values[i + 16], scale) << 4);
    }

    // 2^(e−128), subnormal for e below 2
    private static float HalfPower(byte e) => BitConverter.UInt32BitsToSingle(e < 2 ? 0x0020_0000u << e : (uint)(e - 1) << 23);
}
