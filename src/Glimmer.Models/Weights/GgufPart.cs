using System.Buffers.Binary;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>One GGUF file: header, metadata and tensor table, checked. A model may consist of several.</summary>
internal sealed class GgufPart
{
    private const uint Magic = 0x46554747; // "GGUF"
    private const int SmallestTensorEntry = 8 + 4 + 4 + 8;
    private const int SmallestKeyEntry = 8 + 4 + 1;
    private const int MostDimensions = 4;
    private const long DefaultAlignment = 32;

    private GgufPart(FileBytes file, uint version, GgufMetadata metadata, IReadOnlyList<StoredTensor> tensors)
    {
        File = file;
        Version = version;
        Metadata = metadata;
        Tensors = tensors;
    }

    public FileBytes File { get; }

    public uint Version { get; }

    public GgufMetadata Metadata { get; }

    public IReadOnlyList<StoredTensor> Tensors { get; }

    public static GgufPart Parse(FileBytes file)
    {
        GgufCursor cursor = new(file, 0);
        if (file.Length < 4 || cursor.Read<uint>("the magic") != Magic)
            throw new ModelFileException(file.Path, "is not a GGUF file: it does not begin with 'GGUF'");
        uint version = cursor.Read<uint>("the version");
        if (version == 1)
            throw new ModelFileException(file.Path, "is GGUF version 1; versions 2 and 3 are supported, so convert the model again");
        if (version != 0 && (version & 0xFFFF) == 0)
            throw new ModelFileException(file.Path, $"is big-endian (version {BinaryPrimitives.ReverseEndianness(version)}); only little-endian files are supported");
        if (version is not (2 or 3))
            throw new ModelFileException(file.Path, $"is GGUF version {version}; versions 2 and 3 are supported");

        ulong tensorCount = cursor.Read<ulong>("the number of tensors");
        ulong keyCount = cursor.Read<ulong>("the number of keys");
        Dictionary<string, GgufValue> values = ReadValues(file, ref cursor, keyCount);
        GgufMetadata metadata = new(file, values);
        List<Entry> entries = ReadEntries(file, ref cursor, tensorCount);
        long alignment = ReadAlignment(file, metadata);
        return new GgufPart(file, version, metadata, Place(file, entries, Align(cursor.Offset, alignment), alignment));
    }

    private static Dictionary<string, GgufValue> ReadValues(FileBytes file, ref GgufCursor cursor, ulong count)
    {
        RequireEntries(file, count, SmallestKeyEntry, cursor.Remaining, "keys");
        Dictionary<string, GgufValue> values = new(StringComparer.Ordinal);
        for (ulong i = 0; i < count; i++)
        {
            string key = cursor.ReadName($"key {i} of {count}");
            if (!values.TryAdd(key, cursor.ReadValue(key)))
                throw new ModelFileException(file.Path, $"the key '{key}' occurs twice");
        }

        return values;
    }

    private static List<Entry> ReadEntries(FileBytes file, ref GgufCursor cursor, ulong count)
    {
        RequireEntries(file, count, SmallestTensorEntry, cursor.Remaining, "tensors");
        List<Entry> entries = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        for (ulong i = 0; i < count; i++)
        {
            string name = cursor.ReadName($"the name of tensor {i} of {count}");
            if (!names.Add(name))
                throw new ModelFileException(file.Path, $"the tensor '{name}' occurs twice");
            uint dimensions = cursor.Read<uint>($"tensor '{name}'");
            if (dimensions > MostDimensions)
                throw new ModelFileException(file.Path, $"tensor '{name}' has {dimensions} dimensions; at most {MostDimensions} are allowed");
            long[] shape = new long[dimensions];
            for (int d = shape.Length - 1; d >= 0; d--) // innermost dimension first in the file
            {
                ulong size = cursor.Read<ulong>($"tensor '{name}'");
                if (size is 0 or > long.MaxValue)
                    throw new ModelFileException(file.Path, $"dimension {shape.Length - 1 - d} of tensor '{name}' is {size}");
                shape[d] = (long)size;
            }

            uint type = cursor.Read<uint>($"tensor '{name}'");
            entries.Add(new Entry(name, shape, CodecOf(file, name, type), cursor.Read<ulong>($"tensor '{name}'")));
        }

        return entries;
    }

