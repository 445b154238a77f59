using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>The first half of a login elsewhere.</summary>
/// <param name="Redirect">Where to send the browser.</param>
/// <param name="Cookie">What the browser must bring back; sealed, so that it can keep nothing readable.</param>
public sealed record ProviderStart(Uri Redirect, string Cookie);

/// <summary>
/// Login by OpenID Connect (authorisation code with state, nonce and PKCE) or GitHub's OAuth 2. What belongs to a login
/// under way stands sealed in the browser's cookie, so that any node can finish it and nothing piles up here.
/// </summary>
public sealed class ProviderLogin : IDisposable
{
    /// <summary>How long a login may take.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan _fresh = TimeSpan.FromHours(1);
    private static readonly TimeSpan _renewEvery = TimeSpan.FromMinutes(1);
    private readonly SignInService _signIn;
    private readonly PlatformAccounts _accounts;
    private readonly ProviderClient _client;
    private readonly ConcurrentDictionary<string, Discovery> _discovered = new(StringComparer.Ordinal);

    /// <summary>With the service that makes the sessions.</summary>
    public ProviderLogin(SignInService signIn, PlatformAccounts accounts)
        : this(signIn, accounts, null)
    {
    }

    internal ProviderLogin(SignInService signIn, PlatformAccounts accounts, HttpMessageHandler? handler)
    {
        _signIn = signIn;
        _accounts = accounts;
        _client = new ProviderClient(handler);
    }

    private DateTimeOffset Now => _accounts.Store.Time.GetUtcNow();

