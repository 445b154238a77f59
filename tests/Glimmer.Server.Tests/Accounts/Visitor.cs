using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Accounts;

/// <summary>A browser: keeps cookies, sends the value against forged calls.</summary>
internal sealed class Visitor : IDisposable
{
    public const string Password = "correct horse battery";
    private readonly HttpClient _client;

    public Visitor(ServerHarness server, string language = "en")
    {
        _client = new HttpClient(new HttpClientHandler { CookieContainer = Cookies, AllowAutoRedirect = false }) { BaseAddress = server.Server.Addresses[0] };
        _client.DefaultRequestHeaders.AcceptLanguage.ParseAdd(language);
    }

    public CookieContainer Cookies { get; } = new();

    public string? Csrf { get; set; }

    public string? Origin { get; set; }

    public string Account { get; private set; } = "";

    public async Task<Visitor> SignUpAsync(string email)
    {
        JsonElement answer = await OkAsync(HttpMethod.Post, "sign-up", new JsonObject { ["email"] = email, ["password"] = Password });
        Csrf = answer.GetProperty("csrf_token").GetString();
        Account = (await OkAsync(HttpMethod.Get, "me")).GetProperty("accounts")[0].GetProperty("id").GetString()!;
        return this;
    }

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, JsonNode? body = null, string type = "application/json")
    {
        var request = new HttpRequestMessage(method, path.StartsWith('/') ? path : "/api/account/" + path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, type);
        else if (method != HttpMethod.Get)
            request.Content = new StringContent("{}", Encoding.UTF8, type);
        if (Csrf is not null)
            request.Headers.Add("X-CSRF-Token", Csrf);
        if (Origin is not null)
            request.Headers.Add("Origin", Origin);
        return await _client.SendAsync(request);
    }

    public async Task<JsonElement> OkAsync(HttpMethod method, string path, JsonNode? body = null)
    {
        using HttpResponseMessage response = await SendAsync(method, path, body);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, $"{method} {path}: {(int)response.StatusCode} {text}");
        Assert.Equal("no-store", response.Headers.CacheControl?.ToString());
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>Status and business code of a refusal.</summary>
    public async Task<(int Status, string? Code)> RefusedAsync(HttpMethod method, string path, JsonNode? body = null, string type = "application/json")
    {
        using HttpResponseMessage response = await SendAsync(method, path, body, type);
        string text = await response.Content.ReadAsStringAsync();
        Assert.False(response.IsSuccessStatusCode, text);
        return ((int)response.StatusCode, JsonDocument.Parse(text).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    public void Dispose() => _client.Dispose();
}
