namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: half d, 32 bytes with the low parts of point numbers, 32 bytes of signs, 8 bytes with two high bits
/// for each of four points, 8 bytes with a 4-bit scale s per run; value = d·(s + ½)/4·coordinate.
/// </summary>
internal sealed class IQ2_SCodec() : BlockwiseCodec(BlockFormat.IQ2_S, 256, 82, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int group = 0; group < 32; group++)
        {
            int point = block[2 + group] | ((block[66 + group / 4] >> (group % 4 * 2)) & 3) << 8;
            int run = group / 2;
            float scale = d * (0.5f + ((block[74 + run / 2] >> (run % 2 * 4)) & 15)) * 0.25f;
            CodebookGrid.Write(values.Slice(group * 8, 8), Iq2Codebooks.S.AsSpan(point * 8, 8), scale, block[34 + group]);
        }
    }
}
