using System.Runtime.InteropServices;
using System.Text;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Tests.Weights;

/// <summary>Builds safetensors files in memory.</summary>
internal sealed class SafetensorsBytes
{
    private readonly StringBuilder _header = new("{");
    private readonly List<byte> _data = [];

    public SafetensorsBytes Add<T>(string name, string dtype, long[] shape, params T[] values)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values.AsSpan());
        _header.Append(_header.Length > 1 ? "," : "").Append('"').Append(name).Append("\":{\"dtype\":\"").Append(dtype).Append("\",\"shape\":[")
            .AppendJoin(',', shape).Append("],\"data_offsets\":[").Append(_data.Count).Append(',').Append(_data.Count + bytes.Length).Append("]}");
        _data.AddRange(bytes);
        return this;
    }

    public byte[] ToArray()
    {
        byte[] json = Encoding.UTF8.GetBytes(_header.ToString() + "}");
        return [.. BitConverter.GetBytes((ulong)json.Length), .. json, .. _data];
    }

    public SafetensorsFile Open() => SafetensorsFile.FromMemory("checkpoint", ToArray());
}
