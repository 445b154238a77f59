using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 16 runs of 16: 32 bytes with the low parts of point numbers, 16 bytes of nibbles with three high bits and the sign of
/// the shift δ = ±⅛, four words of 16 bits with four 3-bit scales s each; their top nibbles make the half d.
/// value = d·(2s + 1)·(coordinate + δ).
/// </summary>
internal sealed class IQ1_MCodec() : BlockwiseCodec(BlockFormat.IQ1_M, 256, 56, canQuantise: false)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        int halfBits = 0;
        for (int i = 0; i < 4; i++)
            halfBits |= (Word(block, i) >> 12) << (4 * i);
        float d = (float)BitConverter.UInt16BitsToHalf((ushort)halfBits);
        for (int group = 0; group < 32; group++)
        {
            int nibble = (block[32 + group / 2] >> (group % 2 * 4)) & 15;
            int run = group / 2;
            float scale = d * (2 * ((Word(block, run / 4) >> (3 * (run % 4))) & 7) + 1);
            float shift = (nibble & 8) != 0 ? -IQ1_SCodec.Shift : IQ1_SCodec.Shift;
            IQ1_SCodec.Write(values.Slice(group * 8, 8), block[group] | (nibble & 7) << 8, scale, shift);
        }
    }

    private static int Word(ReadOnlySpan<byte> block, int index) => BinaryPrimitives.ReadUInt16LittleEndian(block[(48 + index * 2)..]);
}