    /// <summary>Begins a login.</summary>
    /// <param name="provider">Name of the provider.</param>
    /// <param name="returnTo">Path of this platform to go to afterwards.</param>
    /// <param name="cancel">Ends the wait for the provider.</param>
    /// <exception cref="ProviderException">The provider cannot be reached or is not one.</exception>
    public async Task<Outcome<ProviderStart>> StartAsync(string provider, string? returnTo, CancellationToken cancel)
    {
        if (Find(provider) is not { } place)
            return AccountErrors.Missing("login provider", "登录方式");
        string state = Sessions.NewToken();
        string nonce = Sessions.NewToken();
        string verifier = Sessions.NewToken();
        string challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier)));
        var query = new List<(string, string)>
        {
            ("client_id", place.ClientId), ("redirect_uri", Callback(place).AbsoluteUri), ("state", state), ("code_challenge", challenge), ("code_challenge_method", "S256"), ("response_type", "code"),
        };
        Uri page;
        if (place.Issuer is null)
        {
            page = new Uri(place.GitHubWeb, "login/oauth/authorize");
            query.Add(("scope", "read:user user:email"));
        }
        else
        {
            page = (await DiscoverAsync(place, cancel)).Authorization;
            query.Add(("scope", "openid email profile"));
            query.Add(("nonce", nonce));
        }

        string text = string.Join('&', query.Select(pair => $"{pair.Item1}={Uri.EscapeDataString(pair.Item2)}"));
        string[] kept = [place.Name, state, nonce, verifier, SafePath(returnTo), $"{(Now + Patience).ToUnixTimeSeconds()}"];
        byte[] box = _accounts.Seal.Seal("login", Encoding.UTF8.GetBytes(string.Join('\n', kept)));
        return new ProviderStart(new Uri(page.AbsoluteUri + (page.Query.Length == 0 ? "?" : "&") + text), Base64Url.EncodeToString(box));
    }

    /// <summary>Ends a login: checks that it is the one begun, asks the provider who it is, and makes a session.</summary>
    /// <param name="provider">Name of the provider.</param>
    /// <param name="code">What the provider sent along.</param>
    /// <param name="state">What came back of ours.</param>
    /// <param name="cookie">The cookie of the start.</param>
    /// <param name="language">Language for a new user.</param>
    /// <param name="address">Where the browser is.</param>
    /// <param name="cancel">Ends the wait for the provider.</param>
    /// <exception cref="ProviderException">The provider cannot be reached, or its answer is not good.</exception>
    public async Task<Outcome<(NewSession Session, string ReturnTo)>> FinishAsync(
        string provider, string? code, string? state, string? cookie, string language, IPAddress? address, CancellationToken cancel)
    {
        if (Find(provider) is not { } place)
            return AccountErrors.Missing("login provider", "登录方式");
        if (string.IsNullOrEmpty(code) || code.Length > 4096 || Open(cookie) is not [var name, var begun, var nonce, var verifier, var returnTo, var until]
            || name != place.Name || !long.TryParse(until, out long end) || end < Now.ToUnixTimeSeconds()
            || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(begun), Encoding.UTF8.GetBytes(state ?? "")))
        {
            return new PlatformError(BusinessCode.AuthenticationFailed, "This login was not begun here, or took too long. Begin again") { Chinese = "登录请求无效或已超时，请重新登录" };
        }

        ProviderIdentity identity = place.Issuer is null ? await AskGitHubAsync(place, code, verifier, cancel) : await AskAsync(place, code, verifier, nonce, cancel);
        Outcome<NewSession> session = await _signIn.LogInByProviderAsync(identity, language, address);
        return session.Error is { } error ? error : (session.Value!, returnTo);
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    /// <summary>A path of this platform, never another site: no scheme, no host, no backslash.</summary>
    internal static string SafePath(string? path) =>
        path is { Length: > 0 and <= 500 } && path[0] == '/' && !path.StartsWith("//", StringComparison.Ordinal) && !path.Any(c => c is '\\' or <= ' ' or > '~') ? path : "/";

    private LoginProvider? Find(string name) => _signIn.Settings.Providers.FirstOrDefault(provider => provider.Name == name);

    private Uri Callback(LoginProvider place) => new(_signIn.Settings.PublicUrl, $"api/account/login/{place.Name}/callback");

    private string[]? Open(string? cookie)
    {
        if (cookie is not { Length: > 0 and <= 4096 } || !Base64Url.IsValid(cookie))
            return null;
        return _accounts.Seal.TryOpen("login", Base64Url.DecodeFromChars(cookie)) is { } text ? Encoding.UTF8.GetString(text).Split('\n') : null;
    }

    private async Task<ProviderIdentity> AskAsync(LoginProvider place, string code, string verifier, string nonce, CancellationToken cancel)
    {
        Discovery found = await DiscoverAsync(place, cancel);
        var form = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["grant_type"] = "authorization_code",
            ["code"] = code,
            ["redirect_uri"] = Callback(place).AbsoluteUri,
            ["code_verifier"] = verifier,
        };
        if (!found.Basic)
        {
            form["client_id"] = place.ClientId;
            form["client_secret"] = place.ClientSecret;
        }

        JsonElement tokens = await _client.PostAsync(found.Token, form, found.Basic ? (place.ClientId, place.ClientSecret) : null, cancel);
        if (tokens.Text("id_token", IdTokenCheck.MaxLength) is { } token)
        {
            if (IdTokenCheck.KeyId(token) is { } key && !found.Knows(key) && Now - found.At > _renewEvery)
                found = await DiscoverAsync(place, cancel, renew: true);   // the provider changed its keys
            JsonElement claims = IdTokenCheck.Check(token, found.Keys, found.Issuer, place.ClientId, nonce, Now);
            return new ProviderIdentity(place.Name, claims.Text("sub")!, claims.Text("email"), claims.IsTrue("email_verified"), claims.Text("name"));
        }

        throw new ProviderException($"{place.Name} sent no ID token.");
    }

    private async Task<ProviderIdentity> AskGitHubAsync(LoginProvider place, string code, string verifier, CancellationToken cancel)
    {
        JsonElement tokens = await _client.PostAsync(
            new Uri(place.GitHubWeb, "login/oauth/access_token"),
            [
                new("client_id", place.ClientId), new("client_secret", place.ClientSecret), new("code", code),
                new("redirect_uri", Callback(place).AbsoluteUri), new("code_verifier", verifier),
            ],
            null, cancel);
        string token = tokens.Text("access_token") ?? throw new ProviderException("GitHub sent no token.");
        JsonElement user = await _client.GetAsync(new Uri(place.GitHubApi, "user"), token, cancel);
        if (user.ValueKind != JsonValueKind.Object || !user.TryGetProperty("id", out JsonElement id) || id.ValueKind != JsonValueKind.Number)
            throw new ProviderException("GitHub named nobody.");
        JsonElement mails = await _client.GetAsync(new Uri(place.GitHubApi, "user/emails"), token, cancel);
        string? email = mails.ValueKind == JsonValueKind.Array
            ? mails.EnumerateArray().Where(mail => mail.IsTrue("primary") && mail.IsTrue("verified")).Select(mail => mail.Text("email")).FirstOrDefault()
            : null;
        return new ProviderIdentity(place.Name, id.GetRawText(), email, email is not null, user.Text("name") ?? user.Text("login"));
    }

    private async Task<Discovery> DiscoverAsync(LoginProvider place, CancellationToken cancel, bool renew = false)
    {
        if (!renew && _discovered.TryGetValue(place.Name, out Discovery? known) && Now - known.At < _fresh)
            return known;
        string issuer = place.Issuer!.AbsoluteUri.TrimEnd('/');
        JsonElement document = await _client.GetAsync(new Uri($"{issuer}/.well-known/openid-configuration"), null, cancel);
        string told = document.Text("issuer") ?? "";
        if (told.TrimEnd('/') != issuer)
            throw new ProviderException($"{issuer} says it is another issuer.");
        Uri Endpoint(string name) => Uri.TryCreate(document.Text(name), UriKind.Absolute, out Uri? address) && LoginProvider.IsSafe(address)
            ? address
            : throw new ProviderException($"{issuer} names no safe {name}.");
        JsonElement keys = await _client.GetAsync(Endpoint("jwks_uri"), null, cancel);
        bool basic = !document.TryGetProperty("token_endpoint_auth_methods_supported", out JsonElement methods) || methods.ValueKind != JsonValueKind.Array
            || !methods.EnumerateArray().Any(method => method.ValueKind == JsonValueKind.String && method.ValueEquals("client_secret_post"));
        var found = new Discovery(told, Endpoint("authorization_endpoint"), Endpoint("token_endpoint"), keys, basic, Now);
        _discovered[place.Name] = found;
        return found;
    }

    private sealed record Discovery(string Issuer, Uri Authorization, Uri Token, JsonElement Keys, bool Basic, DateTimeOffset At)
    {
        public bool Knows(string keyId) => Keys.ValueKind == JsonValueKind.Object && Keys.TryGetProperty("keys", out JsonElement list) && list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().Any(key => key.Text("kid") == keyId);
    }
}
