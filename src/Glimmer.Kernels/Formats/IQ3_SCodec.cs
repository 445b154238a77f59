namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, 64 bytes with the low parts of point numbers, 8 bytes with their ninth bits, 32 bytes of
/// signs, 4 bytes with a 4-bit scale s per run; value = d·(1 + 2s)·coordinate.
/// </summary>
internal sealed class IQ3_SCodec() : BlockwiseCodec(BlockFormat.IQ3_S, 256, 110, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int half = 0; half < 64; half++)
        {
            int run = half / 8;
            int point = block[2 + half] | ((block[66 + run] >> (half % 8)) & 1) << 8;
            float scale = d * (1 + 2 * ((block[106 + run / 2] >> (run % 2 * 4)) & 15));
            CodebookGrid.Write(values.Slice(half * 4, 4), Iq3Codebooks.S.AsSpan(point * 4, 4), scale, block[74 + half / 2] >> (half % 2 * 4));
        }
    }
}
