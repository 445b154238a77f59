using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace Glimmer.Models.Weights;

/// <summary>
/// A folder with safetensors weights: <c>model.safetensors</c>, or shards that <c>model.safetensors.index.json</c> lists
/// (for generators <c>diffusion_pytorch_model</c> takes the place of <c>model</c>).
/// </summary>
/// <remarks>Immutable and safe to share; a shard's mapping ends when its last tensor is unreachable.</remarks>
public sealed class SafetensorsCheckpoint : IWeightSource
{
    private const string IndexSuffix = ".safetensors.index.json";
    private const long LargestIndex = 256 << 20;
    private static readonly string[] _stems = ["model", "diffusion_pytorch_model"];
    private readonly Dictionary<string, StoredTensor> _tensors;
    private bool _disposed;

    private SafetensorsCheckpoint(string location, Dictionary<string, StoredTensor> tensors)
    {
        Location = location;
        _tensors = tensors;
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Whether the folder holds weights in one of the forms <see cref="Open"/> reads.</summary>
    public static bool Recognises(string folder) => FindEntry(folder) is not null;

    /// <summary>Opens a folder.</summary>
    /// <exception cref="ModelFileException">There are no weights in it, or a file is missing or malformed.</exception>
    public static SafetensorsCheckpoint Open(string folder)
    {
        string entry = FindEntry(folder)
            ?? throw new ModelFileException(folder, "holds no safetensors weights: neither model.safetensors nor model.safetensors.index.json");
        if (entry.EndsWith(IndexSuffix, StringComparison.Ordinal))
            return OpenIndex(entry);
        return new SafetensorsCheckpoint(folder, ToDictionary(SafetensorsFile.Open(entry)));
    }

    /// <summary>Opens the shards that an index file lists; they must lie in its folder.</summary>
    /// <exception cref="ModelFileException">The index is malformed or hostile, or a shard or one of its tensors is missing.</exception>
    public static SafetensorsCheckpoint OpenIndex(string indexPath)
    {
        FileBytes index = FileBytes.Map(indexPath);
        if (index.Length > LargestIndex)
            throw new ModelFileException(indexPath, $"has {index.Length} bytes; an index has at most {LargestIndex}");
        Dictionary<string, string> map;
        try
        {
            map = ReadMap(index);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new ModelFileException(indexPath, $"is malformed: {fault.Message}", fault);
        }

        string folder = Path.GetDirectoryName(Path.GetFullPath(indexPath))!;
        Dictionary<string, SafetensorsFile> shards = new(StringComparer.Ordinal);
        Dictionary<string, StoredTensor> tensors = new(map.Count, StringComparer.Ordinal);
        foreach ((string name, string file) in map)
        {
            if (!shards.TryGetValue(file, out SafetensorsFile? shard))
                shards.Add(file, shard = OpenShard(indexPath, folder, file));
            if (!shard.TryGet(name, out StoredTensor? tensor))
                throw new ModelFileException(shard.Location, $"lacks the tensor '{name}' that {Path.GetFileName(indexPath)} expects there");
            tensors.Add(name, tensor);
        }

        return new SafetensorsCheckpoint(indexPath, tensors);
    }

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <inheritdoc/>
    public void Dispose() => _disposed = true;

    private static string? FindEntry(string folder) => _stems
        .SelectMany(stem => new[] { stem + ".safetensors", stem + IndexSuffix })
        .Select(name => Path.Combine(folder, name))
        .FirstOrDefault(File.Exists);

    private static SafetensorsFile OpenShard(string indexPath, string folder, string file)
    {
        // Only plain names: an index is a foreign file and must not reach outside its folder, on any system.
        bool plain = file.Length > 0 && file.AsSpan().IndexOfAny("/\\:\0") < 0 && file.EndsWith(".safetensors", StringComparison.Ordinal);
        if (!plain)
            throw new ModelFileException(indexPath, $"names the shard '{file}'; allowed are plain names of .safetensors files in the same folder");
        string path = Path.Combine(folder, file);
        if (!File.Exists(path))
            throw new ModelFileException(path, $"does not exist; it is a shard listed in {Path.GetFileName(indexPath)}");
        return SafetensorsFile.Open(path);
    }

    private static Dictionary<string, string> ReadMap(FileBytes index)
    {
        Utf8JsonReader reader = new(index.Slice(0, (int)index.Length), new JsonReaderOptions { MaxDepth = 16 });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new ModelFileException(index.Path, "is no JSON object");
        Dictionary<string, string>? map = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            bool isMap = reader.ValueTextEquals("weight_map"u8);
            reader.Read();
            if (!isMap)
            {
                reader.Skip();
                continue;
            }

            if (reader.TokenType != JsonTokenType.StartObject || map is not null)
                throw new ModelFileException(index.Path, "needs one 'weight_map' that is an object from tensor names to file names");
            map = new Dictionary<string, string>(StringComparer.Ordinal);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                if (reader.TokenType != JsonTokenType.String)
                    throw new ModelFileException(index.Path, $"the file of tensor '{name}' is no string");
                if (!map.TryAdd(name, reader.GetString()!))
                    throw new ModelFileException(index.Path, $"the tensor '{name}' occurs twice");
            }
        }

        if (reader.Read())
            throw new ModelFileException(index.Path, "has more than one JSON value");
        return map ?? throw new ModelFileException(index.Path, "has no 'weight_map'");
    }

    private static Dictionary<string, StoredTensor> ToDictionary(SafetensorsFile file)
    {
        Dictionary<string, StoredTensor> tensors = new(StringComparer.Ordinal);
        foreach (string name in file.Names)
        {
            if (file.TryGet(name, out StoredTensor? tensor))
                tensors.Add(name, tensor);
        }

        return tensors;
    }
}
