using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>
/// Puts together what services tear apart: those that cut texts by UTF-16, as programs in JavaScript and Java do, send one half of a surrogate pair with one event and
/// the other with the next. A half that stays alone is no Unicode.
/// </summary>
internal struct TextPieces
{
    private char _half;

    /// <summary>Whether a half waits for its other.</summary>
    public readonly bool IsOpen => _half != 0;

    /// <summary>The next piece, with the half before it and without one that is left over.</summary>
    /// <exception cref="UpstreamFaultException">A half has no other.</exception>
    public string Join(string text)
    {
        if (text.Length == 0 || (_half == 0 && IsPlain(text)))
            return text;
        string whole = _half == 0 ? text : _half + text;
        _half = char.IsHighSurrogate(whole[^1]) ? whole[^1] : '\0';
        if (_half != 0)
            whole = whole[..^1];
        for (ReadOnlySpan<char> rest = whole; rest.Length > 0;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out int length) != OperationStatus.Done)
                throw Broken();
            rest = rest[length..];
        }

        return whole;
    }

    /// <summary>The error of a half without another.</summary>
    public static UpstreamFaultException Broken() => new("it sent an event that is not Unicode");

    /// <summary>The text of a string, halves of pairs included, which the reader itself refuses.</summary>
    public static string Read(ref Utf8JsonReader json)
    {
        ReadOnlySpan<byte> raw = json.ValueSpan;
        return json.ValueIsEscaped && (raw.IndexOf("\\ud"u8) >= 0 || raw.IndexOf("\\uD"u8) >= 0) ? Unescape(raw) : json.GetString()!;
    }

    /// <summary>Whether a text has no surrogates at all.</summary>
    private static bool IsPlain(string text)
    {
        foreach (char sign in text)
        {
            if (char.IsSurrogate(sign))
                return false;
        }

        return true;
    }

    /// <summary>Undoes the escapes of a string that the reader has found well formed.</summary>
    private static string Unescape(ReadOnlySpan<byte> raw)
    {
        if (!Utf8.IsValid(raw))
            throw Broken();
        StringBuilder text = new(raw.Length);
        while (raw.IndexOf((byte)'\\') is >= 0 and var at)
        {
            text.Append(Encoding.UTF8.GetString(raw[..at]));
            byte kind = raw[at + 1];
            text.Append(kind switch
            {
                (byte)'b' => '\b',
                (byte)'f' => '\f',
                (byte)'n' => '\n',
                (byte)'r' => '\r',
                (byte)'t' => '\t',
                (byte)'u' => (char)ushort.Parse(raw.Slice(at + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture),
                _ => (char)kind,
            });
            raw = raw[(at + (kind == (byte)'u' ? 6 : 2))..];
        }

        return text.Append(Encoding.UTF8.GetString(raw)).ToString();
    }
}
