using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Glimmer.Dialogue.Conversations;

/// <summary>
/// JSON may spell half of a surrogate pair (<c>"\ud800"</c>), which is no character; the library's accessors of strings and names throw
/// on it. Here it becomes U+FFFD, as everywhere in Glimmer.
/// </summary>
public static class LoneSurrogates
{
    private const int EscapeLength = 6;

    /// <summary>The value without such halves; the value itself when it has none.</summary>
    public static JsonElement Replace(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Undefined)
            return value;
        ReadOnlySpan<byte> raw = JsonMarshal.GetRawUtf8Value(value);
        if (Find(raw, 0) < 0)
            return value;
        byte[] mended = raw.ToArray();
        Replace(mended);
        using JsonDocument document = JsonDocument.Parse(mended, new JsonDocumentOptions { MaxDepth = int.MaxValue });
        return document.RootElement.Clone();
    }

    /// <summary>Replaces them in the text of a JSON value, in place: the escape of U+FFFD has the same length.</summary>
    public static void Replace(Span<byte> json)
    {
        for (int at = Find(json, 0); at >= 0; at = Find(json, at + EscapeLength))
            "\\ufffd"u8.CopyTo(json[at..]);
    }

    // Where the next half begins, −1 when there is none.
    private static int Find(ReadOnlySpan<byte> json, int at)
    {
        while (at < json.Length)
        {
            int next = json[at..].IndexOf((byte)'\\');
            if (next < 0)
                return -1;
            at += next;
            if (!TryReadEscape(json, at, out char unit))
                at += 2;
            else if (char.IsHighSurrogate(unit) && TryReadEscape(json, at + EscapeLength, out char second) && char.IsLowSurrogate(second))
                at += 2 * EscapeLength;
            else if (char.IsSurrogate(unit))
                return at;
            else
                at += EscapeLength;
        }

        return -1;
    }

    private static bool TryReadEscape(ReadOnlySpan<byte> json, int at, out char unit)
    {
        unit = '\0';
        if (at + EscapeLength > json.Length || json[at] != (byte)'\\' || json[at + 1] != (byte)'u'
            || !ushort.TryParse(json.Slice(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort value))
            return false;
        unit = (char)value;
        return true;
    }
}
