using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Platform.Ledger;
using Glimmer.Server.Tests.Accounts;

namespace Glimmer.Server.Tests.Admin;

public sealed class AdminOperationTests
{
    [Fact]
    public async Task Accounts_are_found_locked_limited_exported_and_closed()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        using Visitor ada = await new Visitor(server.Harness).SignUpAsync("ada_1@example.com");
        for (int i = 0; i < 5; i++)
            await server.OkAsync("POST", "/accounts", new JsonObject { ["name"] = $"Team {i} 100%" });
        JsonElement first = await server.OkAsync("GET", "/accounts?limit=3&search=team");
        Assert.Equal(["Team 0 100%", "Team 1 100%", "Team 2 100%"], Names(first));
        JsonElement second = await server.OkAsync("GET", $"/accounts?limit=3&search=TEAM&after={first.GetProperty("next").GetString()}");
        Assert.Equal(["Team 3 100%", "Team 4 100%"], Names(second));
        Assert.Equal(JsonValueKind.Null, second.GetProperty("next").ValueKind);
        Assert.Equal(ada.Account, (await server.OkAsync("GET", "/accounts?search=a_1@")).GetProperty("data")[0].GetProperty("id").GetString());
        Assert.Empty(Names(await server.OkAsync("GET", "/accounts?search=a%251@")));
        Assert.Single(Names(await server.OkAsync("GET", $"/accounts?search={ada.Account}")));
        await server.RefusedAsync(400, "1214", "GET", "/accounts?state=happy", null, "state", "happy", "in_arrears");
        await server.RefusedAsync(400, "1214", "GET", "/accounts?limit=0", null, "limit", "1 to 500");
        await server.RefusedAsync(400, "1214", "GET", "/accounts?after=nobody", null, "after");

        string key = (await ada.OkAsync(HttpMethod.Post, $"{ada.Account}/keys", new JsonObject { ["name"] = "k" })).GetProperty("credential").GetString()!;
        foreach ((string state, int code) in ((string, int)[])[("inactive", 1110), ("locked", 1112), ("in_arrears", 1113), ("unavailable", 1120), ("irregular", 1121), ("active", 0)])
        {
            JsonElement changed = await server.OkAsync("PUT", $"/accounts/{ada.Account}/state", new JsonObject { ["state"] = state, ["reason"] = "test" });
            Assert.Equal(state, changed.GetProperty("state").GetString());
            Assert.Equal(code, await CodeAsync(server, key));
            JsonElement audited = await server.AuditedAsync("account.state");
            Assert.StartsWith("key:", audited.GetProperty("actor").GetString());
            Assert.Equal(ada.Account, audited.GetProperty("account").GetString());
            Assert.Equal("test", audited.GetProperty("after").GetProperty("reason").GetString());
            Assert.NotEqual(audited.GetProperty("before").GetProperty("state").GetString(), audited.GetProperty("after").GetProperty("state").GetString());
        }

        await server.RefusedAsync(400, "1214", "PUT", $"/accounts/{ada.Account}/state", new JsonObject { ["state"] = "closed" }, "state", "locked");
        await server.RefusedAsync(400, "1213", "PUT", $"/accounts/{ada.Account}/state", new JsonObject(), "state");
        await server.RefusedAsync(400, "1214", "PUT", $"/accounts/{ada.Account}/state", new JsonObject { ["state"] = "locked", ["until"] = 5 }, "until");
        await server.RefusedAsync(400, "1213", "PUT", $"/accounts/{ada.Account}/tier", new JsonObject(), "tier");
        await server.RefusedAsync(400, "1214", "PUT", $"/accounts/{ada.Account}/tier", new JsonObject { ["tier"] = 9 }, "tier", "0 to 8");
        await server.OkAsync("PUT", $"/accounts/{ada.Account}/tier", new JsonObject { ["tier"] = 3 });
        Assert.Equal(0, (await server.AuditedAsync("account.tier")).GetProperty("before").GetProperty("tier").GetInt32());
        await server.RefusedAsync(400, "1213", "PUT", $"/accounts/{ada.Account}/limits", new JsonObject(), "concurrency");
        Assert.Equal(2, (await server.OkAsync("PUT", $"/accounts/{ada.Account}/limits", new JsonObject { ["concurrency"] = 2 })).GetProperty("concurrency").GetInt32());
        Assert.Equal(JsonValueKind.Null, (await server.OkAsync("PUT", $"/accounts/{ada.Account}/limits", new JsonObject { ["concurrency"] = null })).GetProperty("concurrency").ValueKind);

