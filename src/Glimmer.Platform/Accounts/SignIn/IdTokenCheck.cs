using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>
/// Checks an OpenID Connect ID token (OpenID Connect Core 1.0, section 3.1.3.7): signature by one of the provider's keys
/// (RS256 or ES256, nothing else), issuer, audience, times and nonce.
/// </summary>
internal static class IdTokenCheck
{
    /// <summary>Longest token that is read.</summary>
    public const int MaxLength = 32_768;

    private const int Skew = 300;

    /// <summary>The id of the key that a token names; null when it names none.</summary>
    public static string? KeyId(string token) => Parts(token) is { } parts ? parts.Header.Text("kid") : null;

    /// <summary>The claims of a good token.</summary>
    /// <exception cref="ProviderException">The token is not good; the message says why.</exception>
    public static JsonElement Check(string token, JsonElement keys, string issuer, string clientId, string nonce, DateTimeOffset now)
    {
        if (Parts(token) is not { } parts)
            throw new ProviderException("The ID token is not a signed token.");
        string algorithm = parts.Header.Text("alg") ?? "";
        if (algorithm is not ("RS256" or "ES256"))
            throw new ProviderException($"The ID token is signed by {(algorithm.Length is > 0 and < 20 ? algorithm : "an unknown algorithm")}; RS256 or ES256 is needed.");
        string? keyId = parts.Header.Text("kid");
        byte[] signed = Encoding.ASCII.GetBytes(token[..token.LastIndexOf('.')]);
        bool genuine = keys.ValueKind == JsonValueKind.Object && keys.TryGetProperty("keys", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().Take(100).Any(key => (keyId is null || key.Text("kid") == keyId) && (key.Text("use") ?? "sig") == "sig" && Verify(key, algorithm, signed, parts.Signature));
        if (!genuine)
            throw new ProviderException("The ID token's signature is not by a key of the provider.");

        JsonElement claims = parts.Claims;
        long seconds = now.ToUnixTimeSeconds();
        if (claims.Text("iss") != issuer)
            throw new ProviderException("The ID token is by another issuer.");
        if (!IsFor(claims, clientId))
            throw new ProviderException("The ID token is for another client.");
        if (Seconds(claims, "exp") is not { } expires || expires + Skew <= seconds)
            throw new ProviderException("The ID token has expired.");
        if (Seconds(claims, "iat") is { } issued && issued - Skew > seconds)
            throw new ProviderException("The ID token comes from the future.");
        if (claims.Text("nonce") is not { } said || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(said), Encoding.UTF8.GetBytes(nonce)))
            throw new ProviderException("The ID token belongs to another login.");
        if (claims.Text("sub") is not { Length: > 0 and <= 255 })
            throw new ProviderException("The ID token names nobody.");
        return claims;
    }

    private static (JsonElement Header, JsonElement Claims, byte[] Signature)? Parts(string token)
    {
        string[] parts = token.Split('.');
        if (token.Length > MaxLength || parts.Length != 3)
            return null;
        try
        {
            using JsonDocument header = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[0]), new JsonDocumentOptions { MaxDepth = 8 });
            using JsonDocument claims = JsonDocument.Parse(Base64Url.DecodeFromChars(parts[1]), new JsonDocumentOptions { MaxDepth = 16 });
            return (header.RootElement.Clone(), claims.RootElement.Clone(), Base64Url.DecodeFromChars(parts[2]));
        }
        catch (Exception fault) when (fault is FormatException or JsonException)
        {
            return null;
        }
    }

    private static bool IsFor(JsonElement claims, string clientId)
    {
        if (claims.ValueKind != JsonValueKind.Object || !claims.TryGetProperty("aud", out JsonElement audience))
            return false;
        if (audience.ValueKind == JsonValueKind.String)
            return audience.ValueEquals(clientId) && (claims.Text("azp") ?? clientId) == clientId;
        return audience.ValueKind == JsonValueKind.Array
            && audience.EnumerateArray().Any(entry => entry.ValueKind == JsonValueKind.String && entry.ValueEquals(clientId))
            && (audience.GetArrayLength() == 1 || claims.Text("azp") == clientId);
    }

    private static long? Seconds(JsonElement claims, string name) =>
        claims.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number is > 0 and < 1e12 ? (long)number : null;

    private static bool Verify(JsonElement key, string algorithm, byte[] signed, byte[] signature)
    {
        try
        {
            if (algorithm == "RS256" && key.Text("kty") == "RSA" && key.Text("n") is { } n && key.Text("e") is { } e)
            {
                byte[] modulus = Base64Url.DecodeFromChars(n);
                if (modulus.Length is < 256 or > 1024)
                    return false;
                using var rsa = RSA.Create(new RSAParameters { Modulus = modulus, Exponent = Base64Url.DecodeFromChars(e) });
                return rsa.VerifyData(signed, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
            }

            if (algorithm == "ES256" && key.Text("kty") == "EC" && key.Text("crv") == "P-256" && key.Text("x") is { } x && key.Text("y") is { } y)
            {
                using var curve = ECDsa.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = Base64Url.DecodeFromChars(x), Y = Base64Url.DecodeFromChars(y) } });
                return curve.VerifyData(signed, signature, HashAlgorithmName.SHA256);
            }
        }
        catch (Exception fault) when (fault is CryptographicException or FormatException or ArgumentException)
        {
            // A key that is none signs nothing.
        }

        return false;
    }
}
