using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, then per run four bytes that choose points of 8 from the codebook and 32 bits with four
/// 7-bit sign groups and a 4-bit scale s; value = d·(s + ½)/4·coordinate.
/// </summary>
internal sealed class IQ2_XXSCodec() : BlockwiseCodec(BlockFormat.IQ2_XXS, 256, 66, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int run = 0; run < 8; run++)
        {
            ReadOnlySpan<byte> points = block.Slice(2 + run * 8, 4);
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(block[(6 + run * 8)..]);
            float scale = d * (0.5f + (bits >> 28)) * 0.25f;
            for (int l = 0; l < 4; l++)
            {
                CodebookGrid.Write(values.Slice(run * 32 + l * 8, 8), Iq2Codebooks.Xxs.AsSpan(points[l] * 8, 8), scale, CodebookGrid.EvenSigns(bits >> (7 * l)));
            }
        }
    }
}
