using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>
/// Writes a GGUF file (version 3, little-endian) front to back: metadata and the table of tensors first, then the tensors' bytes in the order they
/// were announced, in as many pieces as one likes. Nothing but the header is kept in memory.
/// </summary>
/// <example><c>writer.Add("general.architecture", "glm4"); writer.Announce("w", [2, 32], BlockFormat.Q8_0); writer.Write(bytes); writer.Finish();</c></example>
public sealed class GgufWriter
{
    private const int Version = 3;
    private const int CopyPiece = 1 << 20;
    private readonly Stream _output;
    private readonly int _alignment;
    private ArrayBufferWriter<byte> _values = new();
    private readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    private readonly List<(string Name, long[] Shape, BlockFormat Format, long ByteLength)> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private bool _headerWritten;
    private int _current;
    private long _writtenOfCurrent;

    /// <summary>Starts a file on an empty stream, which stays the caller's.</summary>
    /// <param name="output">Where to write; needs no seeking.</param>
    /// <param name="alignment">Tensors begin at multiples of this power of two; other values than 32 are written as <c>general.alignment</c>.</param>
    public GgufWriter(Stream output, int alignment = 32)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(alignment, 1);
        if (!int.IsPow2(alignment))
            throw new ArgumentException($"An alignment of {alignment} is no power of two.", nameof(alignment));
        _output = output;
        _alignment = alignment;
        if (alignment != 32)
            Add("general.alignment", (uint)alignment);
    }

    /// <summary>Adds a string.</summary>
    public void Add(string key, string value)
    {
        Start(key, GgufValueType.String);
        PutString(value);
    }

    /// <summary>Adds an unsigned number.</summary>
    public void Add(string key, uint value)
    {
        Start(key, GgufValueType.UInt32);
        Put(value);
    }

    /// <summary>Adds a signed number.</summary>
    public void Add(string key, int value)
    {
        Start(key, GgufValueType.Int32);
        Put((uint)value);
    }

    /// <summary>Adds a single-precision number.</summary>
    public void Add(string key, float value)
    {
        Start(key, GgufValueType.Float32);
        Put(BitConverter.SingleToUInt32Bits(value));
    }

    /// <summary>Adds a truth value.</summary>
    public void Add(string key, bool value)
    {
        Start(key, GgufValueType.Bool);
        _values.Write([value ? (byte)1 : (byte)0]);
    }

    /// <summary>Adds an array of strings.</summary>
    public void Add(string key, IReadOnlyCollection<string> values)
    {
        StartArray(key, GgufValueType.String, values.Count);
        foreach (string value in values)
            PutString(value);
    }

    /// <summary>Adds an array of 32-bit integers.</summary>
    public void Add(string key, ReadOnlySpan<int> values)
    {
        StartArray(key, GgufValueType.Int32, values.Length);
        foreach (int value in values)
            Put((uint)value);
    }

    /// <summary>Adds an array of truth values.</summary>
    public void Add(string key, ReadOnlySpan<bool> values)
    {
        StartArray(key, GgufValueType.Bool, values.Length);
        foreach (bool value in values)
            _values.Write([value ? (byte)1 : (byte)0]);
    }

    /// <summary>Adds an array of strings that are given as UTF-8, so many, each by its place.</summary>
    public void Add(string key, int count, Func<int, ReadOnlyMemory<byte>> values)
    {
        StartArray(key, GgufValueType.String, count);
        for (int i = 0; i < count; i++)
        {
            ReadOnlyMemory<byte> value = values(i);
            PutLong(value.Length);
            _values.Write(value.Span);
        }
    }

    /// <summary>Copies a value from another file, whatever its type.</summary>
    public void Copy(GgufMetadata source, string key)
    {
        (GgufValue value, FileBytes file) = source.Locate(key);
        if (value.Type == GgufValueType.Array)
            StartArray(key, value.ElementType, value.Count);
        else
            Start(key, value.Type);
        for (long done = 0; done < value.ByteLength; done += CopyPiece)
            _values.Write(file.Slice(value.Offset + done, (int)Math.Min(CopyPiece, value.ByteLength - done)));
    }

    /// <summary>Announces the next tensor; all are announced before the first is written.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="shape">Outermost dimension first, one to four, each positive; the last one fills whole blocks.</param>
    /// <param name="format">A format that GGUF knows.</param>
    public void Announce(string name, ReadOnlySpan<long> shape, BlockFormat format)
    {
        if (_headerWritten)
            throw new InvalidOperationException("Tensors must be announced before the first one is written.");
        if (shape.Length is 0 or > 4)
            throw new ArgumentException($"Tensor '{name}' has {shape.Length} dimensions; 1 to 4 are possible.", nameof(shape));
        if ((int)format >= 1000)
            throw new ArgumentException($"Tensor '{name}': GGUF has no format {format}.", nameof(format));
        BlockCodec codec = BlockCodecs.For(format);
        long count = 1;
        foreach (long size in shape)
            count = size > 0 ? checked(count * size) : throw new ArgumentException($"Tensor '{name}' has a dimension of {size}.", nameof(shape));
        if (shape[^1] % codec.BlockLength != 0)
            throw new ArgumentException($"Tensor '{name}' has rows of {shape[^1]}, which do not fill blocks of {codec.BlockLength} ({format}).", nameof(shape));
        if (!_names.Add(name))
            throw new ArgumentException($"The tensor '{name}' was announced already.", nameof(name));
        _tensors.Add((name, shape.ToArray(), format, codec.BytesFor(count)));
    }

    /// <summary>Writes the next bytes of the current tensor; a full tensor makes room for the next one.</summary>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        WriteHeader();
        if (bytes.IsEmpty)
            return;
        if (_current == _tensors.Count)
            throw new InvalidOperationException("All announced tensors are written already.");
        (string name, _, _, long length) = _tensors[_current];
        if (bytes.Length > length - _writtenOfCurrent)
            throw new ArgumentException($"{bytes.Length} bytes are more than the {length - _writtenOfCurrent} that tensor '{name}' still takes.", nameof(bytes));
        _output.Write(bytes);
        _writtenOfCurrent += bytes.Length;
        if (_writtenOfCurrent < length)
            return;
        Pad(length);
        _current++;
        _writtenOfCurrent = 0;
    }

    /// <summary>Ends the file; every announced tensor must have been written. The stream is flushed, not closed.</summary>
    public void Finish()
    {
        WriteHeader();
        if (_current < _tensors.Count)
            throw new InvalidOperationException($"Tensor '{_tensors[_current].Name}' lacks {_tensors[_current].ByteLength - _writtenOfCurrent} bytes.");
        _output.Flush();
    }

    private void WriteHeader()
    {
        if (_headerWritten)
            return;
        _headerWritten = true;
        int keys = _keys.Count;
        ArrayBufferWriter<byte> values = _values;
        _values = new ArrayBufferWriter<byte>();
        _values.Write("GGUF"u8);
        Put((uint)Version);
        PutLong(_tensors.Count);
        PutLong(keys);
        _values.Write(values.WrittenSpan);
        long offset = 0;
        foreach ((string name, long[] shape, BlockFormat format, long length) in _tensors)
        {
            PutString(name);
            Put((uint)shape.Length);
            for (int d = shape.Length - 1; d >= 0; d--)
                PutLong(shape[d]);
            Put((uint)format);
            PutLong(offset);
            offset += length + Padding(length);
        }

        _output.Write(_values.WrittenSpan);
        Pad(_values.WrittenCount);
        _values = new ArrayBufferWriter<byte>();
    }

    private void Start(string key, GgufValueType type)
    {
        if (_headerWritten)
            throw new InvalidOperationException("Keys must be added before the first tensor is written.");
        if (!_keys.Add(key))
            throw new ArgumentException($"The key '{key}' was added already.", nameof(key));
        PutString(key);
        Put((uint)type);
    }

    private void StartArray(string key, GgufValueType element, long count)
    {
        Start(key, GgufValueType.Array);
        Put((uint)element);
        PutLong(count);
    }

    private void PutString(string value)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(value);
        PutLong(bytes.Length);
        _values.Write(bytes);
    }

    private void Put(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _values.Write(bytes);
    }

    private void PutLong(long value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, value);
        _values.Write(bytes);
    }

    private void Pad(long length) => _output.Write(new byte[Padding(length)]);

    private int Padding(long length) => (int)(-length & (_alignment - 1));
}
