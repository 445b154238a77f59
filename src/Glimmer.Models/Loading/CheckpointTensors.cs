using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Configuration;
using Glimmer.Models.Loading.Packed;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Loading;

/// <summary>The tensors of a checkpoint. Matrices stay where they are unless they are to be quantised while loading.</summary>
internal sealed unsafe class CheckpointTensors(IWeightSource source, ITensorNames names, BlockFormat? wanted = null, ActivationMode mode = ActivationMode.Exact, PackedCopies? copies = null) : ITensorProvider
{
    private readonly List<WeightMatrix> _later = [];
    private readonly HashSet<string> _counted = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public long Parameters { get; private set; }

    /// <inheritdoc/>
    public long MappedBytes { get; private set; }

    /// <inheritdoc/>
    public long CopiedBytes { get; private set; }

    /// <inheritdoc/>
    public long PackedBytes { get; private set; }

    /// <inheritdoc/>
    public bool Has(string canonical) => names.Find(canonical) is { } name && source.Contains(name);

    /// <summary>Rows of the embedding: the vocabulary of files that do not state it.</summary>
    public int EmbeddingRows()
    {
        if (!TryFind("embed_tokens.weight", out StoredTensor? tensor))
            throw new ModelFileException(source.Location, $"tensor {names.Find("embed_tokens.weight")} is missing.");
        if (tensor.Shape.Length != 2 || tensor.Shape[0] is < 1 or > ConfigLimits.Vocabulary)
            throw new ModelFileException(source.Location, $"tensor {tensor.Name} has shape ({string.Join(", ", tensor.Shape)}); it must be (vocabulary, hidden).");
        return (int)tensor.Shape[0];
    }

    /// <summary>Matrices that are rearranged when they are first needed, in the order in which a pass needs them.</summary>
    public IReadOnlyList<WeightMatrix> Later => _later;

    /// <inheritdoc/>
    public float[] Floats(string canonical, params ReadOnlySpan<long> shape)
    {
        StoredTensor tensor = Tensor(canonical, shape, out bool first);
        if (first)
            CopiedBytes += tensor.Count * sizeof(float);
        return tensor.ToFloats();
    }

    /// <inheritdoc/>
    public WeightMatrix Matrix(string canonical, int rows, int columns) =>
        Computed(canonical, [rows, columns]) ?? Wrap(canonical, Tensor(canonical, [rows, columns], out bool first), rows, columns, first);

    /// <inheritdoc/>
    public WeightMatrix Stack(string canonical, int count, int rows, int columns) => Computed(canonical, [count, rows, columns]) ??
        Wrap(canonical, Tensor(canonical, [count, rows, columns], out bool first), checked(count * rows), columns, first);

    /// <inheritdoc/>
    public WeightMatrix Prepare(string canonical, WeightMatrix matrix)
    {
        if (!WeightPlacement.Packs(canonical, matrix, mode))
            return matrix;
        PackedBytes += matrix.PackedBytes;
        if (matrix.Owner is FileBytes || WeightPlacement.IsReadByRow(canonical, this))
        {
            // Once the stored form is not read again, its pages may go, and come back by themselves if they are.
            Action? made = null;
            if (matrix.Owner is FileBytes { CanRelease: true } file && !WeightPlacement.IsReadByRow(canonical, this))
            {
                MappedBytes -= matrix.Bytes;
                made = () => file.Release(matrix.Data, matrix.Bytes);
            }

            WeightMatrix packed = copies?.Pack(canonical, matrix, made) ?? matrix.PackLater(made);
            _later.Add(packed);
            return packed;
        }

        // Quantised while loading: the stored form was only a step on the way.
        CopiedBytes -= matrix.Bytes;
        return (copies?.Pack(canonical, matrix, null) ?? matrix.Pack()).PackedOnly();
    }

