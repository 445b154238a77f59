using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Glimmer.Models.Weights;

/// <summary>
/// For each column of each weight matrix the mean square of the activations that met it, as llama.cpp's <c>imatrix</c> measures it: what a quantiser
/// should lose least. Both of its file forms are read, the older <c>.dat</c> and GGUF.
/// </summary>
public sealed class ImportanceMatrix
{
    private const long LargestFile = 4L << 30;
    private const int LongestName = 1 << 10;
    private const string Sums = ".in_sum2";
    private readonly Dictionary<string, float[]> _entries;

    private ImportanceMatrix(string location, Dictionary<string, float[]> entries) => (Location, _entries) = (location, entries);

    /// <summary>The file.</summary>
    public string Location { get; }

    /// <summary>Names of the matrices it knows.</summary>
    public IReadOnlyCollection<string> Names => _entries.Keys;

    /// <summary>Reads a file of either form.</summary>
    /// <exception cref="ModelFileException">It is unreadable or malformed.</exception>
    public static ImportanceMatrix Open(string path)
    {
        FileBytes file = FileBytes.Map(path);
        if (file.Length > LargestFile)
            throw new ModelFileException(path, $"has {file.Length} bytes; {LargestFile} are the most for an importance matrix");
        ImportanceMatrix matrix = file.Length >= 4 && file.Slice(0, 4).SequenceEqual("GGUF"u8) ? FromGguf(path) : FromEntries(path, file);
        return matrix._entries.Count > 0 ? matrix : throw new ModelFileException(path, "holds no importance of any matrix");
    }

    /// <summary>Finds the importance of a tensor's columns: one row for all its matrices, or one for each matrix of a stack.</summary>
    /// <param name="name">The tensor's name in GGUF.</param>
    /// <param name="shape">Its shape, outermost first.</param>
    /// <param name="importance">As many numbers as columns, or as columns of all matrices.</param>
    /// <exception cref="ModelFileException">The number of columns differs: the matrix belongs to another model.</exception>
    public bool TryGet(string name, ReadOnlySpan<long> shape, [NotNullWhen(true)] out float[]? importance)
    {
        if (!_entries.TryGetValue(name, out importance))
            return false;
        long columns = shape[^1], matrices = shape.Length == 3 ? shape[0] : 1;
        if (importance.Length == columns * matrices)
            return true;
        if (name == "token_embd.weight")
            return false; // rows of it are looked up, not multiplied; some files measure it as the output matrix
        throw new ModelFileException(Location, $"has {importance.Length} numbers for '{name}', which has {columns * matrices} columns; it belongs to another model");
    }

    // int32 entries, then each: int32 length, name, int32 calls, int32 count, count floats (sums over the calls).
    private static ImportanceMatrix FromEntries(string path, FileBytes file)
    {
        Dictionary<string, float[]> entries = new(StringComparer.Ordinal);
        long at = 0;
        int count = Int();
        if (count < 1)
            throw new ModelFileException(path, $"is no importance matrix: it says it has {count} entries");
        for (int entry = 0; entry < count; entry++)
        {
            int length = Int();
            if (length is < 1 or > LongestName)
                throw new ModelFileException(path, $"entry {entry} has a name of {length} bytes; 1 to {LongestName} are possible");
            string name = Encoding.UTF8.GetString(Take(length));
            int calls = Int(), numbers = Int();
            if (numbers < 1 || (long)numbers * sizeof(float) > file.Length - at)
                throw new ModelFileException(path, $"entry '{name}' has {numbers} numbers, more than the file holds");
            float[] values = new float[numbers];
            for (int i = 0; i < numbers; i++)
                values[i] = Checked(path, name, BinaryPrimitives.ReadSingleLittleEndian(Take(sizeof(float))) / Math.Max(1, calls));
            entries[name] = values;
        }

        return new ImportanceMatrix(path, entries);

        int Int() => BinaryPrimitives.ReadInt32LittleEndian(Take(sizeof(int)));

        ReadOnlySpan<byte> Take(int length)
        {
            ReadOnlySpan<byte> bytes = file.Slice(at, length);
            at += length;
            return bytes;
        }
    }

    // Tensors NAME.in_sum2 (matrices, columns) and NAME.counts (matrices, 1).
    private static ImportanceMatrix FromGguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        if (file.Metadata.FindString("general.type") is { } type && type != "imatrix")
            throw new ModelFileException(path, $"is a GGUF file of type '{type}', not 'imatrix'");
        Dictionary<string, float[]> entries = new(StringComparer.Ordinal);
        foreach (string stored in file.Names)
        {
            if (!stored.EndsWith(Sums, StringComparison.Ordinal) || !file.TryGet(stored, out StoredTensor? sums))
                continue;
            string name = stored[..^Sums.Length];
            if (!file.TryGet(name + ".counts", out StoredTensor? counted) || counted.Count < 1 || sums.Count % counted.Count != 0)
                throw new ModelFileException(path, $"'{stored}' has {sums.Count} numbers without as many matrices in '{name}.counts'");
            float[] values = sums.ToFloats(), counts = counted.ToFloats();
            int columns = values.Length / counts.Length;
            for (int i = 0; i < values.Length; i++)
                values[i] = counts[i / columns] is var times && times > 0 ? Checked(path, name, values[i] / times) : 1; // an expert that was never asked
            entries[name] = values;
        }

        return new ImportanceMatrix(path, entries);
    }

    private static float Checked(string path, string name, float value) => float.IsFinite(value) && value >= 0
        ? value
        : throw new ModelFileException(path, $"has the importance {value} for '{name}'; it must be a number from 0");
}
