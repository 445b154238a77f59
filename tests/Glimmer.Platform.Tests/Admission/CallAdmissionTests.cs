using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Ledger;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Admission;

public sealed class CallAdmissionTests : IDisposable
{
    private readonly TestLedger _books = new(StoreKind.Sqlite);
    private readonly CatalogueSource _catalogue = new(Catalogue.Load());
    private readonly PlanGate _plans = new(PlanRules.Load());
    private readonly Policy _policy = new();

    [Fact]
    public async Task Key_rules_and_locked_end_users_come_first_and_take_nothing()
    {
        CallAdmission calls = Calls(BillingMode.Free);
        _policy.Caller = new Caller("a", "p", "k") { Models = ["GLM-4.7"] };
        Assert.Equal((BusinessCode.ApiForbidden, 403), Code(await Enter(calls, "glm-4.6", id: "request-1")));
        CallEntry passed = await Enter(calls, "glm-4.7", id: "request-1");
        Assert.Null(passed.Error);
        _policy.Locked = PlatformError.Of(BusinessCode.AccountIrregular);
        Assert.Equal((BusinessCode.AccountIrregular, 429), Code(await Enter(calls, "glm-4.7")));
        passed.Call!.Dispose();
    }

    [Fact]
    public async Task Tiers_limit_what_runs_and_how_often_and_accounts_without_a_tier_are_not_limited()
    {
        _catalogue.Current = Catalogue.Load(null, "models:\n  - { code: glm-4.7, concurrency: [1, 2], per_minute: [0, 60], per_day: [2, 0] }", 1);
        CallAdmission calls = Calls(BillingMode.Free);
        _policy.Caller = new Caller("a", "p", "k", Tier: 0);
        CallEntry first = await Enter(calls, "glm-4.7");
        Assert.Equal(BusinessCode.ConcurrencyExceeded, Code(await Enter(calls, "glm-4.7")).Code);
        first.Call!.Dispose();
        Assert.Equal(BusinessCode.DailyLimitReached, Code(await Enter(calls, "glm-4.7")).Code);
        _policy.Caller = new Caller("b", "p", "k", Tier: 3);
        for (int i = 0; i < 10; i++)
            (await Enter(calls, "glm-4.7")).Call!.Dispose();
        Assert.Equal(BusinessCode.FrequencyExceeded, Code(await Enter(calls, "glm-4.7")).Code);
        _policy.Caller = new Caller("c", "p", "k");
        for (int i = 0; i < 100; i++)
            (await Enter(calls, "glm-4.7")).Call!.Dispose();
    }

    [Fact]
    public async Task An_account_s_own_limit_counts_in_place_of_its_tier_s()
    {
        _catalogue.Current = Catalogue.Load(null, "models:\n  - { code: glm-4.7, concurrency: [1, 2] }", 1);
        CallAdmission calls = Calls(BillingMode.Free);
        _policy.Caller = new Caller("a", "p", "k", Tier: 0) { Concurrency = 2 };
        CallEntry first = await Enter(calls, "glm-4.7"), second = await Enter(calls, "glm-4.7");
        Assert.Equal(BusinessCode.ConcurrencyExceeded, Code(await Enter(calls, "glm-4.7")).Code);
        first.Call!.Dispose();
        second.Call!.Dispose();
        _policy.Caller = new Caller("owner", "p", "k") { Concurrency = 1 };
        CallEntry only = await Enter(calls, "glm-4.7");
        Assert.Equal(BusinessCode.ConcurrencyExceeded, Code(await Enter(calls, "glm-4.7")).Code);
        only.Call!.Dispose();
        _policy.Caller = new Caller("b", "p", "k", Tier: 0) { Concurrency = 0 };
        CallEntry[] many = [await Enter(calls, "glm-4.7"), await Enter(calls, "glm-4.7"), await Enter(calls, "glm-4.7")];
        foreach (CallEntry entry in many)
            entry.Call!.Dispose();
    }

    [Fact]
    public async Task A_refusal_at_any_step_gives_back_what_earlier_ones_took()
    {
        CallAdmission calls = Calls(BillingMode.Metered, open: 1);
        _policy.Caller = new Caller("a", "p", "k");
        DateTimeOffset now = _books.Time.GetUtcNow();
        _plans.Apply("a", new SubscriptionEvent(SubscriptionEventKind.Ordered, now) { Plan = "lite", Months = 1 });
        CallEntry running = await Enter(calls, "glm-4.7", ApiSurface.Coding);
        Assert.True(running.Call!.IsPlan);
        long used = _plans.Standing("a", now)!.Window.Used;
        await _books.Ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "cash");

