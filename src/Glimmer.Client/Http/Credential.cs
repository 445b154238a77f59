using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Client;

/// <summary>What goes into <c>Authorization</c>: the key, or tokens that its secret signs (spec: api.md §3.2).</summary>
internal sealed class Credential
{
    private static readonly TimeSpan RenewBefore = TimeSpan.FromSeconds(30);
    private readonly string _key;
    private readonly string? _id;
    private readonly byte[] _secret = [];
    private readonly TimeSpan _lifetime;
    private readonly TimeProvider _time;
    private volatile Signed? _signed;

    public Credential(string key, GlimmerClientOptions options)
    {
        _key = key;
        _lifetime = options.TokenLifetime;
        _time = options.Time;
        if (!options.SignTokens)
            return;
        string[] parts = key.Split('.');
        if (parts.Length != 2 || parts[0].Length == 0 || parts[1].Length == 0)
            throw new ArgumentException("Tokens can only be signed with a key of the form id.secret.", nameof(key));
        if (_lifetime <= RenewBefore)
            throw new ArgumentException($"{nameof(GlimmerClientOptions.TokenLifetime)} must be longer than {RenewBefore.TotalSeconds} s.", nameof(options));
        _id = parts[0];
        _secret = Encoding.UTF8.GetBytes(parts[1]);
    }

    /// <summary>The key or a token that is valid for half a minute at least.</summary>
    public string Current()
    {
        if (_id is null)
            return _key;
        DateTimeOffset now = _time.GetUtcNow();
        if (_signed is { } signed && now < signed.Renew && now >= signed.Made)
            return signed.Token;
        var made = new Signed(Sign(_id, now.ToUnixTimeMilliseconds(), (now + _lifetime).ToUnixTimeMilliseconds()), now, now + _lifetime - RenewBefore);
        _signed = made;
        return made.Token;
    }

    private string Sign(string id, long now, long expires)
    {
        string head = Base64Url.EncodeToString("""{"alg":"HS256","sign_type":"SIGN"}"""u8);
        string payload = string.Create(CultureInfo.InvariantCulture, $$"""{"api_key":"{{System.Text.Json.JsonEncodedText.Encode(id)}}","exp":{{expires}},"timestamp":{{now}}}""");
        string signed = $"{head}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload))}";
        return $"{signed}.{Base64Url.EncodeToString(HMACSHA256.HashData(_secret, Encoding.ASCII.GetBytes(signed)))}";
    }

    private sealed record Signed(string Token, DateTimeOffset Made, DateTimeOffset Renew);
}
