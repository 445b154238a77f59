using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Server.Tests.Chat;
using Glimmer.Server.Tests.Support;
using Microsoft.Data.Sqlite;

namespace Glimmer.Server.Tests.Billing;

/// <summary>What requests cost, over HTTP. The scripted answer uses 107 input tokens, 100 of them cached, and 34 output tokens.</summary>
public sealed class BillingTests
{
    private const string Coding = "/api/coding/paas/v4/chat/completions";
    private const string General = "/api/paas/v4/chat/completions";

    // 7 x 0.6 + 100 x 0.11 + 34 x 2.2 per million.
    private const decimal Cost = 0.00009m;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_metered_request_pays_exactly_what_it_used_and_names_its_version(bool stream)
    {
        await using ServerHarness harness = await StartAsync();
        await FundAsync(harness, 1);
        if (stream)
            await harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        else
            await harness.ChatAsync(Body("glm-4.7"));
        Assert.Equal(1 - Cost, Cash(harness));

        long version = await harness.Server.CatalogueVersions.AddAsync(VersionKind.Catalogue, "prices:\n  - { model: glm-4.7, currency: USD, input: 1000 }", "admin", "");
        await harness.Server.CatalogueVersions.ActivateAsync(VersionKind.Catalogue, version, "admin");
        await harness.ChatAsync(Body("glm-4.7"));
        Assert.Equal(1 - Cost - 0.107m, Cash(harness));
        Assert.Empty(await harness.Server.Ledger.AuditAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_last_byte_waits_until_the_charge_is_stored(bool stream)
    {
        await using ServerHarness harness = await StartAsync();
        await FundAsync(harness, 1);
        await using var other = new SqliteConnection($"Data Source={Path.Combine(harness.Folder, StoreSettings.FileName)};Pooling=False");
        await other.OpenAsync();
        Execute("BEGIN IMMEDIATE");
        Task<HttpResponseMessage> asking = harness.PostAsync(Body("glm-4.7", stream ? ",\"stream\":true" : ""));
        await ServerHarness.UntilAsync(() => Cash(harness) == 1 - Cost);
        Assert.NotSame(asking, await Task.WhenAny(asking, Task.Delay(300)));
        Execute("COMMIT");
        using HttpResponseMessage answered = await asking.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(200, (int)answered.StatusCode);

        void Execute(string sql)
        {
            using SqliteCommand command = other.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
    }

    [Fact]
    public async Task Without_funds_1113_and_free_models_are_never_charged()
    {
        await using ServerHarness harness = await StartAsync();
        using (HttpResponseMessage refused = await harness.PostAsync(Body("glm-4.7")))
        {
            Assert.Equal((429, "1113"), ((int)refused.StatusCode, await CodeAsync(refused)));
            Assert.Equal("false", refused.Headers.GetValues("x-should-retry").Single());
        }

        await harness.ChatAsync(Body("glm-4.7-flash"));
        await harness.ChatAsync(Body("glimmer-tiny"));
        Assert.Equal(0, Cash(harness));
        await FundAsync(harness, 0.00005m);
        await harness.ChatAsync(Body("glm-4.7"));
        Assert.Equal(-0.00004m, Cash(harness));
        using HttpResponseMessage arrears = await harness.PostAsync(Body("glm-4.7"));
        Assert.Equal("1113", await CodeAsync(arrears));
    }

    [Fact]
    public async Task A_fresh_install_records_everything_and_charges_nothing()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        await harness.ChatAsync(Body("glm-4.7"));
        await harness.ChatAsync(Body("glm-5.1"), Coding);
        Assert.Equal(0, Cash(harness));
        JsonElement usage = (await MonitorAsync(harness, "usage/model-usage")).GetProperty("data").GetProperty("totalUsage");
        Assert.Equal((2, 282), (usage.GetProperty("totalModelCallCount").GetInt32(), usage.GetProperty("totalTokensUsage").GetInt32()));
        Assert.Equal(["glm-4.7", "glm-5.1"], usage.GetProperty("modelSummaryList").EnumerateArray().Select(item => item.GetProperty("modelName").GetString()!).Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Faults_before_the_first_token_cost_nothing_and_leave_nothing_set_aside(bool stream)
    {
        await using ServerHarness harness = await StartAsync();
        await FundAsync(harness, 1);
        string body = Body("glm-4.7", $",\"request_id\":\"request-17\",\"stream\":{(stream ? "true" : "false")}");
        foreach (ChatScript script in new[]
        {
            ChatScript.Of("a") with { StartFault = new InvalidOperationException("x") },
            ChatScript.Of("a") with { Error = Glimmer.Protocol.Errors.PlatformError.Of(Glimmer.Protocol.Errors.BusinessCode.PromptTooLong) },
            ChatScript.Of("a") with { FaultAt = 0 },
        })
        {
            harness.Backend.Script = _ => script;
            using HttpResponseMessage response = await harness.PostAsync(body);
            Assert.NotEqual(200, (int)response.StatusCode);
        }

        Balance balance = harness.Server.Ledger.BalanceOf(harness.Server.Accounts.DefaultAccount.PublicId, Currency.Usd);
        Assert.Equal((1m, 0m), (balance.Cash.Amount, balance.Held.Amount));

        // The id was given back with the rest.
        harness.Backend.Script = static _ => ChatScript.Of("fine");
        using HttpResponseMessage fine = await harness.PostAsync(body);
        Assert.Equal(200, (int)fine.StatusCode);
        await fine.Content.ReadAsStringAsync();
        using HttpResponseMessage again = await harness.PostAsync(body);
        Assert.Equal((400, "1231"), ((int)again.StatusCode, await CodeAsync(again)));
    }

    [Fact]
    public async Task A_stream_that_breaks_and_a_client_that_leaves_pay_for_what_was_made()
    {
        await using ServerHarness harness = await StartAsync();
        await FundAsync(harness, 1);
        harness.Backend.Script = static _ => ChatScript.Of("a", "b") with { FaultAt = 1 };
        await harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        Assert.Equal(1 - Cost, Cash(harness));

        Channel<int> gate = Channel.CreateUnbounded<int>();
        gate.Writer.TryWrite(0);
        harness.Backend.Script = _ => ChatScript.Of("a", "b") with { Gate = gate.Reader, HangAtEnd = true };
        using (var client = new CancellationTokenSource())
        using (HttpResponseMessage response = await harness.PostAsync(Body("glm-4.7", ",\"stream\":true"), completion: HttpCompletionOption.ResponseHeadersRead))
        {
            Stream stream = await response.Content.ReadAsStreamAsync(client.Token);
            Assert.True(await stream.ReadAsync(new byte[1], client.Token) == 1);
        }

        await ServerHarness.UntilAsync(() => Cash(harness) == 1 - (2 * Cost));

        // Nobody got anything of a whole answer that broke.
        harness.Backend.Script = static _ => ChatScript.Of("a", "b") with { FaultAt = 1 };
        using HttpResponseMessage broken = await harness.PostAsync(Body("glm-4.7"));
        Assert.Equal(500, (int)broken.StatusCode);
        Assert.Equal(1 - (2 * Cost), Cash(harness));
        Assert.Equal(0, harness.Server.Ledger.BalanceOf(harness.Server.Accounts.DefaultAccount.PublicId, Currency.Usd).Held.Amount);
    }

    [Fact]
    public async Task A_plan_pays_on_its_bases_and_never_falls_back_to_the_balance()
    {
        // 9:00 in UTC+8, a Monday: not peak.
        var clock = new ServerClock(new DateTimeOffset(2027, 1, 4, 1, 0, 0, TimeSpan.Zero));
        await using ServerHarness harness = await StartAsync(clock, "rules:\n  quota: { calls_per_prompt: 1 }\nplans:\n  tiny: { level: lite, rank: 1, window_prompts: 3, week_prompts: 4, tool_calls: 100, concurrency: 1, off_peak_concurrency: 1, surfaces: [coding, anthropic], models: [glm-4.7, glm-5.1] }\nprices:\n  - { plan: tiny, cycle: month, currency: USD, amount: 0.5 }\nfactors:\n  - { models: [glm-5.1], factor: 2 }\n");
        await AssertCodeAsync(harness, Coding, "glm-4.7", "1113");
        await FundAsync(harness, 1);
        await AssertCodeAsync(harness, Coding, "glm-4.7", "1113");
        Assert.NotNull((await harness.Server.Subscriptions.OrderAsync(harness.Server.Accounts.DefaultAccount.PublicId, "tiny", PlanCycle.Month, Currency.Usd, "test")).Quote);
        Assert.Equal(0.5m, Cash(harness));

        await harness.ChatAsync(Body("GLM-4.7"), Coding);
        await harness.ChatAsync(Body("glm-5.1"), Coding);
        Assert.Equal(0.5m, Cash(harness));
        await AssertCodeAsync(harness, Coding, "glm-4.6", "1311");
        using (HttpResponseMessage full = await harness.PostAsync(Body("glm-4.7"), Coding))
        {
            Assert.Equal(429, (int)full.StatusCode);
            JsonElement error = await ChatRefusalTests.ErrorAsync(full);
            Assert.Equal(("1308", "Usage limit reached for 5 hour. The limit resets at 2027-01-04 14:00:00"), (error.GetProperty("code").GetString(), error.GetProperty("message").GetString()));
        }

        Assert.Equal(0.5m, Cash(harness));
        await harness.ChatAsync(Body("glm-4.7"), General);
        Assert.Equal(0.5m - Cost, Cash(harness));

        JsonElement quota = (await MonitorAsync(harness, "usage/quota/limit")).GetProperty("data");
        Assert.Equal("lite", quota.GetProperty("level").GetString());
        JsonElement[] limits = [.. quota.GetProperty("limits").EnumerateArray()];
        Assert.Equal(["TOKENS_LIMIT 3 5 100", "TOKENS_LIMIT 6 1 75", "TIME_LIMIT 5 1 0"], limits.Select(limit =>
            $"{limit.GetProperty("type").GetString()} {limit.GetProperty("unit")} {limit.GetProperty("number")} {limit.GetProperty("percentage")}"));
        Assert.Equal(clock.GetUtcNow().AddHours(5).ToUnixTimeMilliseconds(), limits[0].GetProperty("nextResetTime").GetInt64());
        Assert.Equal(clock.GetUtcNow().AddDays(7).ToUnixTimeMilliseconds(), limits[1].GetProperty("nextResetTime").GetInt64());
        Assert.Equal((100, 0, 100), (limits[2].GetProperty("usage").GetInt32(), limits[2].GetProperty("currentValue").GetInt32(), limits[2].GetProperty("remaining").GetInt32()));
        Assert.Equal(["search-prime", "web-reader", "zread"], limits[2].GetProperty("usageDetails").EnumerateArray().Select(item => item.GetProperty("modelCode").GetString()!));
        JsonElement list = (await MonitorAsync(harness, "subscription/list", "/api/biz/")).GetProperty("data");
        Assert.Equal("GLM Coding Tiny", list[0].GetProperty("productName").GetString());

        clock.Advance(TimeSpan.FromHours(5));
        await harness.ChatAsync(Body("glm-4.7"), Coding);
        await AssertCodeAsync(harness, Coding, "glm-4.7", "1310");
        clock.Advance(TimeSpan.FromDays(60));
        await AssertCodeAsync(harness, Coding, "glm-4.7", "1309");
    }

    [Fact]
    public async Task Rules_of_keys_accounts_and_end_users_hold_over_http()
    {
        await using ServerHarness harness = await StartAsync();
        PlatformAccounts accounts = harness.Server.Accounts;
        AccountEntry team = (await accounts.Accounts.CreateAsync(Actor.System, "team")).Value!;
        await harness.Server.Ledger.DepositAsync(team.PublicId, Money.Of(1, Currency.Usd), "team");
        var rules = new KeyRules { Models = ["glm-4.7"], SpendCap = Money.Of(0.0001m, Currency.Usd).Units };
        string key = (await accounts.Keys.CreateAsync(Actor.System, team.Id, null, "capped", rules: rules)).Value.Credential;
        harness.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);

        await AssertCodeAsync(harness, General, "glm-4.6", "1220");
        await harness.ChatAsync(Body("glm-4.7"));
        await harness.ChatAsync(Body("glm-4.7"));
        await AssertCodeAsync(harness, General, "glm-4.7", "1113");
        Assert.Equal(1 - (2 * Cost), harness.Server.Ledger.BalanceOf(team.PublicId, Currency.Usd).Cash.Amount);
        Assert.Equal(0, Cash(harness));

        await accounts.Accounts.LockEndUserAsync(Actor.System, team.Id, "troll-17");
        using HttpResponseMessage locked = await harness.PostAsync(Body("glm-4.7", ",\"user_id\":\"troll-17\""));
        Assert.Equal((429, "1121"), ((int)locked.StatusCode, await CodeAsync(locked)));
    }

    [Fact]
    public async Task A_full_platform_lets_wait_and_says_where_in_the_line()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequests = 1, QueueLength = 2, QueuePatience = TimeSpan.FromMinutes(2) });
        Channel<int> gate = Channel.CreateUnbounded<int>();
        harness.Backend.Script = _ => ChatScript.Of("a") with { Gate = gate.Reader };
        Task<HttpResponseMessage> first = harness.PostAsync(Body("glm-4.7"));
        await ServerHarness.UntilAsync(() => harness.Backend.Active == 1);
        Task<HttpResponseMessage>[] waiting = [harness.PostAsync(Body("glm-4.7")), harness.PostAsync(Body("glm-4.7"))];
        await ServerHarness.UntilAsync(() => harness.Server.Places.Waiting == 2);
        await AssertCodeAsync(harness, General, "glm-4.7", "1305");
        for (int i = 0; i < 3; i++)
            gate.Writer.TryWrite(i);
        using (HttpResponseMessage served = await first)
            Assert.False(served.Headers.Contains("X-Glimmer-Queue-Position"));
        var positions = new List<string>();
        foreach (HttpResponseMessage response in await Task.WhenAll(waiting))
        {
            Assert.Equal(200, (int)response.StatusCode);
            positions.Add(response.Headers.GetValues("X-Glimmer-Queue-Position").Single());
            response.Dispose();
        }

        Assert.Equal(["1", "2"], positions.Order());
    }

