using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Glimmer.Dialogue.Rendering;

/// <summary>
/// Reads strings and names of a JSON document without ever throwing: a lone surrogate escape becomes U+FFFD, where the
/// library's own accessors fail.
/// </summary>
internal static class JsonText
{
    /// <summary>The characters of a JSON string.</summary>
    public static string StringOf(JsonElement text) => Unescape(JsonMarshal.GetRawUtf8Value(text)[1..^1]);

    /// <summary>The characters of a property's name.</summary>
    public static string NameOf(JsonProperty property) => Unescape(JsonMarshal.GetRawUtf8PropertyName(property));

    /// <summary>
    /// The properties of an object as Python's parser leaves them: a repeated name keeps its first place and its last
    /// value.
    /// </summary>
    public static List<KeyValuePair<string, JsonElement>> Properties(JsonElement value)
    {
        int count = value.GetPropertyCount();
        List<KeyValuePair<string, JsonElement>> properties = new(count);
        Dictionary<string, int>? places = count > 8 ? new(count, StringComparer.Ordinal) : null;
        foreach (JsonProperty property in value.EnumerateObject())
        {
            string name = NameOf(property);
            int place = -1;
            if (places is null)
                place = properties.FindIndex(known => string.Equals(known.Key, name, StringComparison.Ordinal));
            else if (!places.TryAdd(name, properties.Count))
                place = places[name];
            if (place < 0)
                properties.Add(new(name, property.Value));
            else
                properties[place] = new(name, property.Value);
        }

        return properties;
    }

    /// <summary>
    /// The last value of a property, as Python's parser takes it. False for what is no object. Unlike the library's own
    /// look-up it does not throw when some name of the object holds half a surrogate pair.
    /// </summary>
    public static bool TryGet(JsonElement value, ReadOnlySpan<char> name, out JsonElement found)
    {
        found = default;
        if (value.ValueKind != JsonValueKind.Object)
            return false;
        bool any = false;
        foreach (JsonProperty property in value.EnumerateObject())
        {
            if (!IsNamed(property, name))
                continue;
            found = property.Value;
            any = true;
        }

        return any;
    }

    private static bool IsNamed(JsonProperty property, ReadOnlySpan<char> name)
    {
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8PropertyName(property);
        if (raw.IndexOf((byte)'\\') >= 0)
            return name.SequenceEqual(Unescape(raw));
        if (raw.Length < name.Length || raw.Length > 3 * name.Length)
            return false;
        Span<char> room = raw.Length <= 256 ? stackalloc char[raw.Length] : new char[raw.Length];
        return name.SequenceEqual(room[..Encoding.UTF8.GetChars(raw, room)]);
    }

    private static string Unescape(ReadOnlySpan<byte> raw)
    {
        int at = raw.IndexOf((byte)'\\');
        if (at < 0)
            return Encoding.UTF8.GetString(raw);
        ArrayBufferWriter<char> text = new(raw.Length);
        while (at >= 0)
        {
            Append(text, raw[..at]);
            raw = raw[(at + 1)..];
            byte kind = raw[0];
            raw = raw[1..];
            if (kind == 'u')
            {
                Put(text, (char)ushort.Parse(raw[..4], System.Globalization.NumberStyles.AllowHexSpecifier));
                raw = raw[4..];
            }
            else
            {
                Put(text, kind switch { (byte)'b' => '\b', (byte)'f' => '\f', (byte)'n' => '\n', (byte)'r' => '\r', (byte)'t' => '\t', _ => (char)kind });
            }

            at = raw.IndexOf((byte)'\\');
        }

        Append(text, raw);
        Span<char> all = MemoryMarshal.AsMemory(text.WrittenMemory).Span;
        for (int i = 0; i < all.Length; i++)
        {
            if (!char.IsSurrogate(all[i]))
                continue;
            if (char.IsHighSurrogate(all[i]) && i + 1 < all.Length && char.IsLowSurrogate(all[i + 1]))
                i++;
            else
                all[i] = '\uFFFD';
        }

        return new string(all);
    }

    private static void Append(ArrayBufferWriter<char> text, ReadOnlySpan<byte> utf8)
    {
        Span<char> room = text.GetSpan(utf8.Length + 1);
        text.Advance(Encoding.UTF8.GetChars(utf8, room));
    }

    private static void Put(ArrayBufferWriter<char> text, char c)
    {
        text.GetSpan(1)[0] = c;
        text.Advance(1);
    }
}
