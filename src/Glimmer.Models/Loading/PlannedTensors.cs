using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Loading;

/// <summary>
/// Counts what <see cref="CheckpointTensors"/> would give, without reading a weight: the layers are built on it as on the
/// real thing, and the numbers in it are never used.
/// </summary>
/// <param name="source">The files as they are, without a quantisation scheme.</param>
/// <param name="logical">The same as the layers will see it; only asked for names.</param>
/// <param name="names">The architecture's names.</param>
/// <param name="wanted">Format to quantise to while loading.</param>
/// <param name="mode">How activations will enter products.</param>
/// <param name="mapped">Whether weights stay in the mapped file.</param>
internal sealed unsafe class PlannedTensors(IWeightSource source, IWeightSource logical, ITensorNames names, BlockFormat? wanted, ActivationMode mode, bool mapped = true) : ITensorProvider
{
    private static readonly object _mapped = new(), _copied = new(), _quantised = new();
    private long _stored;
    private long _own;
    private readonly HashSet<string> _counted = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public long Parameters { get; private set; }

    /// <inheritdoc/>
    public long MappedBytes => mapped ? _stored : 0;

    /// <inheritdoc/>
    public long CopiedBytes => _own + (mapped ? 0 : _stored);

    /// <inheritdoc/>
    public long PackedBytes { get; private set; }

    /// <inheritdoc/>
    public bool Has(string canonical) => names.Find(canonical) is { } name && logical.Contains(name);

    /// <inheritdoc/>
    public float[] Floats(string canonical, params ReadOnlySpan<long> shape)
    {
        long count = 1;
        foreach (long size in shape)
            count = checked(count * size);
        if (Count(canonical, count))
            _own += count * sizeof(float);
        return new float[checked((int)count)];
    }

    /// <inheritdoc/>
    public WeightMatrix Matrix(string canonical, int rows, int columns)
    {
        string name = names.Find(canonical) ?? canonical;

        // What a scheme computes reads as floats, but stays as small as it is stored.
        QuantisedTensor? computed = logical is DequantisedSource scheme && scheme.TryFind(name, out QuantisedTensor? found) ? found : null;
        BlockFormat stored = computed is null && source.TryGet(name, out StoredTensor? tensor) ? tensor.Format : BlockFormat.F32;
        BlockFormat format = WeightPlacement.Choose(canonical, stored, columns, wanted);
        if (Count(canonical, (long)rows * columns))
        {
            if (computed is not null && format == stored)
            {
                _stored += computed.MappedBytes;
                _own += computed.CopiedBytes;
                return new WeightMatrix(format, rows, columns, null, _copied);
            }

            long bytes = WeightPlacement.Bytes(format, rows, columns);
            if (format != stored)
                _own += bytes;
            else
                _stored += bytes;
        }

        return new WeightMatrix(format, rows, columns, null, format != stored ? _quantised : mapped ? _mapped : _copied);
    }

    /// <inheritdoc/>
    public WeightMatrix Stack(string canonical, int count, int rows, int columns) => Matrix(canonical, checked(count * rows), columns);

    /// <inheritdoc/>
    public WeightMatrix Prepare(string canonical, WeightMatrix matrix)
    {
        if (!WeightPlacement.Packs(canonical, matrix, mode))
            return matrix;
        PackedBytes += matrix.PackedBytes;
        if (WeightPlacement.IsReadByRow(canonical, this))
            return matrix;
        if (ReferenceEquals(matrix.Owner, _mapped))
            _stored -= matrix.Bytes;
        else if (ReferenceEquals(matrix.Owner, _quantised))
            _own -= matrix.Bytes;
        return matrix;
    }

    /// <inheritdoc/>
    public WeightMatrix Transposed(WeightMatrix matrix)
    {
        BlockFormat format = WeightPlacement.Transposed(matrix.Format);
        _own += WeightPlacement.Bytes(format, matrix.Columns, matrix.Rows);
        return new WeightMatrix(format, matrix.Columns, matrix.Rows, null, _copied);
    }

    private bool Count(string canonical, long count)
    {
        string? name = names.Find(canonical);
        if (name is null || !logical.Contains(name))
            throw new ModelFileException(source.Location, $"tensor {name ?? canonical} is missing.");
        if (!_counted.Add(name))
            return false;
        Parameters += count;
        return true;
    }
}
