using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// GPTQ: <c>qweight</c> (in·bits/32, out) packed along the inputs, <c>qzeros</c> (groups, out·bits/32), <c>scales</c> (groups, out) and
/// <c>g_idx</c> (in), the group of each input (permuted when the quantiser went by activation order). W[out, in] = (q − z)·s.
/// </summary>
internal sealed class GptqTensor : QuantisedTensor
{
    private readonly PackedWords _codes;
    private readonly PackedWords _zeros;
    private readonly StoredTensor _storedScales;
    private readonly StoredTensor? _groupOfInput;
    private readonly long _group;
    private float[]? _scales;
    private int[]? _groups;
    private readonly long _inputs;
    private readonly long _outputs;
    private readonly int _zeroOffset;

    /// <param name="location">The checkpoint, for messages.</param>
    /// <param name="name">The weight's plain name.</param>
    /// <param name="codes"><c>qweight</c>.</param>
    /// <param name="zeros"><c>qzeros</c>.</param>
    /// <param name="scales"><c>scales</c>.</param>
    /// <param name="groupOfInput"><c>g_idx</c>, or null: groups follow each other.</param>
    /// <param name="usualBits">Bits of a code as the configuration says.</param>
    /// <param name="group">Inputs in a group, null for all; used without <paramref name="groupOfInput"/>.</param>
    /// <param name="zeroOffset">1 when the file stores z − 1 (format gptq), 0 when it stores z (gptq_v2).</param>
    public GptqTensor(string location, string name, StoredTensor codes, StoredTensor zeros, StoredTensor scales, StoredTensor? groupOfInput, int usualBits, long? group, int zeroOffset)
        : base(location, name)
    {
        RequireFormat(codes, BlockFormat.I32, BlockFormat.U32);
        RequireFormat(zeros, BlockFormat.I32, BlockFormat.U32);
        RequireShape(codes, -1, -1);
        RequireShape(scales, -1, codes.Shape[1]);
        RequireShape(zeros, scales.Shape[0], -1);
        _outputs = codes.Shape[1];

        // Modules may have bits of their own ("dynamic" rules): the width of the zero points tells.
        int bits = new[] { usualBits, 2, 4, 8 }.FirstOrDefault(bits => (_outputs * bits + 31) / 32 == zeros.Shape[1]);
        if (bits == 0)
            throw Fault($"has {zeros.Shape[1]} words of zero points for {_outputs} outputs, which is neither 2, 4 nor 8 bits each");
        _codes = new PackedWords(codes, bits);
        _zeros = new PackedWords(zeros, bits);
        _inputs = codes.Shape[0] * _codes.PerWord;
        _zeroOffset = zeroOffset;
        _group = group ?? _inputs;
        _groupOfInput = groupOfInput;
        _storedScales = scales;
    }

    /// <inheritdoc/>
    public override long[] Shape => [_outputs, _inputs];

    /// <inheritdoc/>
    public override long MappedBytes => 0;

    /// <inheritdoc/>
    public override long CopiedBytes =>
        GroupedRows.CopiedBytes(_outputs, _inputs, StoredBits, _storedScales.Shape[0]) + (_groupOfInput is null ? 0 : _inputs * sizeof(int));

    private int StoredBits => _codes.Bits == 8 ? 8 : 4;

    /// <inheritdoc/>
    public override RowSource Open()
    {
        Prepare();
        return GroupedRows.Copy(
            (int)_outputs, (int)_inputs, StoredBits, (int)_storedScales.Shape[0], _groupOfInput is null ? GroupedRows.EvenGroups(_group, _inputs) : 0, _groups!,
            (row, codes) =>
            {
                for (int i = 0; i < codes.Length; i++)
                    codes[i] = (byte)_codes.AlongColumn(i, row);
            },
            (row, group) => (byte)((_zeros.AlongRow(group, row) + _zeroOffset) & _zeros.Mask),
            (row, group) => _scales![group * _outputs + row]);
    }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _groups ??= Groups(_groupOfInput, _group, _storedScales.Shape[0]);
        _scales ??= ReadScales(_storedScales);
    }

    /// <inheritdoc/>
    protected override void DequantiseRow(long row, Span<float> values)
    {
        for (int i = 0; i < values.Length; i++)
        {
            int group = _groups![i];
            int zero = (_zeros.AlongRow(group, row) + _zeroOffset) & _zeros.Mask; // z = 0 is stored as the largest code
            values[i] = (_codes.AlongColumn(i, row) - zero) * _scales![group * _outputs + row];
        }
    }

    private int[] Groups(StoredTensor? groupOfInput, long group, long groups)
    {
        if (groupOfInput is null)
        {
            if ((_inputs + group - 1) / Math.Max(1, group) != groups)
                throw Fault($"has {groups} groups of scales for {_inputs} inputs in groups of {group}");
            return [.. Enumerable.Range(0, (int)_inputs).Select(i => (int)(i / group))];
        }

        RequireFormat(groupOfInput, BlockFormat.I32, BlockFormat.I64);
        RequireShape(groupOfInput, _inputs);
        float[] indices = groupOfInput.ToFloats(); // exact: there are far fewer than 2^24 groups
        int odd = Array.FindIndex(indices, index => index < 0 || index >= groups);
        if (odd >= 0)
            throw Fault($"puts input {odd} into group {indices[odd]}, but there are {groups} groups");
        return [.. indices.Select(index => (int)index)];
    }
}
