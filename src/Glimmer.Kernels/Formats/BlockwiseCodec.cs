using System.Buffers.Binary;

namespace Glimmer.Kernels.Formats;

/// <summary>A codec whose blocks stand alone: it says how one block is read and written.</summary>
internal abstract class BlockwiseCodec(BlockFormat format, int blockLength, int bytesPerBlock, bool canQuantise) : BlockCodec
{
    /// <inheritdoc/>
    public override BlockFormat Format => format;

    /// <inheritdoc/>
    public override int BlockLength => blockLength;

    /// <inheritdoc/>
    public override int BytesPerBlock => bytesPerBlock;

    /// <inheritdoc/>
    public override bool CanQuantise => canQuantise;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        for (int first = 0, start = 0; first < values.Length; first += blockLength, start += bytesPerBlock)
            DequantiseBlock(blocks.Slice(start, bytesPerBlock), values.Slice(first, blockLength));
    }

    /// <inheritdoc/>
    public override void Quantise(ReadOnlySpan<float> values, Span<byte> blocks)
    {
        if (!canQuantise)
        {
            base.Quantise(values, blocks);
            return;
        }

        for (int first = 0, start = 0; first < values.Length; first += blockLength, start += bytesPerBlock)
        {
            Span<byte> block = blocks.Slice(start, bytesPerBlock);
            block.Clear();
            QuantiseBlock(values.Slice(first, blockLength), block);
        }
    }

    /// <inheritdoc/>
    public override void Quantise(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> blocks)
    {
        if (!HeedsImportance)
        {
            Quantise(values, blocks);
            return;
        }

        if (importance.Length != values.Length)
            throw new ArgumentException($"{importance.Length} importances for a row of {values.Length} numbers.", nameof(importance));
        float meanSquare = WeightedSearch.MeanSquare(values);
        for (int first = 0, start = 0; first < values.Length; first += blockLength, start += bytesPerBlock)
        {
            Span<byte> block = blocks.Slice(start, bytesPerBlock);
            block.Clear();
            QuantiseBlock(values.Slice(first, blockLength), importance.Slice(first, blockLength), meanSquare, block);
        }
    }

    /// <summary>Writes one block, whose bytes are zero, with regard to importance; <paramref name="rowMeanSquare"/> is that of the whole row.</summary>
    protected virtual void QuantiseBlock(ReadOnlySpan<float> values, ReadOnlySpan<float> importance, float rowMeanSquare, Span<byte> block) =>
        QuantiseBlock(values, block);

    /// <summary>Reads one block.</summary>
    protected abstract void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values);

    /// <summary>Writes one block, whose bytes are zero.</summary>
    protected virtual void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block) =>
        throw new NotSupportedException($"Quantising to {format} is not supported.");

    /// <summary>The half-precision number at <paramref name="offset"/>.</summary>
    protected static float ReadHalf(ReadOnlySpan<byte> block, int offset) => (float)BinaryPrimitives.ReadHalfLittleEndian(block[offset..]);

    /// <summary>Stores a number in half precision (to nearest, ties to even) and gives it back as a reader will see it.</summary>
    protected static float WriteHalf(Span<byte> block, int offset, float value)
    {
        Half half = (Half)value;
        BinaryPrimitives.WriteHalfLittleEndian(block[offset..], half);
        return (float)half;
    }
}
