using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 in 8 runs of 32: half d, 16 bits with the high pairs and 4 bytes with the low nibbles of 6-bit scales s, then 16 bytes of
/// nibbles per run as in IQ4_NL; value = d·(s − 32)·level.
/// </summary>
internal sealed class IQ4_XSCodec() : BlockwiseCodec(BlockFormat.IQ4_XS, 256, 136, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float d = ReadHalf(block, 0);
        int high = BinaryPrimitives.ReadUInt16LittleEndian(block[2..]);
        for (int run = 0; run < 8; run++)
        {
            int s = ((block[4 + run / 2] >> (run % 2 * 4)) & 15) | ((high >> (2 * run)) & 3) << 4;
            float scale = d * (s - 32);
            for (int i = 0; i < 16; i++)
            {
                values[run * 32 + i] = scale * Iq4Levels.Values[block[8 + run * 16 + i] & 15];
                values[run * 32 + i + 16] = scale * Iq4Levels.Values[block[8 + run * 16 + i] >> 4];
            }
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        Span<float> scales = stackalloc float[8];
        for (int run = 0; run < 8; run++)
            scales[run] = Iq4Levels.BestScale(values.Slice(run * 32, 32));
        Fill(values, scales, block);
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> scales = stackalloc float[8], weights = stackalloc float[32];
        float sigma = 2 * WeightedSearch.MeanSquare(values);
        for (int run = 0; run < 8; run++)
        {
            ReadOnlySpan<float> x = values.Slice(run * 32, 32);
            WeightedSearch.Weights(x, importance.Slice(run * 32, 32), sigma, weights);
            scales[run] = Iq4Levels.BestScale(x, weights);
        }

        Fill(values, scales, block);
    }

    private static void Fill(ReadOnlySpan<float> values, ReadOnlySpan<float> scales, Span<byte> block)
    {
        float d = -Rounding.Extreme(scales) / 32;
        WriteHalf(block, 0, d);
        int high = 0;
        for (int run = 0; run < 8; run++)
        {
            int s = Rounding.ToEven(Rounding.Reciprocal(d) * scales[run], -32, 31);
            float inverse = Rounding.Reciprocal(d * s);
            block[4 + run / 2] |= (byte)(((s + 32) & 15) << (run % 2 * 4));
            high |= ((s + 32) >> 4) << (2 * run);
            for (int i = 0; i < 16; i++)
            {
                int low = Iq4Levels.Nearest(inverse * values[run * 32 + i]);
                block[8 + run * 16 + i] = (byte)(low | Iq4Levels.Nearest(inverse * values[run * 32 + i + 16]) << 4);
            }
        }

        BinaryPrimitives.WriteUInt16LittleEndian(block[2..], (ushort)high);
    }
}
