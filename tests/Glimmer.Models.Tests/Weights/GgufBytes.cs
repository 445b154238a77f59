using System.Text;

namespace Glimmer.Models.Tests.Weights;

/// <summary>Writes GGUF bytes field by field, so that tests can also write what no sane writer would.</summary>
internal sealed class GgufBytes
{
    private readonly List<byte> _header = [];
    private readonly List<byte> _data = [];
    private ulong _keys;
    private ulong _tensors;
    private readonly List<byte> _entries = [];

    public uint Version { get; init; } = 3;

    public int Alignment { get; init; } = 32;

    public GgufBytes Key(string key, uint type, params byte[] value)
    {
        WriteString(_header, key);
        _header.AddRange(BitConverter.GetBytes(type));
        _header.AddRange(value);
        _keys++;
        return this;
    }

    public GgufBytes Key(string key, string value) => Key(key, 8, [.. BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(value)), .. Encoding.UTF8.GetBytes(value)]);

    public GgufBytes Key(string key, uint value) => Key(key, 4, BitConverter.GetBytes(value));

    public GgufBytes Key(string key, ushort value) => Key(key, 2, BitConverter.GetBytes(value));

    public GgufBytes Array(string key, uint elementType, ulong count, params byte[] values) =>
        Key(key, 9, [.. BitConverter.GetBytes(elementType), .. BitConverter.GetBytes(count), .. values]);

    public GgufBytes Strings(string key, params string[] values) => Array(key, 8, (ulong)values.Length,
        [.. values.SelectMany(value => (byte[])[.. BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(value)), .. Encoding.UTF8.GetBytes(value)])]);

    /// <summary>A tensor; <paramref name="shape"/> innermost first, as in the file.</summary>
    public GgufBytes Tensor(string name, uint type, ulong[] shape, byte[] data, ulong? offset = null)
    {
        WriteString(_entries, name);
        _entries.AddRange(BitConverter.GetBytes((uint)shape.Length));
        foreach (ulong size in shape)
            _entries.AddRange(BitConverter.GetBytes(size));
        _entries.AddRange(BitConverter.GetBytes(type));
        _entries.AddRange(BitConverter.GetBytes(offset ?? (ulong)_data.Count));
        _data.AddRange(data);
        Pad(_data);
        _tensors++;
        return this;
    }

    public GgufBytes Floats(string name, params float[] values) =>
        Tensor(name, 0, [(ulong)values.Length], [.. values.SelectMany(BitConverter.GetBytes)]);

    public byte[] ToArray()
    {
        List<byte> file = [];
        file.AddRange("GGUF"u8);
        file.AddRange(BitConverter.GetBytes(Version));
        file.AddRange(BitConverter.GetBytes(_tensors));
        file.AddRange(BitConverter.GetBytes(_keys));
        file.AddRange(_header);
        file.AddRange(_entries);
        Pad(file);
        file.AddRange(_data);
        return [.. file];
    }

    private void Pad(List<byte> stream)
    {
        while (stream.Count % Alignment != 0)
            stream.Add(0);
    }

    private static void WriteString(List<byte> stream, string value)
    {
        stream.AddRange(BitConverter.GetBytes((ulong)Encoding.UTF8.GetByteCount(value)));
        stream.AddRange(Encoding.UTF8.GetBytes(value));
    }
}
