using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Glimmer.Platform.Keys;

/// <summary>
/// The token form of a credential (spec: api.md §3.2): a JWT with <c>alg</c> HS256 whose payload names the key's id and
/// whose <c>exp</c> is in milliseconds, or in seconds when it is below 10¹¹.
/// </summary>
internal readonly struct SignedToken
{
    /// <summary>How far the client's clock may be off.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(3);

    private readonly string _text;
    private readonly byte[] _signature;

    private SignedToken(string text, byte[] signature, string keyId, DateTimeOffset expires)
    {
        _text = text;
        _signature = signature;
        KeyId = keyId;
        Expires = expires;
    }

    public string KeyId { get; }

    public DateTimeOffset Expires { get; }

    /// <summary>Reads a token of three parts; false when it is not one that this platform issues.</summary>
    public static bool TryParse(string text, out SignedToken token)
    {
        token = default;
        string[] parts = text.Split('.');
        if (parts.Length != 3
            || TryDecode(parts[0]) is not { } headerBytes
            || TryDecode(parts[1]) is not { } payloadBytes
            || TryDecode(parts[2]) is not { } signature
            || TryParseObject(headerBytes) is not { } header
            || TryParseObject(payloadBytes) is not { } payload)
        {
            return false;
        }

        if (!header.TryGetProperty("alg", out JsonElement algorithm) || !algorithm.ValueEqualsText("HS256")
            || (header.TryGetProperty("sign_type", out JsonElement signType) && !signType.ValueEqualsText("SIGN"))
            || !payload.TryGetProperty("api_key", out JsonElement id) || TryText(id) is not { } keyId
            || !payload.TryGetProperty("exp", out JsonElement exp) || !TryInstant(exp, out DateTimeOffset expires))
        {
            return false;
        }

        token = new SignedToken(text, signature, keyId, expires);
        return true;
    }

    /// <summary>Whether the signature is the HMAC of the first two parts, compared in constant time.</summary>
    public bool IsSignedWith(ReadOnlySpan<byte> secret)
    {
        byte[] signed = Encoding.ASCII.GetBytes(_text[.._text.LastIndexOf('.')]);
        return CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(secret, signed), _signature);
    }

    private static bool TryInstant(JsonElement value, out DateTimeOffset instant)
    {
        instant = default;
        const double LastSecond = 253402300799;
        if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out double number) || !double.IsFinite(number) || number < 0)
            return false;
        double seconds = number < 1e11 ? number : number / 1000;
        instant = DateTimeOffset.FromUnixTimeMilliseconds((long)(Math.Min(seconds, LastSecond) * 1000));
        return true;
    }

    private static string? TryText(JsonElement value)
    {
        try
        {
            return value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            // An escape that is half of a surrogate pair.
            return null;
        }
    }

    private static byte[]? TryDecode(string part)
    {
        try
        {
            return Base64Url.DecodeFromChars(part);
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static JsonElement? TryParseObject(byte[] json)
    {
        if (!Utf8.IsValid(json))
            return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 8 });
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>Comparing JSON values with texts without exceptions for other kinds.</summary>
internal static class JsonText
{
    public static bool ValueEqualsText(this JsonElement value, string text) =>
        value.ValueKind == JsonValueKind.String && value.ValueEquals(text);
}
