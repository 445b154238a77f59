using Glimmer.Models.Weights;

namespace Glimmer.Cli.Golden;

/// <summary>The expected tensors of a golden folder.</summary>
public sealed class GoldenTensors : IDisposable
{
    private readonly SafetensorsFile _file;

    private GoldenTensors(SafetensorsFile file) => _file = file;

    /// <summary>Names of all tensors, in order.</summary>
    public IEnumerable<string> Names => _file.Names.Order(StringComparer.Ordinal);

    /// <summary>Opens a safetensors file.</summary>
    public static GoldenTensors Open(string path) => new(SafetensorsFile.Open(path));

    /// <summary>Whether there is a tensor of that name.</summary>
    public bool Has(string name) => _file.TryGet(name, out _);

    /// <summary>All numbers of a tensor; integers become floats.</summary>
    public float[] Floats(string name) => Get(name).ToFloats();

    /// <summary>All numbers of a tensor of integers below 2^24.</summary>
    public int[] Ints(string name) => [.. Get(name).ToFloats().Select(number => (int)number)];

    /// <summary>Shape, outermost first.</summary>
    public long[] Shape(string name) => Get(name).Shape;

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private StoredTensor Get(string name) => _file.TryGet(name, out StoredTensor? tensor)
        ? tensor
        : throw new InvalidDataException($"{_file.Location} has no tensor {name}.");
}