    [Fact]
    public async Task The_monitor_tells_wrong_keys_and_times_in_its_body()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        using var stranger = new HttpClient { BaseAddress = harness.Server.Addresses[0] };
        stranger.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "a.b");
        using JsonDocument refused = JsonDocument.Parse(await stranger.GetStringAsync("/api/monitor/usage/quota/limit"));
        Assert.Equal((401, false), (refused.RootElement.GetProperty("code").GetInt32(), refused.RootElement.GetProperty("success").GetBoolean()));
        Assert.Equal("free", (await MonitorAsync(harness, "usage/quota/limit")).GetProperty("data").GetProperty("level").GetString());
        foreach (string query in new[] { "startTime=yesterday", "endTime=2026-13-01%2000:00:00", "startTime=2026-01-02%2000:00:00&endTime=2026-01-01%2000:00:00", "startTime=0001-01-01%2000:00:00" })
        {
            JsonElement wrong = await MonitorAsync(harness, "usage/model-usage?" + query);
            Assert.Equal((1214, false), (wrong.GetProperty("code").GetInt32(), wrong.GetProperty("success").GetBoolean()));
        }

        JsonElement tools = (await MonitorAsync(harness, "usage/tool-usage?startTime=2026-01-01%2000:00:00&endTime=2026-01-31%2023:59:59")).GetProperty("data");
        Assert.Equal(31, tools.GetProperty("x_time").GetArrayLength());
        Assert.Equal(31, tools.GetProperty("networkSearchCount").GetArrayLength());
    }

    private static async Task<ServerHarness> StartAsync(TimeProvider? time = null, string? plans = null)
    {
        return await ServerHarness.StartAsync(
            options =>
            {
                if (plans is not null)
                    File.WriteAllText(Path.Combine(options.DataFolder, PlanRules.FileName), plans);
                return options with { BillingMode = BillingMode.Metered };
            },
            time: time);
    }

    private static Task FundAsync(ServerHarness harness, decimal amount) =>
        harness.Server.Ledger.DepositAsync(harness.Server.Accounts.DefaultAccount.PublicId, Money.Of(amount, Currency.Usd), Guid.NewGuid().ToString());

    private static decimal Cash(ServerHarness harness) => harness.Server.Ledger.BalanceOf(harness.Server.Accounts.DefaultAccount.PublicId, Currency.Usd).Cash.Amount;

    private static string Body(string model, string more = "") =>
        string.Create(CultureInfo.InvariantCulture, $"{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}]{more}}}");

    private static async Task AssertCodeAsync(ServerHarness harness, string path, string model, string code)
    {
        using HttpResponseMessage response = await harness.PostAsync(Body(model), path);
        Assert.Equal(code, await CodeAsync(response));
    }

    private static async Task<JsonElement> MonitorAsync(ServerHarness harness, string path, string root = "/api/monitor/")
    {
        using HttpResponseMessage response = await harness.Client.GetAsync(root + path);
        Assert.Equal(200, (int)response.StatusCode);
        return JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage response) => (await ChatRefusalTests.ErrorAsync(response)).GetProperty("code").GetString();
}
