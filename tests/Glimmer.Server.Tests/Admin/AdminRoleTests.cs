using System.Text.Json.Nodes;
using Glimmer.Server.Admin;
using Glimmer.Server.Tests.Accounts;

namespace Glimmer.Server.Tests.Admin;

public sealed class AdminRoleTests
{
    /// <summary>Every route: nobody but operators is let in, whatever the path names; without a credential the answer is 401.</summary>
    [Fact]
    public async Task Only_operators_come_in()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        using Visitor owner = await new Visitor(server.Harness).SignUpAsync("owner@example.com");
        using Visitor admin = await new Visitor(server.Harness).SignUpAsync("admin@example.com");
        using Visitor member = await new Visitor(server.Harness).SignUpAsync("member@example.com");
        using Visitor billing = await new Visitor(server.Harness).SignUpAsync("billing@example.com");
        using Visitor stranger = await new Visitor(server.Harness).SignUpAsync("stranger@example.com");
        await server.JoinAsync(owner, admin, "admin@example.com", "admin");
        await server.JoinAsync(owner, member, "member@example.com", "member");
        await server.JoinAsync(owner, billing, "billing@example.com", "billing");
        string plainKey = (await owner.OkAsync(HttpMethod.Post, $"{owner.Account}/keys", new JsonObject { ["name"] = "k" })).GetProperty("credential").GetString()!;
        string otherKey = (await server.OkAsync("POST", "/accounts/default/keys", new JsonObject { ["name"] = "no operator" })).GetProperty("credential").GetString()!;
        using HttpClient nobody = server.ClientOf(null), ofOwner = server.ClientOf(plainKey), ofDefault = server.ClientOf(otherKey), wrong = server.ClientOf("0123.wrong");
        Assert.NotEmpty(AdminOperations.All);
        foreach (AdminOperation operation in AdminOperations.All)
        {
            foreach (string account in (string[])[owner.Account, "acc-00000000000000000000"])
            {
                string path = Fill(operation, account);
                foreach (Visitor visitor in (Visitor[])[owner, admin, member, billing, stranger])
                    Assert.Equal((403, "1220"), await visitor.RefusedAsync(new HttpMethod(operation.Method), "/api/admin" + path));
                foreach ((HttpClient client, int status, string code) in ((HttpClient, int, string)[])[(nobody, 401, "1001"), (wrong, 401, "1000"), (ofOwner, 403, "1220"), (ofDefault, 403, "1220")])
                {
                    (int got, System.Text.Json.JsonElement answer) = await server.SendAsync(operation.Method, path, operation.Method == "GET" ? null : new JsonObject(), client);
                    Assert.True(got == status && answer.GetProperty("error").GetProperty("code").GetString() == code, $"{operation.Method} {path}: {got} {answer}");
                }
            }
        }

