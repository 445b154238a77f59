using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// AWQ in its "gemm" layout: <c>qweight</c> (in, out/8), <c>qzeros</c> (in/g, out/8), <c>scales</c> (in/g, out); four-bit codes, eight to a
/// word, interleaved along the outputs. W[out, in] = (q − z)·s with the group in div g.
/// </summary>
internal sealed class AwqTensor : QuantisedTensor
{
    private readonly PackedWords _codes;
    private readonly PackedWords _zeros;
    private readonly StoredTensor _storedScales;
    private float[]? _scales;
    private readonly long _inputs;
    private readonly long _outputs;
    private readonly long _group;

    public AwqTensor(string location, string name, StoredTensor codes, StoredTensor zeros, StoredTensor scales, long? group)
        : base(location, name)
    {
        RequireFormat(codes, BlockFormat.I32, BlockFormat.U32);
        RequireFormat(zeros, BlockFormat.I32, BlockFormat.U32);
        RequireShape(codes, -1, -1);
        (_inputs, _outputs) = (codes.Shape[0], codes.Shape[1] * 8);
        _group = group ?? _inputs;
        long groups = (_inputs + _group - 1) / Math.Max(1, _group);
        RequireShape(zeros, groups, codes.Shape[1]);
        RequireShape(scales, groups, _outputs);
        _codes = new PackedWords(codes, 4);
        _zeros = new PackedWords(zeros, 4);
        _storedScales = scales;
    }

    private static ReadOnlySpan<byte> Order => [0, 4, 1, 5, 2, 6, 3, 7]; // nibble that holds column 0 … 7 of a word

    /// <inheritdoc/>
    public override long[] Shape => [_outputs, _inputs];

    /// <inheritdoc/>
    public override long MappedBytes => 0;

    /// <inheritdoc/>
    public override long CopiedBytes => GroupedRows.CopiedBytes(_outputs, _inputs, 4, Groups);

    private long Groups => (_inputs + _group - 1) / Math.Max(1, _group);

    /// <inheritdoc/>
    public override RowSource Open()
    {
        Prepare();
        return GroupedRows.Copy(
            (int)_outputs, (int)_inputs, 4, (int)Groups, GroupedRows.EvenGroups(_group, _inputs), null,
            (row, codes) =>
            {
                long word = row / 8;
                int shift = Order[row % 8] * 4;
                for (int i = 0; i < codes.Length; i++)
                    codes[i] = (byte)((_codes.Word(i, word) >> shift) & 15);
            },
            (row, group) => (byte)((_zeros.Word(group, row / 8) >> (Order[row % 8] * 4)) & 15),
            (row, group) => _scales![group * _outputs + row]);
    }

    /// <inheritdoc/>
    protected override void Prepare() => _scales ??= ReadScales(_storedScales);

    /// <inheritdoc/>
    protected override void DequantiseRow(long row, Span<float> values)
    {
        long word = row / 8;
        int shift = Order[(int)(row % 8)] * 4;
        for (int i = 0; i < values.Length; i++)
        {
            long group = i / _group;
            int code = (int)(_codes.Word(i, word) >> shift) & 15, zero = (int)(_zeros.Word(group, word) >> shift) & 15;
            values[i] = (code - zero) * _scales![group * _outputs + row];
        }
    }
}
