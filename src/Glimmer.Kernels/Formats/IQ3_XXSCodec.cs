using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, 64 bytes that choose points of 4, then per run 32 bits with four 7-bit sign groups and a
/// 4-bit scale s; value = d·(s + ½)/2·coordinate.
/// </summary>
internal sealed class IQ3_XXSCodec() : BlockwiseCodec(BlockFormat.IQ3_XXS, 256, 98, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int group = 0; group < 32; group++)
        {
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(block[(66 + group / 4 * 4)..]);
            float scale = d * (0.5f + (bits >> 28)) * 0.5f;
            int signs = CodebookGrid.EvenSigns(bits >> (7 * (group % 4)));
            CodebookGrid.Write(values.Slice(group * 8, 4), Iq3Codebooks.Xxs.AsSpan(block[2 + group * 2] * 4, 4), scale, signs);
            CodebookGrid.Write(values.Slice(group * 8 + 4, 4), Iq3Codebooks.Xxs.AsSpan(block[3 + group * 2] * 4, 4), scale, signs >> 4);
        }
    }
}