        // Nothing happened to the account meanwhile.
        System.Text.Json.JsonElement left = await server.OkAsync("GET", $"/accounts/{owner.Account}");
        Assert.Equal("active", left.GetProperty("state").GetString());
        Assert.Equal(0, (await server.OkAsync("GET", "/operators")).GetProperty("data").GetArrayLength());
    }

    /// <summary>Every route lets operators in: by the first key of a fresh install, and by the session of whom it made an operator.</summary>
    [Fact]
    public async Task The_first_key_makes_an_operator_whose_session_is_let_in_until_it_is_taken_back()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        using Visitor ada = await new Visitor(server.Harness).SignUpAsync("ada@example.com");
        Assert.True((await server.OkAsync("PUT", "/operators/ada@example.com")).GetProperty("operator").GetBoolean());
        foreach (AdminOperation operation in AdminOperations.All.Where(operation => operation.Method == "GET"))
        {
            // An unknown account, key, version: 404 or 200, never 401 or 403; and never a fault.
            foreach (string account in (string[])[ada.Account, "acc-00000000000000000000"])
            {
                string path = Fill(operation, account);
                using HttpResponseMessage byPerson = await ada.SendAsync(HttpMethod.Get, "/api/admin" + path);
                using HttpResponseMessage byKey = await server.Harness.Client.GetAsync("/api/admin" + path);
                Assert.Equal(byKey.StatusCode, byPerson.StatusCode);
                bool missing = operation.Path.Contains("{key}", StringComparison.Ordinal) || operation.Path.Contains("{id}", StringComparison.Ordinal)
                    || operation.Path.Contains("{backend}", StringComparison.Ordinal)
                    || (operation.Path.Contains("{account}", StringComparison.Ordinal) && account != ada.Account);
                Assert.True((int)byKey.StatusCode == (missing ? 404 : 200), $"{path}: {await byKey.Content.ReadAsStringAsync()}");
            }
        }

        // A session's change needs the value against forged calls.
        string good = ada.Csrf!;
        ada.Csrf = null;
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Put, "/api/admin/accounts/default/tier", new JsonObject { ["tier"] = 1 }));
        ada.Csrf = good;
        await ada.OkAsync(HttpMethod.Put, "/api/admin/accounts/default/tier", new JsonObject { ["tier"] = 1 });
        Assert.StartsWith("user-", (await server.AuditedAsync("account.tier")).GetProperty("actor").GetString());

        await server.OkAsync("DELETE", "/operators/ada@example.com");
        Assert.Equal((403, "1220"), await ada.RefusedAsync(HttpMethod.Get, "/api/admin/accounts"));
        await server.RefusedAsync(404, "1214", "PUT", "/operators/nobody@example.com", null, "user");
    }

    [Fact]
    public async Task Only_keys_of_the_default_account_can_administer()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        using Visitor owner = await new Visitor(server.Harness).SignUpAsync("owner@example.com");
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{owner.Account}/keys", new JsonObject { ["name"] = "k", ["operator"] = true }, "operator", "default");
        string own = (await owner.OkAsync(HttpMethod.Post, $"{owner.Account}/keys", new JsonObject { ["name"] = "k", ["operator"] = true })).GetProperty("id").GetString()!;
        Assert.False((await server.OkAsync("GET", $"/accounts/{owner.Account}/keys/{own}")).GetProperty("operator").GetBoolean());
        await server.RefusedAsync(400, "1214", "PUT", $"/accounts/{owner.Account}/keys/{own}", new JsonObject { ["operator"] = true }, "operator", "default");

        System.Text.Json.JsonElement made = await server.OkAsync("POST", "/accounts/default/keys", new JsonObject { ["name"] = "second", ["operator"] = true });
        using HttpClient second = server.ClientOf(made.GetProperty("credential").GetString());
        Assert.Equal(200, (await server.SendAsync("GET", "/accounts", client: second)).Status);
        await server.OkAsync("PUT", $"/accounts/default/keys/{made.GetProperty("id").GetString()}", new JsonObject { ["operator"] = false });
        Assert.Equal(403, (await server.SendAsync("GET", "/accounts", client: second)).Status);
        System.Text.Json.JsonElement audited = await server.AuditedAsync("key.change");
        Assert.True(audited.GetProperty("before").GetProperty("operator").GetBoolean());
        Assert.False(audited.GetProperty("after").GetProperty("operator").GetBoolean());
    }

    private static string Fill(AdminOperation operation, string account) => operation.Path
        .Replace("{account}", account, StringComparison.Ordinal)
        .Replace("{email}", "owner@example.com", StringComparison.Ordinal)
        .Replace("{user}", "somebody", StringComparison.Ordinal)
        .Replace("{id}", "7", StringComparison.Ordinal)
        .Replace("{key}", "0123", StringComparison.Ordinal)
        .Replace("{project}", "proj-x", StringComparison.Ordinal)
        .Replace("{payment}", "man_x", StringComparison.Ordinal);
}
