using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Tests.EndToEnd;

public sealed class AdminCommandsTests : ProgramTests
{
    [Fact]
    public async Task Accounts_projects_keys_and_money_go_round()
    {
        string account = (await OutputAsync("accounts", "create", "Team ü")).Trim();
        Assert.Contains("Team ü", await OutputAsync("accounts", "list", "--search", "team"));
        Assert.Equal("none", (await OutputAsync("accounts", "list", "--search", "nobody")).Trim());
        Assert.Contains("state: locked", await OutputAsync("accounts", "state", account, "locked", "--reason", "test", "--until", "2035-01-01"));
        Assert.Equal(2, (await JsonAsync("accounts", "tier", account, "2")).GetProperty("tier").GetInt32());
        Assert.Equal(7, (await JsonAsync("accounts", "limit", account, "--concurrency", "7")).GetProperty("concurrency").GetInt32());
        Assert.Equal(JsonValueKind.Null, (await JsonAsync("accounts", "limit", account, "--of-tier")).GetProperty("concurrency").ValueKind);
        (await RunAsync("accounts", "state", account, "happy", "--data", "d")).AssertOneClearLine(1, "accounts:", "state", "happy", "in_arrears");
        (await RunAsync("accounts", "show", "acc-nobody", "--data", "d")).AssertOneClearLine(1, "acc-nobody");
        (await RunAsync("accounts", "promote", "nobody@example.com", "--data", "d")).AssertOneClearLine(1, "user");

        string project = (await OutputAsync("projects", "create", "Web", "--account", account)).Trim();
        string credential = (await OutputAsync("keys", "create", "--name", "k", "--project", project, "--models", "glm-4.7,glm-5", "--account", account)).Trim();
        string id = credential[..credential.IndexOf('.', StringComparison.Ordinal)];
        Assert.Contains("models: glm-4.7,glm-5", await OutputAsync("keys", "show", id));
        Assert.Equal(JsonValueKind.Null, (await JsonAsync("keys", "set", id, "--any-model", "--spend-cap", "5", "--account", account)).GetProperty("models").ValueKind);
        Assert.NotEqual(credential, (await OutputAsync("keys", "rotate", id, "--overlap-hours", "1", "--account", account)).Trim());
        Assert.Contains($"{id} is off.", await OutputAsync("keys", "disable", id, "--account", account));
        Assert.Contains("off", await OutputAsync("keys", "list", "--account", account));
        (await RunAsync("keys", "set", id, "--operator", "--account", account, "--data", "d")).AssertOneClearLine(1, "operator", "default account");
        (await RunAsync("keys", "disable", id, "--data", "d")).AssertOneClearLine(1, "key");

        Assert.Contains("12.50", await OutputAsync("ledger", "grant", "12.5", "--reference", "r1", "--account", account));
        (await RunAsync("ledger", "grant", "12.5", "--reference", "r1", "--account", account, "--data", "d")).AssertOneClearLine(1, "reference");
        string payment = (await JsonAsync("ledger", "pay", "100", "--reference", "bank", "--account", account)).GetProperty("id").GetString()!;
        Assert.Contains("refunded: 40.00", await OutputAsync("ledger", "refund", payment, "--amount", "40", "--account", account));
        Assert.Contains("59.00", await OutputAsync("ledger", "adjust", "--amount", "-1", "--memo", "rounding", "--account", account));
        Assert.Contains("new: price 18.00", await OutputAsync("plans", "order", "lite", "--account", account));
        Assert.Contains("renewal off", await OutputAsync("plans", "cancel", "--account", account));
        Assert.Equal(5, (await JsonAsync("usage", "transactions", "--account", account)).GetProperty("data").GetArrayLength());
        Assert.Equal("The books hold.", (await OutputAsync("ledger", "check")).Trim());

        JsonElement audit = (await JsonAsync("audit", "list", "--account", account, "--action", "account.state")).GetProperty("data")[0];
        Assert.Equal(("cli", "Active", "Locked"), (audit.GetProperty("actor").GetString(), audit.GetProperty("before").GetProperty("state").GetString(), audit.GetProperty("after").GetProperty("state").GetString()));
        (await RunAsync("accounts", "close", account, "--confirm", "yes", "--data", "d")).AssertOneClearLine(1, "confirm", account);
        Assert.Contains("closed", await OutputAsync("accounts", "close", account, "--confirm", account));
    }

