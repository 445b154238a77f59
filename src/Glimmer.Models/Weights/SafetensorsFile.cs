using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>
/// One safetensors file: 8 bytes of header length, a JSON header, then the tensors without gaps. The header is checked as the
/// reference implementation does (no holes, no overlaps, no trailing bytes); the weights are mapped, not read.
/// </summary>
/// <remarks>
/// Immutable and safe to share; the mapping ends when the last tensor is unreachable. Data may lie at odd addresses (the format allows it).
/// </remarks>
public sealed class SafetensorsFile : IWeightSource
{
    private readonly Dictionary<string, StoredTensor> _tensors;
    private bool _disposed;

    private SafetensorsFile(string location, Dictionary<string, StoredTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        Location = location;
        _tensors = tensors;
        Metadata = metadata;
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>The header's <c>__metadata__</c>; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file.</summary>
    /// <exception cref="ModelFileException">It is missing, malformed, or uses a number type that is not supported.</exception>
    public static SafetensorsFile Open(string path) => Parse(FileBytes.Map(path));

    /// <summary>Reads a file whose bytes are in memory; <paramref name="name"/> stands for the file in messages.</summary>
    /// <exception cref="ModelFileException">It is malformed, or uses a number type that is not supported.</exception>
    public static SafetensorsFile FromMemory(string name, ReadOnlySpan<byte> bytes) => Parse(FileBytes.FromMemory(name, bytes));

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <inheritdoc/>
    public void Dispose() => _disposed = true;

    private static unsafe SafetensorsFile Parse(FileBytes file)
    {
        SafetensorsHeader header = SafetensorsHeader.Read(file);
        List<SafetensorsEntry> ordered = [.. header.Entries];
        ordered.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin) : a.End.CompareTo(b.End));
        Dictionary<string, StoredTensor> tensors = new(ordered.Count, StringComparer.Ordinal);
        long expected = 0;
        foreach (SafetensorsEntry entry in ordered)
        {
            if (entry.Begin != expected)
            {
                string problem = entry.Begin > expected ? $"leaves {entry.Begin - expected} unused bytes before it" : "overlaps the tensor before it";
                throw new ModelFileException(file.Path, $"tensor '{entry.Name}' at data offset {entry.Begin} {problem}");
            }

            expected = entry.End;
            if (expected > file.Length - header.DataStart)
                throw new ModelFileException(file.Path, $"tensor '{entry.Name}' ends at data offset {entry.End}, but the file has only {file.Length - header.DataStart} bytes of data: it is cut short or damaged");
            tensors.Add(entry.Name, new StoredTensor(entry.Name, entry.Shape, entry.Format, (nint)(file.Start + header.DataStart + entry.Begin), entry.End - entry.Begin, file));
        }

        if (expected != file.Length - header.DataStart)
            throw new ModelFileException(file.Path, $"has {file.Length - header.DataStart - expected} bytes after the last tensor");
        return new SafetensorsFile(file.Path, tensors, header.Metadata);
    }
}

/// <summary>One tensor of a safetensors header; the offsets count from the first byte of data.</summary>
internal readonly record struct SafetensorsEntry(string Name, BlockFormat Format, long[] Shape, long Begin, long End);
