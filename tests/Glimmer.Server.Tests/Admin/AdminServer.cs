using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Glimmer.Server.Tests.Accounts;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Admin;

/// <summary>A server and its operator, who calls with the first key.</summary>
internal sealed partial class AdminServer(ServerHarness harness) : IAsyncDisposable
{
    public ServerHarness Harness => harness;

    public static async Task<AdminServer> StartAsync() => new(await ServerHarness.StartAsync());

    public async Task<(int Status, JsonElement Body)> SendAsync(string method, string path, JsonNode? body = null, HttpClient? client = null)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), "/api/admin" + path);
        if (body is not null)
            request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await (client ?? harness.Client).SendAsync(request);
        string text = await response.Content.ReadAsStringAsync();
        return ((int)response.StatusCode, JsonDocument.Parse(text).RootElement);
    }

    public async Task<JsonElement> OkAsync(string method, string path, JsonNode? body = null)
    {
        (int status, JsonElement answer) = await SendAsync(method, path, body);
        Assert.True(status == 200, $"{method} {path}: {status} {answer}");
        return answer;
    }

    /// <summary>The call must be refused, with a message that names all the parts.</summary>
    public async Task RefusedAsync(int status, string code, string method, string path, JsonNode? body, params string[] parts)
    {
        (int got, JsonElement answer) = await SendAsync(method, path, body);
        Assert.True(got == status, $"{method} {path} {body}: {got} {answer}");
        JsonElement error = answer.GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        foreach (string part in parts)
            Assert.Contains(part, error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    /// <summary>The newest audit record of an action.</summary>
    public async Task<JsonElement> AuditedAsync(string action) => (await OkAsync("GET", $"/audit?action={action}&limit=1")).GetProperty("data")[0];

    public HttpClient ClientOf(string? credential)
    {
        var client = new HttpClient { BaseAddress = harness.Client.BaseAddress };
        if (credential is not null)
            client.DefaultRequestHeaders.Add("Authorization", credential);
        return client;
    }

    /// <summary>Makes somebody a member of another's account, by the mail that he gets.</summary>
    public async Task JoinAsync(Visitor owner, Visitor guest, string email, string role)
    {
        string outbox = Path.Combine(harness.Folder, "outbox");
        int before = Directory.Exists(outbox) ? Directory.GetFiles(outbox, "*.eml").Length : 0;
        await owner.OkAsync(HttpMethod.Post, $"{owner.Account}/invitations", new JsonObject { ["email"] = email, ["role"] = role });
        await ServerHarness.UntilAsync(() => Directory.Exists(outbox) && Directory.GetFiles(outbox, "*.eml").Length > before);
        foreach (string file in Directory.GetFiles(outbox, "*.eml"))
        {
            string text = await File.ReadAllTextAsync(file);
            if (!text.Contains(email, StringComparison.Ordinal))
                continue;
            string mail = Encoding.UTF8.GetString(Convert.FromBase64String(text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..].Replace("\r\n", "", StringComparison.Ordinal)));
            await guest.OkAsync(HttpMethod.Post, "invitations/accept", new JsonObject { ["token"] = TokenPattern.Match(mail).Value });
            return;
        }

        Assert.Fail("no mail came");
    }

    public ValueTask DisposeAsync() => harness.DisposeAsync();

    [GeneratedRegex("(?<=#token=)[A-Za-z0-9_-]{43}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex TokenPattern { get; }
}