        await server.OkAsync("PUT", $"/accounts/{ada.Account}/end-users/spammer-1", new JsonObject { ["reason"] = "spam" });
        await server.OkAsync("PUT", "/end-users/spammer-2", new JsonObject { ["reason"] = "spam" });
        Assert.Equal(1121, await CodeAsync(server, key, "spammer-1"));
        Assert.Equal(1121, await CodeAsync(server, key, "spammer-2"));
        Assert.Equal(0, await CodeAsync(server, server.Harness.Key, "spammer-1"));
        await server.OkAsync("DELETE", "/end-users/spammer-2");
        Assert.Equal(0, await CodeAsync(server, key, "spammer-2"));
        Assert.Single((await server.OkAsync("GET", $"/accounts/{ada.Account}/end-users")).GetProperty("data").EnumerateArray());
        await server.RefusedAsync(404, "1214", "DELETE", "/end-users/spammer-2", null);
        Assert.Single((await server.OkAsync("GET", $"/accounts/{ada.Account}/members")).GetProperty("data").EnumerateArray());
        Assert.Equal("ada_1@example.com", (await server.OkAsync("GET", $"/accounts/{ada.Account}/export")).GetProperty("members")[0].GetProperty("email").GetString());

        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{ada.Account}/close", new JsonObject { ["confirm"] = "yes" }, ada.Account);
        await server.OkAsync("POST", $"/accounts/{ada.Account}/close", new JsonObject { ["confirm"] = ada.Account });
        Assert.Equal(1111, await CodeAsync(server, key));
        Assert.Contains(ada.Account, (await server.OkAsync("GET", "/accounts?state=closed")).GetProperty("data").EnumerateArray().Select(account => account.GetProperty("id").GetString()));
        await server.RefusedAsync(409, "1214", "POST", $"/accounts/{ada.Account}/credits", new JsonObject { ["amount"] = 1 });
        await server.RefusedAsync(409, "1214", "POST", $"/accounts/{ada.Account}/plan/grant", new JsonObject { ["plan"] = "pro" });
        await server.RefusedAsync(404, "1214", "PUT", $"/accounts/{ada.Account}/tier", new JsonObject { ["tier"] = 1 });
    }

    [Fact]
    public async Task Projects_and_keys_of_any_account_are_kept()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        string account = (await server.OkAsync("POST", "/accounts", new JsonObject { ["name"] = "Team" })).GetProperty("id").GetString()!;
        string project = (await server.OkAsync("POST", $"/accounts/{account}/projects", new JsonObject { ["name"] = "Web" })).GetProperty("id").GetString()!;
        await server.OkAsync("PUT", $"/accounts/{account}/projects/{project}", new JsonObject { ["name"] = "Site" });
        Assert.Equal("Web", (await server.AuditedAsync("project.rename")).GetProperty("before").GetProperty("name").GetString());
        JsonElement made = await server.OkAsync("POST", $"/accounts/{account}/keys", new JsonObject { ["name"] = "k", ["project"] = project, ["models"] = new JsonArray("glm-4.7"), ["spend_cap"] = 5 });
        string id = made.GetProperty("id").GetString()!;
        string credential = made.GetProperty("credential").GetString()!;
        Assert.Equal(account, (await server.OkAsync("GET", $"/keys/{id}")).GetProperty("account").GetString());
        Assert.Equal(1220, await CodeAsync(server, credential));
        JsonElement changed = await server.OkAsync("PUT", $"/accounts/{account}/keys/{id}", new JsonObject { ["models"] = null, ["name"] = "renamed" });
        Assert.Equal(5, changed.GetProperty("spend_cap").GetInt32());
        Assert.Equal(0, await CodeAsync(server, credential));
        string rotated = (await server.OkAsync("POST", $"/accounts/{account}/keys/{id}/rotate", new JsonObject())).GetProperty("credential").GetString()!;
        Assert.Equal(1000, await CodeAsync(server, credential));
        await server.OkAsync("PUT", $"/accounts/{account}/keys/{id}", new JsonObject { ["disabled"] = true });
        Assert.Equal(1000, await CodeAsync(server, rotated));
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/keys", new JsonObject { ["name"] = "k", ["ips"] = new JsonArray("10") }, "ips[0]", "10.0.0.0/8");
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/keys/{id}/rotate", new JsonObject { ["overlap_seconds"] = -1 }, "overlap_seconds", "0 to");

        // A key of one account does not exist under another.
        await server.RefusedAsync(404, "1214", "GET", $"/accounts/default/keys/{id}", null);
        await server.RefusedAsync(404, "1214", "DELETE", $"/accounts/default/keys/{id}", null);
        await server.RefusedAsync(404, "1214", "DELETE", $"/accounts/default/projects/{project}", null);
        Assert.Single((await server.OkAsync("GET", $"/accounts/{account}/keys?project={project}")).GetProperty("data").EnumerateArray());
        await server.OkAsync("DELETE", $"/accounts/{account}/keys/{id}");
        await server.OkAsync("DELETE", $"/accounts/{account}/projects/{project}");
        Assert.Single((await server.OkAsync("GET", $"/accounts/{account}/projects")).GetProperty("data").EnumerateArray());
    }

    [Fact]
    public async Task Money_is_granted_once_paid_back_and_adds_up()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        string account = (await server.OkAsync("POST", "/accounts", new JsonObject { ["name"] = "Team" })).GetProperty("id").GetString()!;
        var credits = new JsonObject { ["amount"] = "12.345678901", ["reference"] = "campaign", ["memo"] = "welcome" };
        JsonElement balances = await server.OkAsync("POST", $"/accounts/{account}/credits", credits);
        Assert.Equal("12.345678901", balances.GetProperty("data")[0].GetProperty("credits").GetString());
        await server.RefusedAsync(409, "1214", "POST", $"/accounts/{account}/credits", credits.DeepClone(), "reference");
        JsonElement audited = await server.AuditedAsync("credits.grant");
        Assert.Equal("0.00", audited.GetProperty("before").GetProperty("credits").GetString());
        Assert.Equal("12.345678901", audited.GetProperty("after").GetProperty("credits").GetString());
        foreach (string amount in (string[])["0", "-1", "1e3", "x", "0.0000000001", "100000001", "NaN", "'; DROP TABLE accounts; --"])
            await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/credits", new JsonObject { ["amount"] = amount }, "amount");
        await server.RefusedAsync(400, "1213", "POST", $"/accounts/{account}/credits", new JsonObject(), "amount");
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/credits", new JsonObject { ["amount"] = 1, ["currency"] = "dollars" }, "currency", "USD");

        var payment = new JsonObject { ["amount"] = 50, ["reference"] = "bank-7", ["note"] = "wire" };
        string paid = (await server.OkAsync("POST", $"/accounts/{account}/payments", payment)).GetProperty("id").GetString()!;
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/payments", payment.DeepClone(), "reference");
        await server.RefusedAsync(404, "1214", "POST", $"/accounts/default/payments/{paid}/refund", new JsonObject());
        Assert.Equal("20.00", (await server.OkAsync("POST", $"/accounts/{account}/payments/{paid}/refund", new JsonObject { ["amount"] = 20, ["note"] = "half" })).GetProperty("refunded").GetString());
        Assert.Equal("30.00", (await server.AuditedAsync("payment.refund")).GetProperty("after").GetProperty("cash").GetString());
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/payments/{paid}/refund", new JsonObject { ["amount"] = 31 }, "amount");
        await server.OkAsync("POST", $"/accounts/{account}/refunds", new JsonObject { ["amount"] = 1.5 });
        await server.RefusedAsync(400, "1213", "POST", $"/accounts/{account}/adjustments", new JsonObject { ["amount"] = -1 }, "memo");
        await server.OkAsync("POST", $"/accounts/{account}/adjustments", new JsonObject { ["amount"] = -1, ["memo"] = "rounding" });
        var pack = new JsonObject { ["quantity"] = 1000, ["units"] = new JsonArray("input_tokens", "output_tokens"), ["price"] = 10, ["days"] = 30 };
        await server.OkAsync("POST", $"/accounts/{account}/packs", pack);
        await server.RefusedAsync(400, "1214", "POST", $"/accounts/{account}/packs", new JsonObject { ["quantity"] = 1, ["units"] = new JsonArray("bananas"), ["days"] = 1 }, "units", "input_tokens");
        await server.RefusedAsync(429, "1113", "POST", $"/accounts/{account}/packs", new JsonObject { ["quantity"] = 1, ["units"] = new JsonArray("images"), ["days"] = 1, ["price"] = 1000 });
        JsonElement now = (await server.OkAsync("GET", $"/accounts/{account}/balance")).GetProperty("data")[0];
        Assert.Equal("30.50", now.GetProperty("cash").GetString());
        Assert.Equal("2.345678901", now.GetProperty("credits").GetString());
        Assert.Equal(1000, now.GetProperty("packs")[0].GetProperty("left").GetInt64());
        Assert.Equal(6, (await server.OkAsync("GET", $"/accounts/{account}/transactions")).GetProperty("data").GetArrayLength());
        Assert.Single((await server.OkAsync("GET", $"/accounts/{account}/payments")).GetProperty("data").EnumerateArray());
        Assert.True((await server.OkAsync("GET", "/ledger/check")).GetProperty("holds").GetBoolean());
    }

    [Fact]
    public async Task Plans_are_ordered_given_changed_struck_and_decided()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        string account = (await server.OkAsync("POST", "/accounts", new JsonObject { ["name"] = "Team" })).GetProperty("id").GetString()!;
        string plan = $"/accounts/{account}/plan";
        Assert.Equal(3, (await server.OkAsync("GET", "/plans")).GetProperty("data").GetArrayLength());
        await server.RefusedAsync(429, "1113", "POST", $"{plan}/order", new JsonObject { ["plan"] = "pro" });
        await server.RefusedAsync(400, "1214", "POST", $"{plan}/order", new JsonObject { ["plan"] = "gold" }, "plan", "lite, pro, max");
        await server.RefusedAsync(400, "1214", "POST", $"{plan}/order", new JsonObject { ["plan"] = "pro", ["cycle"] = "week" }, "cycle", "month, quarter, year");
        await server.RefusedAsync(409, "1214", "POST", $"{plan}/cancel", new JsonObject());
        await server.RefusedAsync(409, "1214", "POST", $"{plan}/renew", new JsonObject());
        await server.RefusedAsync(409, "1214", "POST", $"{plan}/change", new JsonObject { ["plan"] = "lite" });
        await server.OkAsync("POST", $"/accounts/{account}/credits", new JsonObject { ["amount"] = 100 });
        JsonElement ordered = await server.OkAsync("POST", $"{plan}/order", new JsonObject { ["plan"] = "pro" });
        Assert.Equal(72m, ordered.GetProperty("order").GetProperty("paid").GetDecimal());
        Assert.Equal("pro", (await server.AuditedAsync("plan.order")).GetProperty("after").GetProperty("plan").GetString());
        Assert.Equal("lite", (await server.OkAsync("POST", $"{plan}/change", new JsonObject { ["plan"] = "lite" })).GetProperty("next").GetProperty("plan").GetString());
        Assert.Equal(JsonValueKind.Null, (await server.OkAsync("POST", $"{plan}/change", new JsonObject())).GetProperty("next").ValueKind);
        Assert.False((await server.OkAsync("POST", $"{plan}/cancel", new JsonObject())).GetProperty("auto_renew").GetBoolean());
        Assert.True((await server.OkAsync("POST", $"{plan}/renew", new JsonObject())).GetProperty("auto_renew").GetBoolean());
        Assert.Equal(2, (await server.OkAsync("POST", $"{plan}/grant", new JsonObject { ["plan"] = "pro", ["months"] = 2, ["reason"] = "beta" })).GetProperty("terms").GetArrayLength());
        await server.RefusedAsync(400, "1213", "POST", $"{plan}/discount", new JsonObject { ["rate"] = 0.5 }, "until");
        await server.RefusedAsync(400, "1214", "POST", $"{plan}/discount", new JsonObject { ["rate"] = 2 }, "rate", "0 to 1");
        long until = DateTimeOffset.UtcNow.AddDays(30).ToUnixTimeMilliseconds();
        Assert.Equal(0.5m, (await server.OkAsync("POST", $"{plan}/discount", new JsonObject { ["rate"] = 0.5, ["until"] = until })).GetProperty("discount").GetProperty("rate").GetDecimal());
        await server.OkAsync("POST", $"{plan}/strike", new JsonObject { ["reason"] = "resale" });
        JsonElement audited = await server.AuditedAsync("plan.strike");
        Assert.Equal((0, 1), (audited.GetProperty("before").GetProperty("strikes").GetInt32(), audited.GetProperty("after").GetProperty("strikes").GetInt32()));
        await server.RefusedAsync(400, "1213", "POST", $"{plan}/appeal", new JsonObject(), "accepted");
        Assert.Equal(0, (await server.OkAsync("POST", $"{plan}/appeal", new JsonObject { ["accepted"] = true })).GetProperty("strikes").GetInt32());
        JsonElement history = (await server.OkAsync("GET", $"{plan}/history")).GetProperty("data");
        Assert.Equal(9, history.GetArrayLength());
        Assert.All(history.EnumerateArray(), item => Assert.StartsWith("key:", item.GetProperty("author").GetString()));
        Assert.Equal("pro", (await server.OkAsync("GET", $"/accounts/{account}")).GetProperty("plan").GetProperty("plan").GetString());
        Assert.Empty(await server.Harness.Server.Ledger.AuditAsync());
    }

    [Fact]
    public async Task Catalogue_versions_are_checked_stored_put_in_force_and_rolled_back()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        await server.RefusedAsync(409, "1214", "POST", "/catalogue/rollback", new JsonObject());
        const string Dearer = "prices:\n  - { model: glm-4.7, currency: USD, input: 9 }\n";
        Assert.True((await server.OkAsync("POST", "/catalogue/validate", new JsonObject { ["text"] = Dearer })).GetProperty("valid").GetBoolean());
        await server.RefusedAsync(400, "1214", "POST", "/catalogue/validate", new JsonObject { ["text"] = "prices:\n  - { model: glm-4.7, colour: 9 }\n" }, "text", "line 2", "colour");
        await server.RefusedAsync(400, "1213", "POST", "/catalogue/versions", new JsonObject(), "text");
        await server.RefusedAsync(400, "1214", "POST", "/plan-rules/versions", new JsonObject { ["text"] = Dearer }, "text");
        Assert.Equal(0, (await server.OkAsync("GET", "/catalogue")).GetProperty("data").GetArrayLength());
        long id = (await server.OkAsync("POST", "/catalogue/versions", new JsonObject { ["text"] = Dearer, ["note"] = "dearer" })).GetProperty("id").GetInt64();
        string before = await PriceAsync();
        await server.OkAsync("POST", $"/catalogue/versions/{id}/activate", new JsonObject());
        Assert.Equal("9.00", await PriceAsync());
        JsonElement audited = await server.AuditedAsync("catalogue.activate");
        Assert.Equal((0, id), (audited.GetProperty("before").GetProperty("version").GetInt64(), audited.GetProperty("after").GetProperty("version").GetInt64()));
        Assert.Equal(Dearer, (await server.OkAsync("GET", $"/catalogue/versions/{id}")).GetProperty("text").GetString());
        await server.RefusedAsync(404, "1214", "POST", "/catalogue/versions/99/activate", new JsonObject());
        await server.RefusedAsync(404, "1214", "GET", $"/plan-rules/versions/{id}", null);
        Assert.Equal(id, (await server.OkAsync("POST", "/catalogue/rollback", new JsonObject())).GetProperty("former").GetInt64());
        Assert.Equal(before, await PriceAsync());
        JsonElement model = (await server.OkAsync("GET", "/catalogue/models")).GetProperty("data").EnumerateArray().First(each => each.GetProperty("code").GetString() == "glm-4.7");
        Assert.Equal(4, model.GetProperty("concurrency").GetArrayLength());
        await server.RefusedAsync(400, "1214", "GET", "/catalogue/prices?currency=bars", null, "currency");

        async Task<string> PriceAsync() =>
            (await server.OkAsync("GET", "/catalogue/prices?model=glm-4.7&currency=USD")).GetProperty("data")[0].GetProperty("input_tokens").GetProperty("amount").GetString()!;
    }

    [Fact]
    public async Task Audit_usage_store_and_backup_are_read()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        await server.Harness.ChatAsync("""{"model":"glimmer-tiny","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal(1, (await server.OkAsync("GET", "/accounts/default/usage?split=model,key")).GetProperty("data")[0].GetProperty("requests").GetInt32());
        string project = (await server.OkAsync("GET", "/accounts/default/projects")).GetProperty("data")[0].GetProperty("id").GetString()!;
        Assert.Equal(project, (await server.OkAsync("GET", $"/accounts/default/usage?split=project&project={project}")).GetProperty("data")[0].GetProperty("project").GetString());
        Assert.Equal(project, Assert.Single((await server.OkAsync("GET", "/accounts/default/requests")).GetProperty("data").EnumerateArray()).GetProperty("project").GetString());
        Assert.Equal(0, (await server.OkAsync("GET", "/accounts/default/bills")).GetProperty("data").GetArrayLength());
        await server.RefusedAsync(400, "1214", "GET", "/accounts/default/usage?span=week", null, "span", "month");
        await server.RefusedAsync(400, "1214", "GET", "/accounts/default/usage?from=2026-02-30", null, "from");

        await server.OkAsync("PUT", "/accounts/default/tier", new JsonObject { ["tier"] = 2 });
        await server.OkAsync("PUT", "/accounts/default/name", new JsonObject { ["name"] = "Us" });
        JsonElement page = await server.OkAsync("GET", "/audit?limit=1&account=default&action=account.");
        Assert.Equal("account.rename", page.GetProperty("data")[0].GetProperty("action").GetString());
        JsonElement next = await server.OkAsync("GET", $"/audit?limit=1&account=default&action=account.&before={page.GetProperty("next").GetInt64()}");
        Assert.Equal("account.tier", next.GetProperty("data")[0].GetProperty("action").GetString());
        Assert.Equal(0, (await server.OkAsync("GET", "/audit?actor=nobody")).GetProperty("data").GetArrayLength());
        Assert.All((await server.OkAsync("GET", "/audit?actor=system")).GetProperty("data").EnumerateArray(), record => Assert.Equal("system", record.GetProperty("actor").GetString()));
        await server.RefusedAsync(404, "1214", "GET", "/audit?account=acc-nobody", null);

        JsonElement store = await server.OkAsync("GET", "/store");
        Assert.Equal("sqlite", store.GetProperty("kind").GetString());
        Assert.Matches("^[0-9]{4}_[a-z_]+$", store.GetProperty("schema").GetString());
        Assert.True((await server.OkAsync("GET", "/store/check")).GetProperty("holds").GetBoolean());
        foreach (bool portable in (bool[])[false, true])
        {
            JsonElement backup = await server.OkAsync("POST", "/store/backup", new JsonObject { ["portable"] = portable });
            string file = backup.GetProperty("file").GetString()!;
            Assert.Equal(backup.GetProperty("bytes").GetInt64(), new FileInfo(file).Length);
            Assert.StartsWith(Path.Combine(server.Harness.Folder, "backups"), file, StringComparison.Ordinal);
        }

        Assert.Equal(2, (await server.OkAsync("GET", "/audit?action=store.backup")).GetProperty("data").GetArrayLength());
    }

    [Fact]
    public async Task An_accounts_own_limit_counts_in_place_of_its_tiers()
    {
        await using AdminServer server = await AdminServer.StartAsync();
        Assert.Null(Limit());
        await server.OkAsync("PUT", "/accounts/default/limits", new JsonObject { ["concurrency"] = 3 });
        Assert.Equal(3, Limit());

        int? Limit() => new Glimmer.Platform.Admission.DirectoryCallers(server.Harness.Server.Accounts.Directory, Currency.Usd).Find(server.Harness.Server.FirstKey!.Value.Key).Concurrency;
    }

    private static async Task<int> CodeAsync(AdminServer server, string credential, string? user = null)
    {
        using HttpClient client = server.ClientOf(credential);
        var body = new JsonObject { ["model"] = "glimmer-tiny", ["messages"] = new JsonArray(new JsonObject { ["role"] = "user", ["content"] = "hi" }), ["user_id"] = user };
        using HttpResponseMessage response = await client.PostAsync("/api/paas/v4/chat/completions", new StringContent(body.ToJsonString(), System.Text.Encoding.UTF8, "application/json"));
        JsonElement answer = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        return answer.TryGetProperty("error", out JsonElement error) ? int.Parse(error.GetProperty("code").GetString()!, System.Globalization.CultureInfo.InvariantCulture) : 0;
    }

    private static List<string> Names(JsonElement page) => [.. page.GetProperty("data").EnumerateArray().Select(account => account.GetProperty("name").GetString()!)];
}
