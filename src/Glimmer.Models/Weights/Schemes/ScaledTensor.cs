using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// A weight of 8-bit numbers (FP8 or integers) with scales for the whole tensor, for each output, or for rectangular blocks; the
/// last block of a row or column may be partial. w = code·scale. Leading dimensions (stacked experts) have scales of their own.
/// </summary>
internal sealed unsafe class ScaledTensor : QuantisedTensor
{
    private readonly StoredTensor _codes;
    private readonly StoredTensor _storedScales;
    private float[]? _scales;
    private readonly BlockCodec _codec;
    private readonly long _rows;
    private readonly long _columns;
    private readonly long _blockRows;
    private readonly long _blockColumns;
    private readonly long _scaleRows;
    private readonly long _scaleColumns;

    /// <param name="location">The checkpoint, for messages.</param>
    /// <param name="codes">The 8-bit numbers, (…, out, in).</param>
    /// <param name="scales">(…, ⌈out/b₀⌉, ⌈in/b₁⌉), (…, out, 1), (…, out), or one number.</param>
    /// <param name="block">Size of a block (outputs, inputs), or null when scales belong to outputs or to the whole tensor.</param>
    public ScaledTensor(string location, StoredTensor codes, StoredTensor scales, (long Rows, long Columns)? block)
        : base(location, codes.Name)
    {
        RequireFormat(codes, BlockFormat.F8_E4M3, BlockFormat.F8_E5M2, BlockFormat.I8);
        if (codes.Shape.Length is < 2 or > 3)
            throw Fault($"has {codes.Shape.Length} dimensions");
        _codes = codes;
        _codec = BlockCodecs.For(codes.Format);
        (_rows, _columns) = (codes.Shape[^2], codes.Shape[^1]);
        long stacked = codes.Shape.Length == 3 ? codes.Shape[0] : 1;
        if (scales.Count == 1)
            (_blockRows, _blockColumns) = (Math.Max(1, _rows * stacked), Math.Max(1, _columns));
        else if (block is { } size)
            (_blockRows, _blockColumns) = size;
        else
            (_blockRows, _blockColumns) = (1, Math.Max(1, _columns));
        _scaleRows = scales.Count == 1 ? 1 : Blocks(_rows, _blockRows);
        _scaleColumns = Blocks(_columns, _blockColumns);
        long[] expected = [.. codes.Shape[..^2], _scaleRows, _scaleColumns];
        bool flat = _scaleColumns == 1 && scales.Shape.AsSpan().SequenceEqual(expected.AsSpan()[..^1]);
        if (scales.Count != 1 && !flat)
            RequireShape(scales, expected);
        _storedScales = scales;
        if (stacked > 1 && scales.Count == 1)
            _rows *= stacked; // one scale for all: a single tall matrix
    }

    /// <inheritdoc/>
    public override long[] Shape => _codes.Shape;

    /// <inheritdoc/>
    public override long MappedBytes => _codes.ByteLength;

    /// <inheritdoc/>
    public override long CopiedBytes => _storedScales.Count * sizeof(float);

    /// <inheritdoc/>
    public override RowSource Open()
    {
        Prepare();
        return new ScaledRows(_codes, _scales!, (_rows, _columns), (_blockRows, _blockColumns), (_scaleRows, _scaleColumns));
    }

    /// <inheritdoc/>
    protected override void Prepare() => _scales ??= ReadScales(_storedScales);

    /// <inheritdoc/>
    protected override void DequantiseRow(long row, Span<float> values)
    {
        _codec.Dequantise(new ReadOnlySpan<byte>((byte*)_codes.Address + row * _columns, values.Length), values);
        long stack = row / _rows;
        int first = (int)((stack * _scaleRows + row % _rows / _blockRows) * _scaleColumns);
        for (int start = 0, block = 0; start < values.Length; start += (int)Math.Min(_blockColumns, values.Length), block++)
        {
            float scale = _scales![first + block];
            foreach (ref float value in values[start..(int)Math.Min(values.Length, start + _blockColumns)])
                value *= scale;
        }

        GC.KeepAlive(_codes);
    }

    private static long Blocks(long size, long block) => (size + block - 1) / block;
}
