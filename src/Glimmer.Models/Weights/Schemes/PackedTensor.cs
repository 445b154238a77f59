using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>
/// compressed-tensors "pack-quantized": <c>weight_packed</c> (out, ⌈in·bits/32⌉) packed along the inputs, codes stored with half their range
/// added; <c>weight_scale</c> (out, groups), <c>weight_shape</c> (out, in), and for asymmetric codes <c>weight_zero_point</c>
/// (⌈out·bits/32⌉, groups) packed along the outputs. W = (q − z)·s.
/// </summary>
internal sealed class PackedTensor : QuantisedTensor
{
    private readonly PackedWords _codes;
    private readonly PackedWords? _zeros;
    private readonly Parts _parts;
    private readonly IReadOnlyCollection<long> _groupSizes;
    private float[]? _scales;
    private readonly long _inputs;
    private readonly long _outputs;
    private readonly long _groups;
    private int[]? _groupOfInput;

    /// <param name="location">The checkpoint, for messages.</param>
    /// <param name="name">The weight's plain name.</param>
    /// <param name="parts">The tensors it is stored in.</param>
    /// <param name="bits">4 or 8.</param>
    /// <param name="groupSizes">Inputs in a group that the configuration allows, for weights with several groups.</param>
    public PackedTensor(string location, string name, Parts parts, int bits, IReadOnlyCollection<long> groupSizes)
        : base(location, name)
    {
        RequireFormat(parts.Packed, BlockFormat.I32, BlockFormat.U32);
        RequireShape(parts.Packed, -1, -1);
        RequireFormat(parts.Shape, BlockFormat.I64, BlockFormat.I32);
        RequireShape(parts.Shape, 2);
        _codes = new PackedWords(parts.Packed, bits);
        float[] shape = parts.Shape.ToFloats();
        (_outputs, _inputs) = ((long)shape[0], (long)shape[1]);
        if (_outputs != parts.Packed.Shape[0] || (_inputs + _codes.PerWord - 1) / _codes.PerWord != parts.Packed.Shape[1] || _inputs < 1)
            throw Fault($"says it is [{_outputs}, {_inputs}], which does not fit '{parts.Packed.Name}' of shape [{string.Join(", ", parts.Packed.Shape)}] with {bits} bits");
        RequireShape(parts.Scale, _outputs, -1);
        _groups = parts.Scale.Shape[1];
        if (parts.ZeroPoint is { } zeros)
        {
            RequireFormat(zeros, BlockFormat.I32, BlockFormat.U32);
            RequireShape(zeros, (_outputs + _codes.PerWord - 1) / _codes.PerWord, _groups);
            _zeros = new PackedWords(zeros, bits);
        }

        (_parts, _groupSizes) = (parts, groupSizes);
    }

    /// <inheritdoc/>
    public override long[] Shape => [_outputs, _inputs];

    /// <inheritdoc/>
    public override long MappedBytes => _parts.Packed.ByteLength;

    /// <inheritdoc/>
    public override long CopiedBytes => GroupedRows.GroupBytes(_outputs, _groups) + (_parts.GroupOfInput is null ? 0 : _inputs * sizeof(int));

    /// <inheritdoc/>
    public override RowSource Open()
    {
        Prepare();
        int middle = (_codes.Mask + 1) / 2;
        return GroupedRows.InPlace(
            _parts.Packed, (int)_outputs, (int)_inputs, _codes.Bits, (int)_groups, _parts.GroupOfInput is null ? GroupedRows.EvenGroups(GroupSize(), _inputs) : 0, _groupOfInput!,
            (row, group) => (byte)(_zeros is null ? middle : _zeros.AlongColumn(row, group)),
            (row, group) => _scales![row * _groups + group]);
    }

    /// <inheritdoc/>
    protected override void Prepare()
    {
        _scales ??= ReadScales(_parts.Scale);
        _groupOfInput ??= _parts.GroupOfInput is { } given ? GivenGroups(given) : EvenGroups();
    }

    /// <inheritdoc/>
    protected override void DequantiseRow(long row, Span<float> values)
    {
        int middle = (_codes.Mask + 1) / 2;
        for (int i = 0; i < values.Length; i++)
        {
            int group = _groupOfInput![i];
            int zero = _zeros is null ? middle : _zeros.AlongColumn(row, group); // both are stored with the same offset
            values[i] = (_codes.AlongRow(row, i) - zero) * _scales![row * _groups + group];
        }
    }

    private long GroupSize()
    {
        long size = _groups == 1 ? _inputs : _groupSizes.FirstOrDefault(size => (_inputs + size - 1) / size == _groups);
        return size != 0
            ? size
            : throw Fault($"has {_groups} groups of scales for {_inputs} inputs, which fits no group size of the configuration ({string.Join(", ", _groupSizes)})");
    }

    private int[] EvenGroups()
    {
        long size = GroupSize();
        return [.. Enumerable.Range(0, (int)_inputs).Select(i => (int)(i / size))];
    }

    private int[] GivenGroups(StoredTensor given)
    {
        RequireFormat(given, BlockFormat.I32, BlockFormat.I64);
        RequireShape(given, _inputs);
        float[] indices = given.ToFloats();
        int odd = Array.FindIndex(indices, index => index < 0 || index >= _groups);
        if (odd >= 0)
            throw Fault($"puts input {odd} into group {indices[odd]}, but there are {_groups} groups");
        return [.. indices.Select(index => (int)index)];
    }

    /// <summary>The tensors of one weight.</summary>
    internal sealed record Parts(StoredTensor Packed, StoredTensor Shape, StoredTensor Scale, StoredTensor? ZeroPoint, StoredTensor? GroupOfInput);
}