    [Fact]
    public async Task The_store_is_backed_up_checked_and_restored()
    {
        string account = (await OutputAsync("accounts", "create", "Kept")).Trim();
        Assert.Contains("up to date (00", await OutputAsync("store", "migrate"));
        Assert.Contains("kind: sqlite", await OutputAsync("store", "show"));
        Assert.Contains("whole", await OutputAsync("store", "check"));
        foreach (string[] form in (string[][])[[], ["--portable"]])
        {
            string file = $"backup-{form.Length}";
            Assert.Contains("protection.key", await OutputAsync(["store", "backup", file, .. form]));
            (await RunAsync("store", "backup", file, "--data", "d")).AssertOneClearLine(73, "exists already");
            string folder = $"restored-{form.Length}";
            Directory.CreateDirectory(Path.Combine(Folder, folder));
            File.Copy(Path.Combine(Folder, "d", "protection.key"), Path.Combine(Folder, folder, "protection.key"));
            ProgramRun restored = await RunAsync("store", "restore", file, "--data", folder);
            Assert.True(restored.ExitCode == 0, restored.Errors);
            Assert.Contains(account, (await RunAsync("accounts", "list", "--data", folder)).Output);
            (await RunAsync("store", "restore", file, "--data", folder)).AssertOneClearLine(73, "already");
        }

        string no = Write("no.db", "nothing");
        (await RunAsync("store", "restore", no, "--data", "other")).AssertOneClearLine(73, "not a backup");
    }

    /// <summary>A server that runs on the store counts what a command changes within a second.</summary>
    [Fact]
    public async Task A_running_server_follows_what_commands_change()
    {
        var options = new GlimmerOptions { Port = 0, DataFolder = Path.Combine(Folder, "d"), LogLevel = LogLevel.Error, StoreDurability = StoreDurability.Off };
        await using var server = GlimmerServer.Create(options, new ChatBackendSlot());
        await server.StartAsync(TestContext.Current.CancellationToken);
        string credential = (await OutputAsync("keys", "create", "--operator")).Trim();
        string id = credential[..credential.IndexOf('.', StringComparison.Ordinal)];
        using var client = new HttpClient { BaseAddress = server.Addresses[0] };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", credential);
        await FollowsAsync("/api/admin/accounts", HttpStatusCode.OK);
        await OutputAsync("keys", "set", id, "--no-operator");
        await FollowsAsync("/api/admin/accounts", HttpStatusCode.Forbidden);
        await FollowsAsync("/api/paas/v4/models", HttpStatusCode.OK);
        await OutputAsync("accounts", "state", "default", "locked");
        await FollowsAsync("/api/paas/v4/models", HttpStatusCode.TooManyRequests);
        await OutputAsync("accounts", "state", "default", "active");
        await FollowsAsync("/api/paas/v4/models", HttpStatusCode.OK);
        await OutputAsync("ledger", "grant", "5");
        string account = server.Accounts.DefaultAccount.PublicId;
        await Eventually.HoldsAsync(() => server.Ledger.BalanceOf(account, Glimmer.Platform.Ledger.Currency.Usd).Credits.Amount == 5);
        await OutputAsync("plans", "grant", "pro");
        await Eventually.HoldsAsync(() => !server.Plans.Of(account).Terms.IsEmpty);
        await OutputAsync("keys", "disable", id);
        await FollowsAsync("/api/paas/v4/models", HttpStatusCode.Unauthorized);
        Assert.Empty(await server.Ledger.AuditAsync());

        async Task FollowsAsync(string path, HttpStatusCode status)
        {
            HttpStatusCode got = default;
            await Eventually.HoldsAsync(() =>
            {
                using HttpResponseMessage response = client.GetAsync(path).GetAwaiter().GetResult();
                got = response.StatusCode;
                return got == status;
            });
            Assert.Equal(status, got);
        }
    }

    private async Task<string> OutputAsync(params string[] arguments)
    {
        ProgramRun run = await RunAsync([.. arguments, "--data", "d"]);
        Assert.True(run.ExitCode == 0, $"{string.Join(' ', arguments)}: {run.Errors}{run.Output}");
        return run.Output;
    }

    private async Task<JsonElement> JsonAsync(params string[] arguments) => JsonDocument.Parse(await OutputAsync([.. arguments, "--json"])).RootElement;
}
