namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: header (half d, half m, scales s, offsets o) as in Q4_K, 32 bytes with the fifth bits (bit r of byte i
/// belongs to number i of run r), 128 bytes of nibbles as in Q4_K; value = (d·s)·q − m·o.
/// </summary>
internal sealed class Q5_KCodec() : BlockwiseCodec(BlockFormat.Q5_K, 256, 176, canQuantise: true)
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
            {
                int low = (block[48 + run / 2 * 32 + i] >> (run % 2 * 4)) & 15, high = (block[16 + i] >> run) & 1;
                values[run * 32 + i] = scale * (low | high << 4) - offset;
            }
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        Q4_KCodec.Quantise(values, block[..16], codes, levels: 31, first: -0.5f, steps: 15);
        Pack(codes, block);
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<byte> codes = stackalloc byte[256];
        Q4_KCodec.Quantise(values, importance, block[..16], codes, levels: 31);
        Pack(codes, block);
    }

    private static void Pack(ReadOnlySpan<byte> codes, Span<byte> block)
    {
        for (int i = 0; i < 256; i++)
        {
            block[16 + i % 32] |= (byte)(codes[i] >> 4 << (i / 32));
            block[48 + i / 64 * 32 + i % 32] |= (byte)((codes[i] & 15) << (i / 32 % 2 * 4));
        }
    }
}