    /// <inheritdoc/>
    public WeightMatrix Transposed(WeightMatrix matrix)
    {
        BlockFormat format = WeightPlacement.Transposed(matrix.Format);
        BlockCodec codec = BlockCodecs.For(format);
        int rows = matrix.Rows, columns = matrix.Columns;
        float[] values = new float[checked(rows * columns)], row = new float[columns];
        for (int r = 0; r < rows; r++)
        {
            matrix.ReadRow(r, row);
            for (int c = 0; c < columns; c++)
                values[c * rows + r] = row[c];
        }

        long bytes = codec.BytesFor(values.Length);
        CopiedBytes += bytes;
        NativeFloats memory = new((bytes + sizeof(float) - 1) / sizeof(float));
        codec.Quantise(values, new Span<byte>(memory.Start, checked((int)bytes)));
        return new WeightMatrix(format, columns, rows, (byte*)memory.Start, memory);
    }

    // A weight that the file's own scheme computes; quantised anew when that is wanted, else read through the scheme row by row.
    private WeightMatrix? Computed(string canonical, ReadOnlySpan<long> shape)
    {
        if (source is not DequantisedSource computing || names.Find(canonical) is not { } name || !computing.TryFind(name, out QuantisedTensor? tensor))
            return null;
        CheckShape(name, tensor.Shape, shape);
        WeightMatrix matrix = new(computing.Open(tensor));
        BlockFormat format = WeightPlacement.Choose(canonical, BlockFormat.F32, matrix.Columns, wanted);
        bool requantised = format != BlockFormat.F32, first = _counted.Add(name);
        if (requantised)
            matrix = Quantise(matrix, format);
        if (!first)
            return matrix;
        Parameters += (long)matrix.Rows * matrix.Columns;
        MappedBytes += requantised ? 0 : tensor.MappedBytes;
        CopiedBytes += requantised ? matrix.Bytes : tensor.CopiedBytes;
        return matrix;
    }

    private void CheckShape(string name, ReadOnlySpan<long> have, ReadOnlySpan<long> wantedShape)
    {
        if (!have.SequenceEqual(wantedShape))
            throw new ModelFileException(source.Location, $"tensor {name} has shape ({string.Join(", ", have.ToArray())}); the configuration asks for ({string.Join(", ", wantedShape.ToArray())}).");
    }

    private StoredTensor Tensor(string canonical, ReadOnlySpan<long> shape, out bool first)
    {
        if (!TryFind(canonical, out StoredTensor? tensor))
            throw new ModelFileException(source.Location, $"tensor {names.Find(canonical) ?? canonical} is missing.");
        CheckShape(tensor.Name, tensor.Shape, shape);
        first = _counted.Add(tensor.Name);
        if (first)
            Parameters += tensor.Count;
        return tensor;
    }

    private bool TryFind(string canonical, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        tensor = null;
        return names.Find(canonical) is { } name && source.TryGet(name, out tensor);
    }

    private WeightMatrix Wrap(string canonical, StoredTensor tensor, int rows, int columns, bool first)
    {
        WeightMatrix matrix;
        try
        {
            matrix = new WeightMatrix(tensor.Format, rows, columns, (byte*)tensor.Address, tensor.Owner);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ModelFileException(source.Location, $"tensor {tensor.Name} cannot be used as a matrix: {e.Message}", e);
        }

        BlockFormat format = WeightPlacement.Choose(canonical, tensor.Format, columns, wanted);
        if (format != tensor.Format)
            matrix = Quantise(matrix, format);
        if (first && (format != tensor.Format || tensor.Owner is NativeFloats))
            CopiedBytes += matrix.Bytes;
        else if (first)
            MappedBytes += matrix.Bytes;
        return matrix;
    }

    private static WeightMatrix Quantise(WeightMatrix matrix, BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        long rowBytes = codec.BytesFor(matrix.Columns);
        NativeFloats memory = new((rowBytes * matrix.Rows + sizeof(float) - 1) / sizeof(float));
        Parallel.For(
            0,
            matrix.Rows,
            () => new float[matrix.Columns],
            (row, _, values) =>
            {
                matrix.ReadRow(row, values);
                codec.Quantise(values, new Span<byte>((byte*)memory.Start + row * rowBytes, checked((int)rowBytes)));
                return values;
            },
            _ => { });
        return new WeightMatrix(format, matrix.Rows, matrix.Columns, (byte*)memory.Start, memory);
    }
}
