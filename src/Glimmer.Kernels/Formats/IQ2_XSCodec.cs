using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: half d, 32 words of 16 bits (9 choose a point of 8, 7 are signs), 8 bytes with a 4-bit scale s
/// per run; value = d·(s + ½)/4·coordinate.
/// </summary>
internal sealed class IQ2_XSCodec() : BlockwiseCodec(BlockFormat.IQ2_XS, 256, 74, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int group = 0; group < 32; group++)
        {
            int word = BinaryPrimitives.ReadUInt16LittleEndian(block[(2 + group * 2)..]);
            int run = group / 2;
            float scale = d * (0.5f + ((block[66 + run / 2] >> (run % 2 * 4)) & 15)) * 0.25f;
            CodebookGrid.Write(values.Slice(group * 8, 8), Iq2Codebooks.Xs.AsSpan((word & 511) * 8, 8), scale, CodebookGrid.EvenSigns((uint)word >> 9));
        }
    }
}
