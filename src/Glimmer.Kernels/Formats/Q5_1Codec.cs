using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: half scale d, half minimum m, 32 bits h, 16 bytes of nibbles; q as in Q5_0; value = d·q + m.</summary>
internal sealed class Q5_1Codec() : BlockwiseCodec(BlockFormat.Q5_1, 32, 24, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0), minimum = ReadHalf(block, 2);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(block[4..]);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * ((block[8 + i] & 15) | (int)((high >> i) & 1) << 4) + minimum;
            values[i + 16] = scale * ((block[8 + i] >> 4) | (int)((high >> (i + 16)) & 1) << 4) + minimum;
        }
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> weights = stackalloc float[32];
        Span<int> codes = stackalloc int[32];
        WeightedSearch.Weights(values, importance, rowMeanSquare, weights);
        (float scale, float offset) = ScaleSearch.Affine(values, weights, levels: 31, first: -0.9f, steps: 36, absolute: false, step: 0.05f);
        scale = WriteHalf(block, 0, scale);
        float minimum = WriteHalf(block, 2, -offset), inverse = Rounding.Reciprocal(scale);
        for (int i = 0; i < 32; i++)
            codes[i] = Rounding.ToEven((values[i] - minimum) * inverse, 0, 31);
        uint bits = 0;
        for (int i = 0; i < 16; i++)
        {
            block[8 + i] = (byte)((codes[i] & 15) | ((codes[i + 16] & 15) << 4));
            bits |= (uint)(codes[i] >> 4) << i | (uint)(codes[i + 16] >> 4) << (i + 16);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], bits);
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        (float minimum, float maximum) = Rounding.Range(values);
        float scale = (maximum - minimum) / 31;
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        WriteHalf(block, 2, minimum);
        uint bits = 0;
        for (int i = 0; i < 16; i++)
        {
            int low = Rounding.Truncate((values[i] - minimum) * inverse + 0.5f, 31), high = Rounding.Truncate((values[i + 16] - minimum) * inverse + 0.5f, 31);
            block[8 + i] = (byte)((low & 15) | ((high & 15) << 4));
            bits |= (uint)(low >> 4) << i | (uint)(high >> 4) << (i + 16);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], bits);
    }
}
