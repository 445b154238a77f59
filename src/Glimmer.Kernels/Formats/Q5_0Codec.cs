using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>Blocks of 32: half scale d, 32 bits h, 16 bytes of nibbles as in Q4_0; q = nibble + 16·(bit i of h); value = d·(q − 16).</summary>
internal sealed class Q5_0Codec() : BlockwiseCodec(BlockFormat.Q5_0, 32, 22, canQuantise: true)
{
    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 0);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(block[2..]);
        for (int i = 0; i < 16; i++)
        {
            values[i] = scale * (((block[6 + i] & 15) | (int)((high >> i) & 1) << 4) - 16);
            values[i + 16] = scale * (((block[6 + i] >> 4) | (int)((high >> (i + 16)) & 1) << 4) - 16);
        }
    }

    /// <inheritdoc/>
    public override bool HeedsImportance => true;

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block)
    {
        Span<float> weights = stackalloc float[32];
        Span<sbyte> codes = stackalloc sbyte[32];
        WeightedSearch.Weights(values, importance, rowMeanSquare, weights);
        WriteHalf(block, 0, WeightedSearch.Symmetric(values, weights, 16, codes));
        uint bits = 0;
        for (int i = 0; i < 16; i++)
        {
            int low = codes[i] + 16, high = codes[i + 16] + 16;
            block[6 + i] = (byte)((low & 15) | ((high & 15) << 4));
            bits |= (uint)(low >> 4) << i | (uint)(high >> 4) << (i + 16);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], bits);
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = Rounding.Extreme(values) / -16;
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 0, scale);
        uint bits = 0;
        for (int i = 0; i < 16; i++)
        {
            int low = Rounding.Truncate(values[i] * inverse + 16.5f, 31), high = Rounding.Truncate(values[i + 16] * inverse + 16.5f, 31);
            block[6 + i] = (byte)((low & 15) | ((high & 15) << 4));
            bits |= (uint)(low >> 4) << i | (uint)(high >> 4) << (i + 16);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(block[2..], bits);
    }
}
