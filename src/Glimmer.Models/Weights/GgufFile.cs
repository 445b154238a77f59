using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Glimmer.Models.Weights;

/// <summary>
/// A GGUF model (versions 2 and 3, little-endian), in one file or split into parts
/// (<c>name-00001-of-00003.gguf</c>). Everything in the header is checked when it is opened; the weights are mapped, not read.
/// </summary>
/// <remarks>
/// Immutable and safe to share. Disposing gives up this object's hold on the files; the mapping ends when the last tensor,
/// metadata object or list taken from it is unreachable, so none of them can point at nothing.
/// </remarks>
public sealed partial class GgufFile : IWeightSource
{
    private const int MostParts = 99999; // five digits in the name
    private readonly Dictionary<string, StoredTensor> _tensors;
    private bool _disposed;

    private GgufFile(GgufPart first, Dictionary<string, StoredTensor> tensors)
    {
        Location = first.File.Path;
        Version = (int)first.Version;
        Metadata = first.Metadata;
        _tensors = tensors;
    }

    /// <inheritdoc/>
    public string Location { get; }

    /// <summary>Version of the container format: 2 or 3.</summary>
    public int Version { get; }

    /// <summary>The key-value section; of a split model that of its first part.</summary>
    public GgufMetadata Metadata { get; }

    /// <summary>The architecture's name (<c>general.architecture</c>), e.g. <c>glm4moe</c>.</summary>
    /// <exception cref="ModelFileException">The key is missing or empty.</exception>
    public string Architecture => Metadata.GetString("general.architecture") is { Length: > 0 } name
        ? name
        : throw new ModelFileException(Location, "'general.architecture' is empty");

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _tensors.Keys;

    /// <summary>Opens a model. Any part of a split model may be named; its siblings are looked for in the same folder.</summary>
    /// <exception cref="ModelFileException">The file is missing, malformed or of a kind that is not supported; or a part is missing.</exception>
    public static GgufFile Open(string path)
    {
        GgufPart part = GgufPart.Parse(FileBytes.Map(path));
        int count = part.Metadata.FindInt32("split.count", 0, MostParts) ?? 1;
        if (count <= 1)
            return FromParts([part]);

        int number = PartNumber(part, count);
        Match name = SplitName().Match(Path.GetFileName(path));
        if (!name.Success || Parse(name, "part") != number + 1 || Parse(name, "count") != count)
            throw new ModelFileException(path, $"is part {number + 1} of {count} of a split model but not named so; expected a name that ends with {Suffix(number + 1, count)}");

        string folder = Path.GetDirectoryName(path) ?? "";
        GgufPart[] parts = new GgufPart[count];
        for (int i = 0; i < count; i++)
        {
            if (i == number)
            {
                parts[i] = part;
                continue;
            }

            string sibling = Path.Combine(folder, name.Groups["stem"].Value + Suffix(i + 1, count));
            if (!File.Exists(sibling))
                throw new ModelFileException(sibling, $"does not exist; it is part {i + 1} of {count} of the split model {Path.GetFileName(path)}");
            parts[i] = GgufPart.Parse(FileBytes.Map(sibling));
            int itsCount = parts[i].Metadata.GetInt32("split.count", 0, MostParts);
            if (itsCount != count || PartNumber(parts[i], count) != i)
                throw new ModelFileException(sibling, $"says it is part {parts[i].Metadata.FindInt32("split.no") + 1} of {itsCount}, but its name says part {i + 1} of {count}");
        }

        return FromParts(parts);
    }

    /// <summary>Reads a model whose bytes are in memory; <paramref name="name"/> stands for the file in messages.</summary>
    /// <exception cref="ModelFileException">It is malformed, or one part of a split model.</exception>
    public static GgufFile FromMemory(string name, ReadOnlySpan<byte> bytes)
    {
        GgufPart part = GgufPart.Parse(FileBytes.FromMemory(name, bytes));
        int count = part.Metadata.FindInt32("split.count", 0, MostParts) ?? 1;
        if (count > 1)
        {
            _ = PartNumber(part, count);
            throw new ModelFileException(name, "is one part of a split model; open the file instead");
        }

        return FromParts([part]);
    }

    /// <summary>Whether a file begins like a GGUF file; false when it cannot be read.</summary>
    public static bool Recognises(string path)
    {
        try
        {
            using FileStream stream = File.OpenRead(path);
            Span<byte> magic = stackalloc byte[4];
            return stream.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.SequenceEqual("GGUF"u8);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return _tensors.TryGetValue(name, out tensor);
    }

    /// <inheritdoc/>
    public void Dispose() => _disposed = true;

    /// <summary>Whether a file name has the form of a part of a split model, and which part it is.</summary>
    internal static bool IsPartName(string fileName, out string stem, out int part)
    {
        Match name = SplitName().Match(fileName);
        stem = name.Groups["stem"].Value;
        part = name.Success ? Parse(name, "part") : 0;
        return name.Success;
    }

    private static GgufFile FromParts(IReadOnlyList<GgufPart> parts)
    {
        Dictionary<string, StoredTensor> tensors = new(StringComparer.Ordinal);
        foreach (GgufPart part in parts)
        {
            foreach (StoredTensor tensor in part.Tensors)
            {
                if (!tensors.TryAdd(tensor.Name, tensor))
                    throw new ModelFileException(part.File.Path, $"the tensor '{tensor.Name}' is already in another part of the split model");
            }
        }

        GgufPart first = parts[0];
        long? announced = parts.Count == 1 ? null : first.Metadata.FindInt64("split.tensors.count");
        if (announced is { } count && count != tensors.Count)
            throw new ModelFileException(first.File.Path, $"'split.tensors.count' is {count}, but the {parts.Count} parts hold {tensors.Count} tensors");
        return new GgufFile(first, tensors);
    }

    private static int PartNumber(GgufPart part, int count) => part.Metadata.GetInt32("split.no", 0, count - 1);

    private static string Suffix(int part, int count) => string.Create(CultureInfo.InvariantCulture, $"-{part:D5}-of-{count:D5}.gguf");

    private static int Parse(Match name, string group) => int.Parse(name.Groups[group].ValueSpan, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<stem>.+)-(?<part>[0-9]{5})-of-(?<count>[0-9]{5})\.gguf$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex SplitName();
}