        // The last step refuses: plan, money and id are free again.
        Assert.Equal(BusinessCode.ModelBusy, Code(await Enter(calls, "glm-4.7", ApiSurface.Coding, "request-1")).Code);
        Assert.Equal(BusinessCode.Overloaded, Code(await Enter(calls, "glm-4.7", ApiSurface.General, "request-1")).Code);
        Assert.Equal(used, _plans.Standing("a", now)!.Window.Used);
        Assert.Equal(0, _books.Ledger.BalanceOf("a", Currency.Usd).Held.Units);
        running.Call.Dispose();
        Assert.Equal(0, _plans.Standing("a", now)!.Window.Used);
        CallEntry again = await Enter(calls, "glm-4.7", ApiSurface.General, "request-1");
        Assert.True(_books.Ledger.BalanceOf("a", Currency.Usd).Held.IsPositive);
        Assert.Equal(BusinessCode.RequestDuplicate, Code(await Enter(calls, "glm-4.7", ApiSurface.General, "request-1")).Code);
        again.Call!.Dispose();
        again.Call.Dispose();
        Assert.Equal(0, _books.Ledger.BalanceOf("a", Currency.Usd).Held.Units);
    }

    [Fact]
    public async Task The_first_outcome_counts_and_the_step_of_the_real_usage_prices_it()
    {
        CallAdmission calls = Calls(BillingMode.Metered, Currency.Cny);
        _policy.Caller = new Caller("a", "p", "k");
        await _books.Ledger.DepositAsync("a", Money.Of(1, Currency.Cny), "cash");
        CallEntry entry = await Enter(calls, "glm-4.7");
        await entry.Call!.Settle(new UsageUnits { Input = 1000, Output = 100 });
        await entry.Call.Settle(new UsageUnits { Input = 1_000_000, Output = 100 });
        entry.Call.Release();
        entry.Call.Dispose();

        // Reserved for 4096 output tokens in the dearer step, used 100: 1000 x 2 + 100 x 8 per million.
        Assert.Equal(1 - 0.0028m, _books.Ledger.BalanceOf("a", Currency.Cny).Cash.Amount);
    }

    /// <summary>Anything in any order: nothing is left behind, and the money that is gone is what was settled.</summary>
    [Fact]
    public async Task Random_calls_leave_no_place_no_hold_and_no_quota_behind()
    {
        CallAdmission calls = Calls(BillingMode.Metered, open: 5);
        _policy.Caller = new Caller("a", "p", "k", Tier: 0);
        await _books.Ledger.DepositAsync("a", Money.Of(1000, Currency.Usd), "cash");
        DateTimeOffset now = _books.Time.GetUtcNow();
        _plans.Apply("a", new SubscriptionEvent(SubscriptionEventKind.Ordered, now) { Plan = "max", Months = 1 });
        int settled = 0, planned = 0;
        await Parallel.ForAsync(0, 3000, async (i, _) =>
        {
            var random = new Random(i);
            CallEntry entry = await Enter(calls, "glm-4.7", random.Next(2) == 0 ? ApiSurface.Coding : ApiSurface.General, $"request-{random.Next(1000)}");
            if (entry.Call is not { } call)
                return;
            using (call)
            {
                await Task.Yield();
                if (random.Next(3) == 0)
                    return;
                await call.Settle(new UsageUnits { Input = 1000, Output = 100 });
                Interlocked.Increment(ref call.IsPlan ? ref planned : ref settled);
            }
        });
        Assert.True(settled > 0 && planned > 0);
        Balance balance = _books.Ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal((1000m - (settled * 0.00082m), 0m), (balance.Cash.Amount, balance.Held.Amount));
        Assert.Equal(planned * 50_000L, _plans.Standing("a", now)!.Window.Used);
    }

    public void Dispose() => _books.Dispose();

    private CallAdmission Calls(BillingMode mode, Currency currency = default, int open = 100) => new(
        _policy,
        new FairAdmission(new AdmissionLimits(open, open, 0, 0, TimeSpan.FromSeconds(5)), _books.Time),
        _plans,
        _catalogue,
        new CallRates(_plans.Rules.Calendar),
        new RequestIdWindow(TimeSpan.FromMinutes(10), 10_000, _books.Time),
        mode,
        currency,
        _books.Time,
        _books.Ledger);

    private ValueTask<CallEntry> Enter(CallAdmission calls, string model, ApiSurface surface = ApiSurface.General, string? id = null) => calls.EnterAsync(
        new CallRequest(
            new AccessKey("k", "", default, null, false), _catalogue.Current.Find(model)!, surface, "platform-id", new UsageUnits { Input = 1000, Output = 4096 }, id),
        default);

    private static (BusinessCode Code, int Status) Code(CallEntry entry) => (entry.Error!.Code, entry.Error.Status);

    private sealed class Policy : ICallerPolicy
    {
        public Caller Caller { get; set; }

        public PlatformError? Locked { get; set; }

        public Caller Find(AccessKey key) => Caller;

        public PlatformError? CheckEndUser(AccessKey key, string? endUser) => Locked;
    }
}
