using System.Net;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Accounts;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Keys;

/// <summary>The places of a request where a credential may stand.</summary>
/// <param name="Authorization">Header <c>Authorization</c>, with or without <c>Bearer</c>.</param>
/// <param name="ApiKeyHeader">Header <c>x-api-key</c>.</param>
/// <param name="Query">Query parameter <c>Authorization</c>.</param>
/// <param name="Address">Where the request comes from, for keys bound to networks; null when nobody knows.</param>
public readonly record struct Credentials(string? Authorization, string? ApiKeyHeader = null, string? Query = null, IPAddress? Address = null);

/// <summary>Who asks, or why the credential was refused.</summary>
/// <param name="Key">The key when it is good.</param>
/// <param name="Error">Codes 1000 to 1004 when it is not.</param>
public readonly record struct Authentication(AccessKey? Key, PlatformError? Error);

/// <summary>
/// Checks credentials (spec: api.md §3). 1001: there is none. 1002: it is neither a key nor a token. 1000: it is a key,
/// but unknown, wrong or switched off. 1003: key or token has expired. 1004: it is a token, but its key is unknown or
/// switched off, or its signature is wrong. No message tells which part of a key was wrong. A good key is then refused
/// where it is bound to other networks (1220) and where its account may not call (1110 to 1121).
/// </summary>
public sealed class Authenticator
{
    private static readonly KeyEntry _nobody = new() { Index = default, Name = "" };
    private readonly IKeySource _keys;

    /// <summary>With the keys of a file.</summary>
    public Authenticator(KeyRing keys) => _keys = keys;

    /// <summary>With the keys of all accounts.</summary>
    public Authenticator(AccountDirectory accounts) => _keys = accounts;

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
            1 => CheckKey(credential, credentials.Address),
            2 => CheckToken(credential, credentials.Address),
            _ => Refuse(BusinessCode.TokenInvalid),
        };
    }

    /// <summary>
    /// Lets a caller in without a credential, as the key of this public id: for places where something else tells who calls. All that can refuse the
    /// key itself still does.
    /// </summary>
    /// <param name="keyId">Public id of the key.</param>
    /// <param name="address">Where the request comes from; null when nobody knows.</param>
    public Authentication Trust(string keyId, IPAddress? address) =>
        _keys.Find(keyId) is { Disabled: false } key ? Accept(key, address) : Refuse(BusinessCode.AuthenticationFailed);

    /// <summary>Whether a key that gave work earlier may still have it done: it exists, is switched on and its account may call. Networks do not count.</summary>
    /// <param name="id">Public id of the key.</param>
    public Authentication AuthenticateId(string id)
    {
        if (_keys.Find(id) is not { Disabled: false } key)
            return Refuse(BusinessCode.AuthenticationFailed);
        if (key.Expires <= _keys.Now)
            return Refuse(BusinessCode.TokenExpired);
        return _keys.CheckAccount(key) is { } refused ? new Authentication(null, refused) : new Authentication(key.Key, null);
    }

    private Authentication CheckKey(string credential, IPAddress? address)
    {
        int dot = credential.IndexOf('.', StringComparison.Ordinal);
        if (dot == 0 || dot == credential.Length - 1)
            return Refuse(BusinessCode.TokenInvalid);
        KeyEntry? key = _keys.Find(credential.AsSpan(0, dot));

        // An unknown id costs the same hash and comparison as a known one.
        Span<byte> secret = stackalloc byte[256];
        int length = credential.Length - dot - 1;
        secret = length > 80 ? Encoding.UTF8.GetBytes(credential[(dot + 1)..]) : secret[..Encoding.UTF8.GetBytes(credential.AsSpan(dot + 1), secret)];
        bool matches = (key ?? _nobody).Matches(secret, _keys.Now);
        CryptographicOperations.ZeroMemory(secret);
        return matches && key is { Disabled: false } ? Accept(key, address) : Refuse(BusinessCode.AuthenticationFailed);
    }

    private Authentication CheckToken(string credential, IPAddress? address)
    {
        if (!SignedToken.TryParse(credential, out SignedToken token))
            return Refuse(BusinessCode.TokenInvalid);
        if (_keys.Find(token.KeyId) is not { Disabled: false } key || !key.Signed(token, _keys.Seal, _keys.Now))
            return Refuse(BusinessCode.TokenRejected);
        return token.Expires.ToUnixTimeMilliseconds() < _keys.Now - (long)SignedToken.ClockSkew.TotalMilliseconds ? Refuse(BusinessCode.TokenExpired) : Accept(key, address);
    }

    private Authentication Accept(KeyEntry key, IPAddress? address)
    {
        if (key.Expires <= _keys.Now)
            return Refuse(BusinessCode.TokenExpired);
        if (key.Extras is { } extras && !extras.Rules.AllowsAddress(address))
        {
            return new Authentication(null, new PlatformError(BusinessCode.ApiForbidden, "This key may not be used from this address. Call from an allowed one, or change the key's list of networks.")
            {
                Chinese = "该 API Key 不允许从当前 IP 地址调用，请更换网络或修改该 Key 的 IP 白名单",
            });
        }

        if (_keys.CheckAccount(key) is { } refused)
            return new Authentication(null, refused);
        _keys.Used(key);
        return new Authentication(key.Key, null);
    }

    private static Authentication Refuse(BusinessCode code) => new(null, PlatformError.Of(code));

    private static string Strip(string? value)
    {
        ReadOnlySpan<char> text = value.AsSpan().Trim();
        if (text.StartsWith("Bearer", StringComparison.OrdinalIgnoreCase) && (text.Length == 6 || char.IsWhiteSpace(text[6])))
            text = text[6..].Trim();
        return text.ToString();
    }
}
