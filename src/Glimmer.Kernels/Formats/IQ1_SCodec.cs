using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, 32 bytes with the low parts of point numbers, then per run 16 bits with four times three high
/// bits, a 3-bit scale s and the sign of the shift δ = ±⅛; value = d·(2s + 1)·(coordinate + δ).
/// </summary>
internal sealed class IQ1_SCodec() : BlockwiseCodec(BlockFormat.IQ1_S, 256, 50, canQuantise: false)
{
    internal const float Shift = 0.125f;

    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        for (int group = 0; group < 32; group++)
        {
            int bits = BinaryPrimitives.ReadUInt16LittleEndian(block[(34 + group / 4 * 2)..]);
            int point = block[2 + group] | ((bits >> (3 * (group % 4))) & 7) << 8;
            float scale = d * (2 * ((bits >> 12) & 7) + 1);
            float shift = (bits & 0x8000) != 0 ? -Shift : Shift;
            Write(values.Slice(group * 8, 8), point, scale, shift);
        }
    }

    internal static void Write(Span<float> target, int point, float scale, float shift)
    {
        for (int j = 0; j < 8; j++)
            target[j] = scale * (Iq1Codebook.Points[point * 8 + j] + shift);
    }
}
