using System.Security.Cryptography;
using System.Text;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Keys;

/// <summary>The places of a request where a credential may stand.</summary>
/// <param name="Authorization">Header <c>Authorization</c>, with or without <c>Bearer</c>.</param>
/// <param name="ApiKeyHeader">Header <c>x-api-key</c>.</param>
/// <param name="Query">Query parameter <c>Authorization</c>.</param>
public readonly record struct Credentials(string? Authorization, string? ApiKeyHeader = null, string? Query = null);

/// <summary>Who asks, or why the credential was refused.</summary>
/// <param name="Key">The key when it is good.</param>
/// <param name="Error">Codes 1000 to 1004 when it is not.</param>
public readonly record struct Authentication(AccessKey? Key, PlatformError? Error);

/// <summary>
/// Checks credentials (spec: api.md §3). 1001: there is none. 1002: it is neither a key nor a token. 1000: it is a key,
/// but unknown, wrong or switched off. 1003: key or token has expired. 1004: it is a token, but its key is unknown or
/// switched off, or its signature is wrong. No message tells which part of a key was wrong.
/// </summary>
public sealed class Authenticator(KeyRing keys)
{
    private const int MaxCredentialLength = 4096;

    /// <summary>Who sends these credentials. The header wins over <c>x-api-key</c>, which wins over the query.</summary>
    public Authentication Authenticate(in Credentials credentials)
    {
        string credential = Strip(credentials.Authorization);
        if (credential.Length == 0)
            credential = Strip(credentials.ApiKeyHeader);
        if (credential.Length == 0)
            credential = Strip(credentials.Query);
        if (credential.Length == 0)
            return Refuse(BusinessCode.CredentialMissing);
        if (credential.Length > MaxCredentialLength)
            return Refuse(BusinessCode.TokenInvalid);

        return credential.AsSpan().Count('.') switch
        {
            1 => CheckKey(credential),
            2 => CheckToken(credential),
            _ => Refuse(BusinessCode.TokenInvalid),
        };
    }

    private Authentication CheckKey(string credential)
    {
        int dot = credential.IndexOf('.', StringComparison.Ordinal);
        if (dot == 0 || dot == credential.Length - 1)
            return Refuse(BusinessCode.TokenInvalid);
        StoredKey? key = keys.Find(credential[..dot]);

        // An unknown id costs the same hash and comparison as a known one.
        ReadOnlySpan<byte> salt = key?.Salt ?? NoKey;
        ReadOnlySpan<byte> expected = key?.Hash ?? NoKey;
        byte[] actual = KeySecrets.Hash(salt, Encoding.UTF8.GetBytes(credential[(dot + 1)..]));
        if (!CryptographicOperations.FixedTimeEquals(expected, actual) || key is null || key.Disabled)
            return Refuse(BusinessCode.AuthenticationFailed);
        return Accept(key);
    }

    private Authentication CheckToken(string credential)
    {
        if (!SignedToken.TryParse(credential, out SignedToken token))
            return Refuse(BusinessCode.TokenInvalid);
        if (keys.Find(token.KeyId) is not { Disabled: false } key || keys.OpenSecret(key) is not { } secret)
            return Refuse(BusinessCode.TokenRejected);
        bool genuine = token.IsSignedWith(secret);
        CryptographicOperations.ZeroMemory(secret);
        if (!genuine)
            return Refuse(BusinessCode.TokenRejected);
        return token.Expires < keys.Now - SignedToken.ClockSkew ? Refuse(BusinessCode.TokenExpired) : Accept(key);
    }

    private Authentication Accept(StoredKey key) =>
        key.Expires <= keys.Now ? Refuse(BusinessCode.TokenExpired) : new Authentication(key.ToAccessKey(), null);

    private static byte[] NoKey { get; } = new byte[32];

    private static Authentication Refuse(BusinessCode code) => new(null, PlatformError.Of(code));

    private static string Strip(string? value)
    {
        ReadOnlySpan<char> text = value.AsSpan().Trim();
        if (text.StartsWith("Bearer", StringComparison.OrdinalIgnoreCase) && (text.Length == 6 || char.IsWhiteSpace(text[6])))
            text = text[6..].Trim();
        return text.ToString();
    }
}
