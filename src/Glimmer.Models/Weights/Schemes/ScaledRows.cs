using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>Rows of a <see cref="ScaledTensor"/>: the 8-bit numbers stay in the mapped file, the scales are floats in memory.</summary>
internal sealed unsafe class ScaledRows(StoredTensor codes, float[] scales, (long Rows, long Columns) size, (long Rows, long Columns) block, (long Rows, long Columns) scaleSize) : RowSource
{
    private readonly BlockCodec _codec = BlockCodecs.For(codes.Format);

    /// <inheritdoc/>
    public override int Rows { get; } = checked((int)(codes.Count / Math.Max(1, size.Columns)));

    /// <inheritdoc/>
    public override int Columns { get; } = checked((int)size.Columns);

    /// <inheritdoc/>
    public override long Bytes => codes.ByteLength + scales.LongLength * sizeof(float);

    /// <inheritdoc/>
    public override void Read(int row, Span<float> values)
    {
        values = values[..Columns];
        _codec.Dequantise(new ReadOnlySpan<byte>((byte*)codes.Address + row * size.Columns, values.Length), values);
        long stack = row / size.Rows;
        int scale = (int)((stack * scaleSize.Rows + row % size.Rows / block.Rows) * scaleSize.Columns), width = (int)Math.Min(block.Columns, values.Length);
        for (int start = 0; start < values.Length; start += width, scale++)
            Multiply(values.Slice(start, Math.Min(width, values.Length - start)), scales[scale]);
        GC.KeepAlive(codes);
    }

    private static void Multiply(Span<float> values, float scale)
    {
        ref float first = ref MemoryMarshal.GetReference(values);
        Vector256<float> scales = Vector256.Create(scale);
        int i = 0;
        for (; i <= values.Length - 8; i += 8)
            (Vector256.LoadUnsafe(ref first, (nuint)i) * scales).StoreUnsafe(ref first, (nuint)i);
        for (; i < values.Length; i++)
            values[i] *= scale;
    }
}