    private static BlockCodec CodecOf(FileBytes file, string tensor, uint type)
    {
        if (type < 1000 && BlockCodecs.TryGet((BlockFormat)type, out BlockCodec? codec))
            return codec;
        string problem = type switch
        {
            4 or 5 => $"{(type == 4 ? "Q4_2" : "Q4_3")}, which was removed from GGUF",
            9 or 15 => $"{(type == 9 ? "Q8_1" : "Q8_K")}, which is for intermediate results and never stored",
            31 or 32 or 33 or 36 or 37 or 38 => "an interleaved variant (Q4_0_4_4 and relatives) that was removed from GGUF; use the Q4_0 or IQ4_NL file",
            _ => "which this version does not know",
        };
        IEnumerable<BlockFormat> readable = BlockCodecs.Readable.Where(format => (int)format < 1000).Order();
        throw new ModelFileException(file.Path, $"tensor '{tensor}' has type {type}, {problem}. Supported: {string.Join(", ", readable)}");
    }

    private static long ReadAlignment(FileBytes file, GgufMetadata metadata)
    {
        const string key = "general.alignment";
        long alignment = metadata.FindInt64(key, 1, uint.MaxValue) ?? DefaultAlignment;
        return long.IsPow2(alignment)
            ? alignment
            : throw new ModelFileException(file.Path, $"'{key}' is {alignment}; it must be a power of two");
    }

    private static unsafe List<StoredTensor> Place(FileBytes file, List<Entry> entries, long dataStart, long alignment)
    {
        List<StoredTensor> tensors = new(entries.Count);
        List<(long Start, long End, string Name)> ranges = new(entries.Count);
        ulong available = dataStart > file.Length ? 0 : (ulong)(file.Length - dataStart);
        foreach (Entry entry in entries)
        {
            long length = LengthOf(file, entry);
            if (entry.Offset % (ulong)alignment != 0)
                throw new ModelFileException(file.Path, $"tensor '{entry.Name}' starts at offset {entry.Offset}, which is no multiple of the alignment {alignment}");
            if (entry.Offset > available || (ulong)length > available - entry.Offset)
                throw new ModelFileException(file.Path, $"tensor '{entry.Name}' needs {length} bytes at offset {entry.Offset}, but the file has only {available} bytes of data: it is cut short or damaged");
            long start = (long)entry.Offset;
            ranges.Add((start, start + length, entry.Name));
            tensors.Add(new StoredTensor(entry.Name, entry.Shape, entry.Codec.Format, (nint)(file.Start + dataStart + start), length, file));
        }

        ranges.Sort();
        for (int i = 1; i < ranges.Count; i++)
        {
            if (ranges[i].Start < ranges[i - 1].End)
                throw new ModelFileException(file.Path, $"the tensors '{ranges[i - 1].Name}' and '{ranges[i].Name}' overlap");
        }

        return tensors;
    }

    private static long LengthOf(FileBytes file, Entry entry)
    {
        try
        {
            long count = entry.Shape.Aggregate(1L, (product, size) => checked(product * size));
            long row = entry.Shape.Length == 0 ? 1 : entry.Shape[^1];
            if (row % entry.Codec.BlockLength != 0)
                throw new ModelFileException(file.Path, $"rows of tensor '{entry.Name}' have {row} values, which is no multiple of the {entry.Codec.BlockLength} of a {entry.Codec.Format} block");
            return entry.Codec.BytesFor(count);
        }
        catch (OverflowException fault)
        {
            throw new ModelFileException(file.Path, $"tensor '{entry.Name}' of shape [{string.Join(", ", entry.Shape)}] is too large for any file", fault);
        }
    }

    private static void RequireEntries(FileBytes file, ulong count, int smallest, long remaining, string what)
    {
        if (count > (ulong)(remaining / smallest))
            throw new ModelFileException(file.Path, $"announces {count} {what}, more than its {file.Length} bytes can hold");
    }

    private static long Align(long offset, long alignment) => (offset + alignment - 1) & -alignment;

    private readonly record struct Entry(string Name, long[] Shape, BlockCodec Codec, ulong Offset);
}
