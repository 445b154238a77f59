using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Accounts;

public sealed partial class AccountEndpointTests
{
    private const string Poison = "'; DROP TABLE users; --\"\\%_中文😀";

    [Fact]
    public async Task A_person_signs_up_makes_a_key_and_calls_with_it()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        JsonElement project = await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/projects", new JsonObject { ["name"] = Poison });
        JsonElement key = await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject
        {
            ["name"] = "laptop",
            ["project"] = project.GetProperty("id").GetString(),
            ["models"] = new JsonArray("glimmer-tiny"),
            ["ips"] = new JsonArray("127.0.0.0/8", "::1"),
            ["spend_cap"] = 1000,
        });
        string credential = key.GetProperty("credential").GetString()!;
        Assert.Equal(HttpStatusCode.OK, await CallAsync(server, credential));
        string id = key.GetProperty("id").GetString()!;
        JsonElement seen = await ada.OkAsync(HttpMethod.Get, $"{ada.Account}/keys/{id}");
        Assert.False(seen.TryGetProperty("credential", out _));
        Assert.NotEqual(JsonValueKind.Null, seen.GetProperty("last_used").ValueKind);
        Assert.Equal("127.0.0.0/8", seen.GetProperty("ips")[0].GetString());

        JsonElement rotated = await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys/{id}/rotate", new JsonObject { ["overlap_seconds"] = 3600 });
        Assert.Equal(HttpStatusCode.OK, await CallAsync(server, credential));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(server, rotated.GetProperty("credential").GetString()!));
        await ada.OkAsync(HttpMethod.Put, $"{ada.Account}/keys/{id}", new JsonObject { ["ips"] = new JsonArray("192.0.2.0/24") });
        Assert.Equal(HttpStatusCode.Forbidden, await CallAsync(server, credential));
        JsonElement changed = await ada.OkAsync(HttpMethod.Put, $"{ada.Account}/keys/{id}", new JsonObject { ["ips"] = null, ["disabled"] = true });
        Assert.Equal(JsonValueKind.Null, changed.GetProperty("ips").ValueKind);
        Assert.Equal("glimmer-tiny", changed.GetProperty("models")[0].GetString());
        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync(server, credential));
        await ada.OkAsync(HttpMethod.Delete, $"{ada.Account}/keys/{id}");
        Assert.Equal(0, (await ada.OkAsync(HttpMethod.Get, $"{ada.Account}/keys")).GetProperty("data").GetArrayLength());
        Assert.Contains((await ada.OkAsync(HttpMethod.Get, $"{ada.Account}/audit")).GetProperty("data").EnumerateArray(), record => record.GetProperty("action").GetString() == "key.rotate");
        await ada.OkAsync(HttpMethod.Delete, $"{ada.Account}/projects/{project.GetProperty("id").GetString()}");
        Assert.DoesNotContain(server.Logs.Lines, line => line.Text.Contains(credential, StringComparison.Ordinal) || line.Text.Contains(Visitor.Password, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Nobody_reaches_another_s_account()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        using Visitor eve = await new Visitor(server).SignUpAsync("eve@example.com");
        using var nobody = new Visitor(server);
        string key = (await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject { ["name"] = "k" })).GetProperty("id").GetString()!;
        string user = (await ada.OkAsync(HttpMethod.Get, "me")).GetProperty("user").GetProperty("id").GetString()!;
        (HttpMethod Method, string Path)[] calls =
        [
            (HttpMethod.Put, ""), (HttpMethod.Get, "/projects"), (HttpMethod.Post, "/projects"), (HttpMethod.Put, "/projects/x"), (HttpMethod.Delete, "/projects/x"),
            (HttpMethod.Get, "/keys"), (HttpMethod.Post, "/keys"), (HttpMethod.Get, $"/keys/{key}"), (HttpMethod.Put, $"/keys/{key}"), (HttpMethod.Post, $"/keys/{key}/rotate"), (HttpMethod.Delete, $"/keys/{key}"),
            (HttpMethod.Get, "/members"), (HttpMethod.Put, $"/members/{user}"), (HttpMethod.Delete, $"/members/{user}"), (HttpMethod.Get, "/invitations"), (HttpMethod.Post, "/invitations"), (HttpMethod.Delete, "/invitations/x"),
            (HttpMethod.Get, "/end-users"), (HttpMethod.Put, "/end-users/somebody"), (HttpMethod.Delete, "/end-users/somebody"), (HttpMethod.Get, "/audit"), (HttpMethod.Get, "/export"), (HttpMethod.Post, "/delete"),
        ];
        foreach ((HttpMethod method, string path) in calls)
        {
            (int Status, string? Code) foreign = await eve.RefusedAsync(method, ada.Account + path);
            Assert.Equal(404, foreign.Status);
            Assert.Equal(foreign, await eve.RefusedAsync(method, "acc-00000000000000000000" + path));
            Assert.Equal((401, "1001"), await nobody.RefusedAsync(method, ada.Account + path));
        }

        // In her own account Ada's key does not exist for Eve either.
        Assert.Equal(404, (await eve.RefusedAsync(HttpMethod.Get, $"{eve.Account}/keys/{key}")).Status);
        Assert.Equal(404, (await eve.RefusedAsync(HttpMethod.Delete, $"{eve.Account}/keys/{key}")).Status);
        Assert.Equal(1, (await ada.OkAsync(HttpMethod.Get, $"{ada.Account}/keys")).GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task A_foreign_page_can_change_nothing()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        var body = new JsonObject { ["name"] = "x" };
        string good = ada.Csrf!;
        foreach (string? forged in (string?[])[null, "", "x", good[..^1] + "_"])
        {
            ada.Csrf = forged;
            Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/keys", body));
        }

        ada.Csrf = good;
        ada.Origin = "https://evil.example";
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/keys", body));
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Post, "login", new JsonObject { ["email"] = "a@b.c", ["password"] = "x" }));
        ada.Origin = server.Server.Addresses[0].GetLeftPart(UriPartial.Authority);
        Assert.Equal(415, (await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/keys", body, "text/plain")).Status);
        await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", body);

        // The value belongs to the session: another one's does not fit.
        using Visitor eve = await new Visitor(server).SignUpAsync("eve@example.com");
        ada.Csrf = eve.Csrf;
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/keys", body));
    }

    [Fact]
    public async Task Cookies_are_kept_from_pages_and_bound_to_tls_where_there_is_some()
    {
        await using ServerHarness server = await ServerHarness.StartAsync(options => options with
        {
            Accounts = options.Accounts with { TrustedProxies = [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("::1/128")] },
        });
        using var client = new HttpClient(new HttpClientHandler { UseCookies = false }) { BaseAddress = server.Server.Addresses[0] };
        foreach (bool tls in (bool[])[false, true])
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/api/account/sign-up")
            {
                Content = new StringContent($$"""{"email":"a{{tls}}@example.com","password":"{{Visitor.Password}}"}""", Encoding.UTF8, "application/json"),
            };
            if (tls)
                request.Headers.Add("X-Forwarded-Proto", "https");
            using HttpResponseMessage response = await client.SendAsync(request);
            string[] cookies = [.. response.Headers.GetValues("Set-Cookie")];
            string session = Assert.Single(cookies, cookie => cookie.StartsWith(tls ? "__Host-glimmer_session=" : "glimmer_session=", StringComparison.Ordinal));
            string csrf = Assert.Single(cookies, cookie => cookie.StartsWith(tls ? "__Host-glimmer_csrf=" : "glimmer_csrf=", StringComparison.Ordinal));
            Assert.Contains("httponly", session);
            Assert.DoesNotContain("httponly", csrf);
            Assert.All([session, csrf], cookie => Assert.Contains("samesite=lax", cookie));
            Assert.All([session, csrf], cookie => Assert.Equal(tls, cookie.Contains("secure", StringComparison.Ordinal)));
        }
    }

    [Fact]
    public async Task Login_logout_and_reset_work_over_the_wire_in_the_caller_s_language()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server, "zh-CN").SignUpAsync("ada@example.com");
        await ada.OkAsync(HttpMethod.Post, "logout");
        Assert.Equal((401, "1001"), await ada.RefusedAsync(HttpMethod.Get, "me"));
        using (HttpResponseMessage wrong = await ada.SendAsync(HttpMethod.Post, "login", new JsonObject { ["email"] = "ada@example.com", ["password"] = "nope nope" }))
            Assert.Contains("邮箱或密码错误", await wrong.Content.ReadAsStringAsync());
        await ada.OkAsync(HttpMethod.Post, "password/forgot", new JsonObject { ["email"] = "ada@example.com" });
        await ada.OkAsync(HttpMethod.Post, "password/forgot", new JsonObject { ["email"] = "nobody@example.com" });
        string outbox = Path.Combine(server.Folder, "outbox");
        await ServerHarness.UntilAsync(() => Directory.Exists(outbox) && Directory.GetFiles(outbox, "*.eml").Length == 1);
        string text = await File.ReadAllTextAsync(Directory.GetFiles(outbox, "*.eml")[0]);
        string mail = Encoding.UTF8.GetString(Convert.FromBase64String(text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..].Replace("\r\n", "", StringComparison.Ordinal)));
        Assert.Contains("重置", mail);
        string token = TokenPattern.Match(mail).Value;
        JsonElement answer = await ada.OkAsync(HttpMethod.Post, "password/reset", new JsonObject { ["token"] = token, ["password"] = "another good one" });
        ada.Csrf = answer.GetProperty("csrf_token").GetString();
        Assert.True((await ada.OkAsync(HttpMethod.Get, "me")).GetProperty("user").GetProperty("email_confirmed").GetBoolean());
        answer = await ada.OkAsync(HttpMethod.Post, "password/change", new JsonObject { ["current_password"] = "another good one", ["password"] = "a third good one" });
        ada.Csrf = answer.GetProperty("csrf_token").GetString();
        Assert.Equal("zh", (await ada.OkAsync(HttpMethod.Put, "me", new JsonObject { ["name"] = Poison })).GetProperty("language").GetString());
        await ada.OkAsync(HttpMethod.Post, "logout-all");
        Assert.Equal(401, (await ada.RefusedAsync(HttpMethod.Get, "me")).Status);
    }

    [Fact]
    public async Task Members_have_the_rights_of_their_roles()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor owner = await new Visitor(server).SignUpAsync("owner@example.com");
        using Visitor guest = await new Visitor(server).SignUpAsync("guest@example.com");
        string account = owner.Account;
        await owner.OkAsync(HttpMethod.Post, $"{account}/invitations", new JsonObject { ["email"] = "guest@example.com", ["role"] = "billing" });
        string outbox = Path.Combine(server.Folder, "outbox");
        await ServerHarness.UntilAsync(() => Directory.Exists(outbox) && Directory.GetFiles(outbox, "*.eml").Length == 1);
        string text = await File.ReadAllTextAsync(Directory.GetFiles(outbox, "*.eml")[0]);
        string token = TokenPattern.Match(Encoding.UTF8.GetString(Convert.FromBase64String(text[(text.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..].Replace("\r\n", "", StringComparison.Ordinal)))).Value;
        await guest.OkAsync(HttpMethod.Post, "invitations/accept", new JsonObject { ["token"] = token });
        string user = (await guest.OkAsync(HttpMethod.Get, "me")).GetProperty("user").GetProperty("id").GetString()!;

        Assert.Equal(403, (await guest.RefusedAsync(HttpMethod.Get, $"{account}/keys")).Status);
        Assert.Equal(403, (await guest.RefusedAsync(HttpMethod.Get, $"{account}/export")).Status);
        await owner.OkAsync(HttpMethod.Put, $"{account}/members/{user}", new JsonObject { ["role"] = "member" });
        await guest.OkAsync(HttpMethod.Post, $"{account}/keys", new JsonObject { ["name"] = "k" });
        Assert.Equal(403, (await guest.RefusedAsync(HttpMethod.Post, $"{account}/projects", new JsonObject { ["name"] = "p" })).Status);
        Assert.Equal(403, (await guest.RefusedAsync(HttpMethod.Get, $"{account}/audit")).Status);
        await owner.OkAsync(HttpMethod.Put, $"{account}/members/{user}", new JsonObject { ["role"] = "admin" });
        await guest.OkAsync(HttpMethod.Post, $"{account}/projects", new JsonObject { ["name"] = "p" });
        await guest.OkAsync(HttpMethod.Put, $"{account}/end-users/spammer-1", new JsonObject { ["reason"] = "spam" });
        Assert.Equal(1, (await guest.OkAsync(HttpMethod.Get, $"{account}/end-users")).GetProperty("data").GetArrayLength());
        await guest.OkAsync(HttpMethod.Delete, $"{account}/end-users/spammer-1");
        Assert.Equal(403, (await guest.RefusedAsync(HttpMethod.Post, $"{account}/delete", new JsonObject { ["confirm"] = account })).Status);
        await guest.OkAsync(HttpMethod.Delete, $"{account}/members/{user}");
        Assert.Equal(404, (await guest.RefusedAsync(HttpMethod.Get, $"{account}/keys")).Status);
    }

    [Fact]
    public async Task Billing_pages_know_sessions_and_their_accounts()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        using Visitor eve = await new Visitor(server).SignUpAsync("eve@example.com");
        using (HttpResponseMessage own = await ada.SendAsync(HttpMethod.Get, "/api/billing/balance"))
            Assert.Equal(HttpStatusCode.OK, own.StatusCode);
        using (HttpResponseMessage named = await ada.SendAsync(HttpMethod.Get, $"/api/billing/balance?account={ada.Account}"))
            Assert.Equal(HttpStatusCode.OK, named.StatusCode);
        Assert.Equal(404, (await eve.RefusedAsync(HttpMethod.Get, $"/api/billing/balance?account={ada.Account}")).Status);
        ada.Csrf = null;
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Post, "/api/billing/checkout"));
        using var nobody = new Visitor(server);
        Assert.Equal((401, "1001"), await nobody.RefusedAsync(HttpMethod.Get, "/api/billing/balance"));
    }

    [Fact]
    public async Task An_account_is_exported_and_deleted()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        string credential = (await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject { ["name"] = "k" })).GetProperty("credential").GetString()!;
        JsonElement export = await ada.OkAsync(HttpMethod.Get, $"{ada.Account}/export");
        Assert.Equal("ada@example.com", export.GetProperty("members")[0].GetProperty("email").GetString());
        Assert.Equal("confirm", await FieldAsync(ada, new JsonObject { ["confirm"] = "yes", ["current_password"] = Visitor.Password }));
        Assert.Equal(403, (await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/delete", new JsonObject { ["confirm"] = ada.Account, ["current_password"] = "wrong" })).Status);
        await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/delete", new JsonObject { ["confirm"] = ada.Account, ["current_password"] = Visitor.Password });
        Assert.Equal(401, (await ada.RefusedAsync(HttpMethod.Get, "me")).Status);
        Assert.Equal(HttpStatusCode.TooManyRequests, await CallAsync(server, credential));

        static async Task<string?> FieldAsync(Visitor visitor, JsonObject body)
        {
            using HttpResponseMessage response = await visitor.SendAsync(HttpMethod.Post, $"{visitor.Account}/delete", body);
            string text = await response.Content.ReadAsStringAsync();
            return text.Contains("parameter confirm", StringComparison.Ordinal) ? "confirm" : text;
        }
    }

    [Theory]
    [InlineData("sign-up", "{}", 400, "1213")]
    [InlineData("sign-up", """{"email":"x","password":"long enough one"}""", 400, "1214")]
    [InlineData("sign-up", """{"email":"a@b.c","password":"short"}""", 400, "1214")]
    [InlineData("sign-up", """{"email":["a@b.c"],"password":"long enough one"}""", 400, "1214")]
    [InlineData("sign-up", """{"email":"a@b.c","password":"long enough one","language":"fr"}""", 400, "1214")]
    [InlineData("sign-up", """{"email":"a@b.c","password":"long enough one","invitation":"x"}""", 400, "1214")]
    [InlineData("sign-up", """{"email":"a@b.c","password":"long enough one","name":"\u0001"}""", 400, "1214")]
    [InlineData("sign-up", "nonsense", 400, "1210")]
    [InlineData("login", """{"email":"a@b.c","password":"\ud800"}""", 400, null)]
    [InlineData("login", """{"email":"nobody@b.c","password":"x"}""", 401, "1000")]
    [InlineData("password/reset", """{"token":"x","password":"long enough one"}""", 400, "1214")]
    [InlineData("confirm", """{"token":"x"}""", 400, "1214")]
    [InlineData("login/nobody/start", null, 404, "1214")]
    [InlineData("login/nobody/callback?code=x&state=y", null, 404, "1214")]
    public async Task Bad_input_is_told(string path, string? body, int status, string? code)
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using HttpResponseMessage response = body is null
            ? await server.Client.GetAsync("/api/account/" + path)
            : await server.PostAsync(body, "/api/account/" + path);
        string text = await response.Content.ReadAsStringAsync();
        if (code is null)
        {
            // Half of a surrogate pair is repaired or refused; it is never an internal error.
            Assert.InRange((int)response.StatusCode, 400, 499);
            return;
        }

        Assert.Equal((status, code), ((int)response.StatusCode, JsonDocument.Parse(text).RootElement.GetProperty("error").GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Keys_with_wrong_fields_are_refused_by_name()
    {
        await using ServerHarness server = await ServerHarness.StartAsync();
        using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
        foreach ((string field, string value) in new[]
        {
            ("name", "\"\""), ("name", "5"), ("models", "[\"a b\"]"), ("models", "[5]"), ("ips", "[\"10\"]"), ("ips", "[\"1.2.3.4/40\"]"), ("spend_cap", "-1"), ("spend_cap", "1.5"),
            ("spend_cap", "9223372036854775808"), ("expires", "1"), ("expires", "\"soon\""), ("expires", "9999999999999999"), ("disabled", "5"),
        })
        {
            var body = new JsonObject { ["name"] = "k" };
            body[field] = JsonNode.Parse(value);
            using HttpResponseMessage response = await ada.SendAsync(HttpMethod.Post, $"{ada.Account}/keys", body);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Contains(field, await response.Content.ReadAsStringAsync());
        }

        Assert.Equal(404, (await ada.RefusedAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject { ["name"] = "k", ["project"] = Poison })).Status);
    }

    [Fact]
    public async Task Forwarded_addresses_count_from_trusted_proxies_only()
    {
        foreach (bool trusted in (bool[])[false, true])
        {
            await using ServerHarness server = await ServerHarness.StartAsync(options => options with
            {
                Accounts = options.Accounts with { TrustedProxies = trusted ? [IPNetwork.Parse("127.0.0.0/8"), IPNetwork.Parse("10.0.0.0/8")] : [] },
            });
            using Visitor ada = await new Visitor(server).SignUpAsync("ada@example.com");
            string credential = (await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject { ["name"] = "k", ["ips"] = new JsonArray("192.0.2.7") })).GetProperty("credential").GetString()!;
            Assert.Equal(trusted ? HttpStatusCode.OK : HttpStatusCode.Forbidden, await CallAsync(server, credential, "6.6.6.6, 192.0.2.7, 10.1.2.3"));
            Assert.Equal(HttpStatusCode.Forbidden, await CallAsync(server, credential, "192.0.2.7, 6.6.6.6"));
            Assert.Equal(HttpStatusCode.Forbidden, await CallAsync(server, credential, "192.0.2.7, nonsense"));
        }
    }

    [GeneratedRegex("(?<=#token=)[A-Za-z0-9_-]{43}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex TokenPattern { get; }

    private static async Task<HttpStatusCode> CallAsync(ServerHarness server, string credential, string? forwarded = null)
    {
        using var client = new HttpClient { BaseAddress = server.Server.Addresses[0] };
        client.DefaultRequestHeaders.Add("Authorization", $"Bearer {credential}");
        if (forwarded is not null)
            client.DefaultRequestHeaders.Add("X-Forwarded-For", forwarded);
        using HttpResponseMessage response = await client.GetAsync("/api/paas/v4/models");
        return response.StatusCode;
    }
}
