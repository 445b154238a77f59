using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Loading;

/// <summary>The tensors of a checkpoint under canonical names, with their shapes checked.</summary>
internal sealed unsafe class CheckpointTensors(IWeightSource source, ITensorNames names)
{
    private readonly HashSet<string> _counted = [];

    /// <summary>Numbers in the tensors taken so far, each counted once.</summary>
    public long Parameters { get; private set; }

    /// <summary>Bytes of the tensors taken so far.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether the file has the tensor.</summary>
    public bool Has(string canonical) => names.Find(canonical) is { } name && source.TryGet(name, out _);

    /// <summary>Rows of the embedding: the vocabulary of files that do not state it.</summary>
    public int EmbeddingRows()
    {
        if (!TryFind("embed_tokens.weight", out StoredTensor? tensor))
            throw new ModelFileException(source.Location, $"tensor {names.Find("embed_tokens.weight")} is missing.");
        if (tensor.Shape.Length != 2 || tensor.Shape[0] is < 1 or > Configuration.ConfigLimits.Vocabulary)
            throw new ModelFileException(source.Location, $"tensor {tensor.Name} has shape ({string.Join(", ", tensor.Shape)}); it must be (vocabulary, hidden).");
        return (int)tensor.Shape[0];
    }

    /// <summary>A vector, as floats.</summary>
    public float[] Vector(string canonical, int length) => Tensor(canonical, length).ToFloats();

    /// <summary>A small tensor, as floats.</summary>
    public float[] Floats(string canonical, params ReadOnlySpan<long> shape) => Tensor(canonical, shape).ToFloats();

    /// <summary>A matrix in its stored form.</summary>
    public WeightMatrix Matrix(string canonical, int rows, int columns) => Wrap(Tensor(canonical, rows, columns), rows, columns);

    /// <summary>A stack of matrices, each shape (rows, columns), as one matrix of all their rows.</summary>
    public WeightMatrix Stack(string canonical, int count, int rows, int columns) =>
        Wrap(Tensor(canonical, count, rows, columns), checked(count * rows), columns);

    private StoredTensor Tensor(string canonical, params ReadOnlySpan<long> shape)
    {
        if (!TryFind(canonical, out StoredTensor? tensor))
            throw new ModelFileException(source.Location, $"tensor {names.Find(canonical) ?? canonical} is missing.");
        if (!tensor.Shape.AsSpan().SequenceEqual(shape))
            throw new ModelFileException(source.Location, $"tensor {tensor.Name} has shape ({string.Join(", ", tensor.Shape)}); the configuration asks for ({string.Join(", ", shape.ToArray())}).");
        if (_counted.Add(tensor.Name))
        {
            Parameters += tensor.Count;
            Bytes += tensor.ByteLength;
        }

        return tensor;
    }

    private bool TryFind(string canonical, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        tensor = null;
        return names.Find(canonical) is { } name && source.TryGet(name, out tensor);
    }

    private WeightMatrix Wrap(StoredTensor tensor, int rows, int columns)
    {
        try
        {
            return new WeightMatrix(tensor.Format, rows, columns, (byte*)tensor.Address, tensor.Owner);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ModelFileException(source.Location, $"tensor {tensor.Name} cannot be used as a matrix: {e.Message}", e);
        }
    }
}
