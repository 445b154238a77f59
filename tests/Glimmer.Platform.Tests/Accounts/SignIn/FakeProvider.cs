using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Accounts.SignIn;

/// <summary>An OpenID Connect provider (and a GitHub) on loopback whose every answer a test can spoil.</summary>
internal sealed class FakeProvider : IDisposable
{
    private readonly HttpListener _listener = new();
    private readonly RSA _rsa = RSA.Create(2048);
    private readonly ECDsa _curve = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public FakeProvider()
    {
        Address = new Uri($"http://127.0.0.1:{LoopbackPorts.Take()}/");
        _listener.Prefixes.Add(Address.AbsoluteUri);
        _listener.Start();
        _ = Task.Run(LoopAsync);
    }

    public Uri Address { get; }

    public string Issuer => Address.AbsoluteUri.TrimEnd('/');

    public string Algorithm { get; set; } = "RS256";

    public string KeyId { get; set; } = "k1";

    public int Discoveries { get; private set; }

    public DateTimeOffset Now { get; set; }

    /// <summary>What the browser was sent here with.</summary>
    public Dictionary<string, string> Asked { get; private set; } = [];

    /// <summary>What the token endpoint was sent.</summary>
    public Dictionary<string, string> Form { get; private set; } = [];

    public Action<JsonObject> SpoilDocument { get; set; } = _ => { };

    public Action<JsonObject> SpoilClaims { get; set; } = _ => { };

    public Func<string, string> SpoilToken { get; set; } = token => token;

    public JsonNode Emails { get; set; } = new JsonArray(new JsonObject { ["email"] = "hub@example.com", ["primary"] = true, ["verified"] = true });

    /// <summary>Reads the redirect as the provider's page would; gives the state to come back with.</summary>
    public string Visit(Uri redirect)
    {
        Asked = redirect.Query.TrimStart('?').Split('&').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => Uri.UnescapeDataString(pair[1]));
        return Asked["state"];
    }

    public void Dispose()
    {
        _listener.Close();
        _rsa.Dispose();
        _curve.Dispose();
    }

    private async Task LoopAsync()
    {
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception fault) when (fault is HttpListenerException or ObjectDisposedException)
            {
                return;
            }

            JsonNode? answer = await AnswerAsync(context.Request);
            context.Response.StatusCode = answer is null ? 404 : 200;
            byte[] body = Encoding.UTF8.GetBytes(answer?.ToJsonString() ?? "{}");
            await context.Response.OutputStream.WriteAsync(body);
            context.Response.Close();
        }
    }

    private async Task<JsonNode?> AnswerAsync(HttpListenerRequest request)
    {
        switch (request.Url!.AbsolutePath)
        {
            case "/.well-known/openid-configuration":
                Discoveries++;
                var document = new JsonObject
                {
                    ["issuer"] = Issuer,
                    ["authorization_endpoint"] = $"{Issuer}/authorize",
                    ["token_endpoint"] = $"{Issuer}/token",
                    ["jwks_uri"] = $"{Issuer}/keys",
                    ["token_endpoint_auth_methods_supported"] = new JsonArray("client_secret_post"),
                };
                SpoilDocument(document);
                return document;
            case "/keys":
                RSAParameters rsa = _rsa.ExportParameters(false);
                ECParameters curve = _curve.ExportParameters(false);
                return new JsonObject
                {
                    ["keys"] = new JsonArray(
                        new JsonObject { ["kty"] = "RSA", ["kid"] = KeyId, ["use"] = "sig", ["n"] = Base64Url.EncodeToString(rsa.Modulus), ["e"] = Base64Url.EncodeToString(rsa.Exponent) },
                        new JsonObject { ["kty"] = "EC", ["kid"] = KeyId, ["crv"] = "P-256", ["x"] = Base64Url.EncodeToString(curve.Q.X), ["y"] = Base64Url.EncodeToString(curve.Q.Y) },
                        new JsonObject { ["kty"] = "oct", ["kid"] = KeyId, ["k"] = "AAAA" },
                        "nonsense"),
                };
            case "/token" or "/login/oauth/access_token":
                using (var reader = new StreamReader(request.InputStream))
                    Form = (await reader.ReadToEndAsync()).Split('&').Select(pair => pair.Split('=', 2)).ToDictionary(pair => pair[0], pair => Uri.UnescapeDataString(pair[1]));
                string challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(Form["code_verifier"])));
                if (Form["code"] != "good" || challenge != Asked["code_challenge"] || Form["client_secret"] != "secret")
                    return null;
                return request.Url.AbsolutePath == "/token" ? new JsonObject { ["id_token"] = SpoilToken(Token()) } : new JsonObject { ["access_token"] = "at" };
            case "/user" when request.Headers["Authorization"] == "Bearer at":
                return new JsonObject { ["id"] = 4711, ["login"] = "octo", ["name"] = null };
            case "/user/emails" when request.Headers["Authorization"] == "Bearer at":
                return Emails.DeepClone();
            default:
                return null;
        }
    }

    private string Token()
    {
        long now = Now.ToUnixTimeSeconds();
        var claims = new JsonObject
        {
            ["iss"] = Issuer,
            ["aud"] = "client",
            ["sub"] = "subject-1",
            ["exp"] = now + 600,
            ["iat"] = now,
            ["nonce"] = Asked["nonce"],
            ["email"] = "ada@example.com",
            ["email_verified"] = true,
            ["name"] = "Ada",
        };
        SpoilClaims(claims);
        string signed = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(new JsonObject { ["alg"] = Algorithm, ["kid"] = KeyId })) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims.ToJsonString()));
        byte[] bytes = Encoding.ASCII.GetBytes(signed);
        byte[] signature = Algorithm switch
        {
            "RS256" => _rsa.SignData(bytes, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            "ES256" => _curve.SignData(bytes, HashAlgorithmName.SHA256),
            "HS256" => HMACSHA256.HashData(_rsa.ExportParameters(false).Modulus!, bytes),
            _ => [],
        };
        return signed + "." + Base64Url.EncodeToString(signature);
    }
}
