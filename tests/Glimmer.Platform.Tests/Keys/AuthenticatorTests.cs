using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Keys;

namespace Glimmer.Platform.Tests.Keys;

public sealed class AuthenticatorTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTime _time = new();
    private readonly KeyRing _ring;
    private readonly NewAccessKey _key;
    private readonly Authenticator _authenticator;

    public AuthenticatorTests()
    {
        _ring = KeyRing.Open(_folder.Path, _time);
        _key = _ring.Create("test");
        _authenticator = new Authenticator(_ring);
    }

    private string Secret => _key.Credential.Split('.')[1];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("Bearer {0}")]
    [InlineData("bearer   {0} ")]
    [InlineData("{0}")]
    public void A_key_is_taken_in_every_form_of_the_header(string form)
    {
        string header = string.Format(form, _key.Credential);
        Assert.Equal(_key.Key.Id, _authenticator.Authenticate(new Credentials(header)).Key?.Id);
        Assert.Equal(_key.Key.Id, _authenticator.Authenticate(new Credentials(null, header)).Key?.Id);
        Assert.Equal(_key.Key.Id, _authenticator.Authenticate(new Credentials("", null, header)).Key?.Id);
    }

    [Theory]
    [InlineData(null, 1001)]
    [InlineData("", 1001)]
    [InlineData("  ", 1001)]
    [InlineData("Bearer", 1001)]
    [InlineData("Bearer ", 1001)]
    [InlineData("nodot", 1002)]
    [InlineData(".x", 1002)]
    [InlineData("x.", 1002)]
    [InlineData("a.b.c.d", 1002)]
    [InlineData("a.b.c", 1002)]
    [InlineData("Basic dXNlcg==", 1002)]
    [InlineData("deadbeef.secret", 1000)]
    public void A_bad_credential_has_its_code(string? header, int code)
    {
        Authentication result = _authenticator.Authenticate(new Credentials(header));
        Assert.Null(result.Key);
        Assert.Equal(code, (int)result.Error!.Code);
        Assert.Equal(401, result.Error.Status);
    }

    [Fact]
    public void A_wrong_secret_and_a_huge_credential_are_refused()
    {
        Assert.Equal(1000, Code($"{_key.Key.Id}.{Secret[..^1]}_"));
        Assert.Equal(1000, Code($"{_key.Key.Id}.{Secret}x"));
        Assert.Equal(1002, Code(new string('a', 5000) + ".b"));
    }

    [Fact]
    public void Switched_off_expired_and_deleted_keys_stop_to_work()
    {
        NewAccessKey brief = _ring.Create("brief", _time.GetUtcNow().AddMinutes(1));
        Assert.Equal(0, Code(brief.Credential));
        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(1003, Code(brief.Credential));
        Assert.True(_ring.SetDisabled(_key.Key.Id, true));
        Assert.Equal(1000, Code(_key.Credential));
        Assert.Equal(1004, Code(Token()));
        Assert.True(_ring.SetDisabled(_key.Key.Id, false));
        Assert.Equal(0, Code(_key.Credential));
        Assert.True(_ring.Delete(_key.Key.Id));
        Assert.Equal(1000, Code(_key.Credential));
        Assert.False(_ring.Delete(_key.Key.Id));
        Assert.False(_ring.SetDisabled("nobody", true));
    }

    public static TheoryData<string, string, int> Tokens => new()
    {
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS+210000,"timestamp":MS}""", 0 },
        { """{"alg":"HS256","sign_type":"SIGN","typ":"JWT"}""", """{"api_key":"ID","exp":MS+210000,"timestamp":MS}""", 0 },
        { """{"alg":"HS256"}""", """{"api_key":"ID","exp":S+60}""", 0 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS-60000}""", 0 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":S-60}""", 0 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS-181000}""", 1003 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":S-181}""", 1003 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"ID","exp":9e99}""", 0 },
        { """{"alg":"HS256","sign_type":"SIGN"}""", """{"api_key":"other","exp":MS+1000}""", 1004 },
        { """{"alg":"none","sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """{"alg":"HS512","sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """{"alg":"HS256","sign_type":"SEAL"}""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """{"sign_type":"SIGN"}""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """{"alg":"HS256"}""", """{"api_key":"ID"}""", 1002 },
        { """{"alg":"HS256"}""", """{"exp":MS+1000}""", 1002 },
        { """{"alg":"HS256"}""", """{"api_key":5,"exp":MS+1000}""", 1002 },
        { """{"alg":"HS256"}""", """{"api_key":"ID","exp":"soon"}""", 1002 },
        { """{"alg":"HS256"}""", """{"api_key":"\ud800","exp":MS+1000}""", 1002 },
        { """{"alg":5}""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """[]""", """{"api_key":"ID","exp":MS+1000}""", 1002 },
        { """{"alg":"HS256"}""", """not json""", 1002 },
    };

    [Theory]
    [MemberData(nameof(Tokens))]
    public void Tokens_of_both_clients_are_taken_and_others_refused(string header, string payload, int code) =>
        Assert.Equal(code, Code("Bearer " + Token(header, payload)));

    [Fact]
    public void A_wrong_signature_is_refused()
    {
        string token = Token();
        Assert.Equal(0, Code(token));
        Assert.Equal(1004, Code(Token(secret: "wrong")));
        Assert.Equal(1004, Code(token[..token.LastIndexOf('.')] + "."));
        Assert.Equal(1002, Code(token + "!"));
    }

    [Fact]
    public void Random_credentials_never_throw_and_never_pass()
    {
        var random = new Random(9);
        string token = Token();
        for (int i = 0; i < 3000; i++)
        {
            char[] text = (random.Next(2) == 0 ? token : _key.Credential).ToCharArray();
            text[random.Next(text.Length)] = (char)random.Next(random.Next(2) == 0 ? 128 : 0xFFFF);
            string credential = new(text);
            if (credential.Trim() != token && credential.Trim() != _key.Credential && Code(credential) == 0)
            {
                // The last character of a base64 signature has bits that count for nothing.
                Assert.Equal(token[..^1], credential[..^1]);
            }
        }
    }

    private int Code(string header) => (int?)_authenticator.Authenticate(new Credentials(header)).Error?.Code ?? 0;

    private string Token(
        string header = """{"alg":"HS256","sign_type":"SIGN"}""", string payload = """{"api_key":"ID","exp":MS+210000,"timestamp":MS}""", string? secret = null)
    {
        long now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        payload = payload.Replace("ID", _key.Key.Id, StringComparison.Ordinal);
        payload = Shift(Shift(payload, "MS", now), "S", now / 1000);

        string signed = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header)) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload));
        byte[] signature = HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret ?? Secret), Encoding.ASCII.GetBytes(signed));
        return signed + "." + Base64Url.EncodeToString(signature);
    }

    /// <summary>Replaces <c>MS+60</c> by a number, and the like.</summary>
    private static string Shift(string payload, string unit, long value)
    {
        int at = payload.IndexOf($":{unit}", StringComparison.Ordinal);
        while (at >= 0)
        {
            int end = payload.IndexOfAny([',', '}'], at);
            string rest = payload[(at + 1 + unit.Length)..end];
            payload = string.Concat(payload.AsSpan(0, at + 1), $"{value + (rest.Length == 0 ? 0 : long.Parse(rest))}", payload.AsSpan(end));
            at = payload.IndexOf($":{unit}", StringComparison.Ordinal);
        }

        return payload;
    }
}
