using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>The JSON header of a safetensors file, with every entry checked by itself.</summary>
internal sealed class SafetensorsHeader
{
    private const ulong LongestHeader = 100_000_000; // limit of the reference implementation
    private const int MostDimensions = 16;
    private readonly FileBytes _file;

    private SafetensorsHeader(FileBytes file) => _file = file;

    public List<SafetensorsEntry> Entries { get; } = [];

    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    public long DataStart { get; private set; }

    public static SafetensorsHeader Read(FileBytes file)
    {
        if (file.Length < 8)
            throw new ModelFileException(file.Path, $"is not a safetensors file: it has only {file.Length} bytes");
        ulong length = BitConverter.ToUInt64(file.Slice(0, 8));
        if (length > LongestHeader)
            throw new ModelFileException(file.Path, $"is not a safetensors file: a header of {length} bytes is announced, at most {LongestHeader} are allowed");
        if (length > (ulong)file.Length - 8)
            throw new ModelFileException(file.Path, $"ends inside its header of {length} bytes: it is cut short or no safetensors file");
        ReadOnlySpan<byte> json = file.Slice(8, (int)length);
        if (json.IsEmpty || json[0] != (byte)'{')
            throw new ModelFileException(file.Path, "is not a safetensors file: its header does not begin with '{'");
        SafetensorsHeader header = new(file) { DataStart = 8 + (long)length };
        try
        {
            header.ReadObject(json);
            GC.KeepAlive(file);
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException) // the latter: a string that is no valid Unicode
        {
            throw new ModelFileException(file.Path, $"has a malformed header: {fault.Message}", fault);
        }

        return header;
    }

    private void ReadObject(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader reader = new(json, new JsonReaderOptions { MaxDepth = 8 });
        reader.Read();
        HashSet<string> names = new(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            if (!names.Add(name))
                throw new ModelFileException(_file.Path, $"'{name}' occurs twice in the header");
            reader.Read();
            if (string.Equals(name, "__metadata__", StringComparison.Ordinal))
                ReadMetadata(ref reader);
            else
                Entries.Add(ReadEntry(name, ref reader));
        }

        if (reader.Read()) // throws for anything but white space
            throw new ModelFileException(_file.Path, "has more than one value in its header");
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new ModelFileException(_file.Path, "'__metadata__' is no object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            Metadata[key] = reader.TokenType == JsonTokenType.String
                ? reader.GetString()!
                : throw new ModelFileException(_file.Path, $"'__metadata__' entry '{key}' is no string");
        }
    }

    private SafetensorsEntry ReadEntry(string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new ModelFileException(_file.Path, $"the entry of tensor '{name}' is no object");
        string? type = null;
        List<long>? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            reader.Read();
            bool first = field switch
            {
                "dtype" => type is null,
                "shape" => shape is null,
                "data_offsets" => offsets is null,
                _ => throw new ModelFileException(_file.Path, $"the entry of tensor '{name}' has an unknown field '{field}'"),
            };
            if (!first)
                throw new ModelFileException(_file.Path, $"the entry of tensor '{name}' has the field '{field}' twice");
            if (field is "dtype")
            {
                type = reader.TokenType == JsonTokenType.String
                    ? reader.GetString()
                    : throw new ModelFileException(_file.Path, $"'dtype' of tensor '{name}' is no string");
            }
            else
            {
                List<long> sizes = ReadSizes(name, field, ref reader);
                if (field is "shape")
                    shape = sizes;
                else
                    offsets = sizes;
            }
        }

        return Check(name, Require(type, name, "dtype"), Require(shape, name, "shape"), Require(offsets, name, "data_offsets"));
    }

    private List<long> ReadSizes(string name, string field, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new ModelFileException(_file.Path, $"'{field}' of tensor '{name}' is no array");
        List<long> sizes = [];
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long size) || size < 0)
                throw new ModelFileException(_file.Path, $"'{field}' of tensor '{name}' holds something that is no whole number from 0 to {long.MaxValue}");
            if (sizes.Count == MostDimensions)
                throw new ModelFileException(_file.Path, $"'{field}' of tensor '{name}' has more than {MostDimensions} numbers");
            sizes.Add(size);
        }

        return sizes;
    }

    private SafetensorsEntry Check(string name, string type, List<long> shape, List<long> offsets)
    {
        if (offsets.Count != 2 || offsets[1] < offsets[0])
            throw new ModelFileException(_file.Path, $"'data_offsets' of tensor '{name}' is [{string.Join(", ", offsets)}]; a begin and an end not before it are needed");
        BlockFormat format = FormatOf(name, type);
        long bytes;
        try
        {
            bytes = BlockCodecs.For(format).BytesFor(shape.Aggregate(1L, (product, size) => checked(product * size)));
        }
        catch (OverflowException fault)
        {
            throw new ModelFileException(_file.Path, $"tensor '{name}' of shape [{string.Join(", ", shape)}] is too large for any file", fault);
        }

        if (offsets[1] - offsets[0] != bytes)
            throw new ModelFileException(_file.Path, $"tensor '{name}' of type {type} and shape [{string.Join(", ", shape)}] needs {bytes} bytes, but 'data_offsets' give it {offsets[1] - offsets[0]}");
        return new SafetensorsEntry(name, format, [.. shape], offsets[0], offsets[1]);
    }

    private BlockFormat FormatOf(string tensor, string type) => type switch
    {
        "F64" => BlockFormat.F64,
        "F32" => BlockFormat.F32,
        "F16" => BlockFormat.F16,
        "BF16" => BlockFormat.BF16,
        "F8_E4M3" => BlockFormat.F8_E4M3,
        "F8_E5M2" => BlockFormat.F8_E5M2,
        "F8_E8M0" => BlockFormat.F8_E8M0,
        "I64" => BlockFormat.I64,
        "I32" => BlockFormat.I32,
        "I16" => BlockFormat.I16,
        "I8" => BlockFormat.I8,
        "U64" => BlockFormat.U64,
        "U32" => BlockFormat.U32,
        "U16" => BlockFormat.U16,
        "U8" => BlockFormat.U8,
        "BOOL" => BlockFormat.Bool,
        _ => throw new ModelFileException(_file.Path, $"tensor '{tensor}' has the number type '{type}', which is not supported (F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, I64 … I8, U64 … U8, BOOL are)"),
    };

    private T Require<T>([NotNull] T? value, string tensor, string field)
        where T : class => value ?? throw new ModelFileException(_file.Path, $"the entry of tensor '{tensor}' lacks '{field}'");
}
