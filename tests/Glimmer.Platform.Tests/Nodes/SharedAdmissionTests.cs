using System.Collections.Concurrent;
using System.Diagnostics;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>Several nodes in one process, each with its own memory, on one PostgreSQL: the whole way in.</summary>
public sealed class SharedAdmissionTests
{
    private const string Tiers = "models:\n  - { code: glm-4.7, concurrency: [3], per_day: [40] }";

    [Fact]
    public async Task Places_and_the_day_hold_over_all_nodes()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using Fleet fleet = await Fleet.OpenAsync(place, 3, Tiers, new Caller("a", "p", "k", Tier: 0));
        int running = 0, most = 0;
        var codes = new ConcurrentDictionary<BusinessCode, int>();
        int admitted = 0;
        await Task.WhenAll(Enumerable.Range(0, 24).Select(async i =>
        {
            for (int turn = 0; turn < 5; turn++)
            {
                CallEntry entry = await fleet.Nodes[i % 3].EnterAsync();
                if (entry.Call is not { } call)
                {
                    codes.AddOrUpdate(entry.Error!.Code, 1, static (_, count) => count + 1);
                    continue;
                }

                int now = Interlocked.Increment(ref running);
                for (int seen = most; seen < now && Interlocked.CompareExchange(ref most, now, seen) != seen; seen = most)
                {
                }

                Interlocked.Increment(ref admitted);
                await Task.Delay(3);
                Interlocked.Decrement(ref running);
                call.Dispose();
            }
        }));
        Assert.InRange(most, 1, 3);
        Assert.InRange(admitted, 1, 40);

        // To try again at first: other nodes may have had a call of the day to spare. The day's end afterwards.
        Assert.Subset(new HashSet<BusinessCode> { BusinessCode.DailyLimitReached, BusinessCode.Overloaded }, codes.Keys.ToHashSet());

        // What other nodes had spare comes back when it is asked for.
        int refused = 0;
        await Eventually.HoldsAsync(async () =>
        {
            CallEntry entry = await fleet.Nodes[refused % 3].EnterAsync();
            admitted += entry.Call is null ? 0 : 1;
            refused += entry.Call is null ? 1 : 0;
            entry.Call?.Dispose();
            return admitted >= 40;
        });
        foreach (Node node in fleet.Nodes)
            Assert.Equal(BusinessCode.DailyLimitReached, await node.FinallyAsync());
    }

    [Fact]
    public async Task A_plan_s_window_is_one_for_all_nodes_and_what_was_used_before_they_came_counts()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using Fleet fleet = await Fleet.OpenAsync(place, 1, Tiers, new Caller("a", "p", "k"), plan: true, shared: false);
        for (int i = 0; i < 1000; i++)
            (await fleet.Nodes[0].EnterAsync(ApiSurface.Coding)).Call!.SettleAndDispose();
        Assert.False(fleet.Nodes[0].Share.IsShared);
        await fleet.AddAsync();
        await fleet.AddAsync();
        int admitted = 1000;
        PlatformError? last = null;
        var watch = Stopwatch.StartNew();
        for (int i = 0, refused = 0; refused < 40 || admitted < 1500 || last!.Code != BusinessCode.UsageLimitReached; i++)
        {
            Assert.True(watch.Elapsed < Eventually.Patience, $"{admitted} were admitted, then {last?.Message}");
            CallEntry entry = await fleet.Nodes[i % 3].EnterAsync(ApiSurface.Coding);
            if (entry.Call is { } call)
            {
                admitted++;
                call.SettleAndDispose();
                continue;
            }

            refused++;
            last = entry.Error;
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }

        Assert.True(fleet.Nodes[0].Share.IsShared);
        Assert.InRange(admitted, 1500, 1600);
        Assert.InRange((await fleet.Nodes[2].Plans.StandingAsync("a", TimeProvider.System.GetUtcNow(), TestContext.Current.CancellationToken))!.Window.Used, 75_000_000, 80_000_000);

        // One that has never had to do with the account knows it all the same.
        await fleet.AddAsync();
        Assert.Equal(0, fleet.Nodes[3].Plans.Standing("a", TimeProvider.System.GetUtcNow())!.Window.Used);
        Assert.InRange((await fleet.Nodes[3].Plans.StandingAsync("a", TimeProvider.System.GetUtcNow(), TestContext.Current.CancellationToken))!.Window.Used, 75_000_000, 80_000_000);
        Assert.InRange(fleet.Nodes[1].Plans.Standing("a", TimeProvider.System.GetUtcNow())!.Window.Used, 75_000_000, 80_000_000);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Funds_are_spent_once_by_all_nodes(bool capped)
    {
        using var place = new TestStore(StoreKind.Postgres);
        SpendCap? cap = capped ? new SpendCap(Money.Of(0.5m, Currency.Usd), CapPeriod.Total) : null;
        await using Fleet fleet = await Fleet.OpenAsync(place, 3, Tiers, new Caller("a", "p", "k", Cap: cap), metered: true);
        await fleet.Nodes[0].Ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "cash");
        foreach (Node node in fleet.Nodes)
            await node.UntilAsync(() => node.Ledger.BalanceOf("a", Currency.Usd).Cash == Money.Of(1, Currency.Usd));
        await Task.WhenAll(Enumerable.Range(0, 12).Select(async i =>
        {
            for (int refused = 0; refused < 5;)
            {
                CallEntry entry = await fleet.Nodes[i % 3].InTheEndAsync(output: 10_000);
                if (entry.Call is not { } call)
                {
                    refused++;
                    Assert.Equal((BusinessCode.AccountInArrears, null), (entry.Error!.Code, entry.Error.RetryAfter));
                    await Task.Delay(20);
                    continue;
                }

                using (call)
                    await call.Settle(new UsageUnits { Input = 1000, Output = 8000 });
            }
        }));
        foreach (Node node in fleet.Nodes)
            await node.Ledger.FlushAsync();
        decimal left = await fleet.Nodes[0].LeftAsync();
        decimal cost = 1 - left;
        if (capped)
            Assert.InRange(cost, 0.25m, 0.5m + (3 * 0.0246m));
        else
            Assert.InRange(left, 0m, 0.1m);
        Assert.Empty(await fleet.Nodes[0].Ledger.AuditAsync());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_a_dead_node_holds_is_no_arrears_and_no_reached_cap(bool capped)
    {
        using var place = new TestStore(StoreKind.Postgres);
        SpendCap? cap = capped ? new SpendCap(Money.Of(1, Currency.Usd), CapPeriod.Total) : null;
        await using Fleet fleet = await Fleet.OpenAsync(place, 1, Tiers, new Caller("a", "p", "k", Cap: cap), metered: true);
        Node node = fleet.Nodes[0];
        await node.Ledger.DepositAsync("a", Money.Of(capped ? 100 : 1, Currency.Usd), "cash");
        using PlatformStore graveStore = place.Open();
        var grave = new SliceSqlStore(graveStore);
        var dead = new SliceTrader(new SliceSettings { Name = "dead", Lease = TimeSpan.FromHours(1), AlwaysShared = true }, TimeProvider.System);
        NodeLeaseRow row = grave.Register(dead.Settings, again: false);
        dead.Register(row.Id, shared: true, TimeProvider.System.GetTimestamp());
        Slice held = capped ? SlicePlaces.OfCap(dead, "k", "USD", (int)CapPeriod.Total, 0, Money.Of(1, Currency.Usd).Units) : SlicePlaces.OfFunds(dead, "a", "USD");
        Assert.False(held.TryTake(Money.Of(1, Currency.Usd).Units));
        SliceMessage message = dead.Prepare();
        Assert.True(dead.Apply(message, grave.Trade(message)));
        Assert.True(held.TryTake(Money.Of(1, Currency.Usd).Units));

        // The money is there, though this node can have none of it.
        for (int i = 0; i < 4; i++)
        {
            PlatformError error = (await node.EnterAsync()).Error!;
            Assert.Equal((BusinessCode.Overloaded, node.Share.Trader.Settings.Beat), (error.Code, error.RetryAfter));
        }

        graveStore.Write(session => session.Execute("UPDATE nodes SET lease_end = 0 WHERE id = @Id", new { row.Id }));
        CallEntry entry;
        var watch = Stopwatch.StartNew();
        do
        {
            entry = await node.EnterAsync(output: 10_000);
            Assert.True(entry.Call is not null || (entry.Error!.Code == BusinessCode.Overloaded && watch.Elapsed < Eventually.Patience), entry.Error?.Message);
        }
        while (entry.Call is null);
        using (AdmittedCall call = entry.Call)
            await call.Settle(new UsageUnits { Input = 1000, Output = 1_000_000 });
        await node.Ledger.FlushAsync();
        Assert.Equal(BusinessCode.AccountInArrears, (await node.EnterAsync()).Error!.Code);
    }

    [Fact]
    public async Task Money_that_runs_elsewhere_is_arrears_in_the_end_and_is_there_again_when_it_is_free()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using Fleet fleet = await Fleet.OpenAsync(place, 3, Tiers, new Caller("a", "p", "k"), metered: true);
        await fleet.Nodes[0].Ledger.DepositAsync("a", Money.Of(0.04m, Currency.Usd), "cash");
        foreach (Node node in fleet.Nodes)
            await node.UntilAsync(() => node.Ledger.BalanceOf("a", Currency.Usd).Cash == Money.Of(0.04m, Currency.Usd));
        AdmittedCall running = await fleet.Nodes[0].InTheEndAsync(output: 10_000) is { Call: { } call } ? call : throw new InvalidOperationException();

        // No other node has anything of the account, and what is left covers no second one.
        foreach (Node node in fleet.Nodes)
            Assert.Equal(BusinessCode.AccountInArrears, (await node.InTheEndAsync(output: 10_000)).Error!.Code);
        using (AdmittedCall? small = (await fleet.Nodes[2].InTheEndAsync(output: 100)).Call)
            Assert.NotNull(small);

        running.Dispose();
        var watch = Stopwatch.StartNew();
        CallEntry next;
        while ((next = await fleet.Nodes[1].InTheEndAsync(output: 10_000)).Call is null)
        {
            Assert.Equal(BusinessCode.AccountInArrears, next.Error!.Code);
            Assert.True(watch.Elapsed < Eventually.Patience, "What was freed is not to be had.");
        }

        next.Call.Dispose();
    }

    [Fact]
    public async Task A_node_that_leaves_gives_its_part_back_and_the_registry_shows_who_is_there()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using Fleet fleet = await Fleet.OpenAsync(place, 2, Tiers, new Caller("a", "p", "k", Tier: 0), lease: 600);
        CallEntry[] first = [await fleet.Nodes[0].InTheEndAsync(100), await fleet.Nodes[0].InTheEndAsync(100), await fleet.Nodes[0].InTheEndAsync(100)];
        Assert.All(first, entry => Assert.NotNull(entry.Call));
        NodeStanding standing = NodeShare.List(fleet.Nodes[0].Store)[0];
        Assert.Equal(("n0", 1L, true), (standing.Name, standing.Epoch, standing.IsShared));
        Assert.InRange(standing.LeaseLeft.TotalSeconds, 400, 601);
        Assert.True(standing.Units >= 3 && fleet.Nodes[0].Share.Trade is { Limits: > 0, Nodes: 2 });
        foreach (CallEntry entry in first)
            entry.Call!.Dispose();
        await fleet.Nodes[0].DisposeAsync();

        // It says so itself: its lease is longer than anything is waited for.
        await Eventually.HoldsAsync(() => NodeShare.List(fleet.Nodes[1].Store).Select(node => node.Name).SequenceEqual(["n1"]));
        CallEntry[] second = [await fleet.Nodes[1].InTheEndAsync(100), await fleet.Nodes[1].InTheEndAsync(100), await fleet.Nodes[1].InTheEndAsync(100)];
        Assert.All(second, entry => Assert.NotNull(entry.Call));
        foreach (CallEntry entry in second)
            entry.Call!.Dispose();
    }

    /// <summary>Nodes on one store.</summary>
    private sealed class Fleet(TestStore place, string tiers, Caller caller, bool plan, bool metered, bool shared, int lease) : IAsyncDisposable
    {
        public List<Node> Nodes { get; } = [];

        public static async Task<Fleet> OpenAsync(TestStore place, int nodes, string tiers, Caller caller, bool plan = false, bool metered = false, bool shared = true, int lease = 30)
        {
            var fleet = new Fleet(place, tiers, caller, plan, metered, shared, lease);
            for (int i = 0; i < nodes; i++)
                await fleet.AddAsync();
            return fleet;
        }

        public Task AddAsync()
        {
            Nodes.Add(new Node(place, Nodes.Count, tiers, caller, plan, metered, shared, lease));
            return Task.CompletedTask;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (Node node in Nodes)
                await node.DisposeAsync();
        }
    }

    private sealed class Node : IAsyncDisposable, ICallerPolicy
    {
        private static readonly AccessKey Key = new("k", "", DateTimeOffset.UnixEpoch, null, false);
        private readonly Caller _caller;
        private readonly CatalogueSource _catalogue;
        private readonly CallAdmission _calls;
        private readonly FairAdmission _places;
        private bool _disposed;

        public Node(TestStore place, int index, string tiers, Caller caller, bool plan, bool metered, bool shared, int lease)
        {
            _caller = caller;
            Store = place.Open();
            Ledger = PlatformLedger.Open(Store, new LedgerSettings { SweepEvery = TimeSpan.Zero, CoverWorstCase = metered });
            Share = NodeShare.Join(Store, new SliceSettings { Name = $"n{index}", Lease = TimeSpan.FromSeconds(lease), Beat = TimeSpan.FromMilliseconds(100), LoneLease = TimeSpan.FromMinutes(10), AlwaysShared = shared })!;
            Ledger.Share(Share);
            Plans = new PlanGate(PlanRules.Load(), Share, TimeProvider.System);
            if (plan)
                Plans.Apply(caller.AccountId, new SubscriptionEvent(SubscriptionEventKind.Ordered, TimeProvider.System.GetUtcNow().AddMinutes(-1)) { Plan = "lite", Months = 1, Currency = "USD" });
            _catalogue = new CatalogueSource(Catalogue.Load(null, tiers, 1));
            _places = new FairAdmission(new AdmissionLimits(100, 100, 100, 100, TimeSpan.FromSeconds(30)), TimeProvider.System, Share);
            _calls = new CallAdmission(
                this, _places, Plans, _catalogue, new CallRates(Plans.Rules.Calendar, Share), null, metered ? BillingMode.Metered : BillingMode.Free, Currency.Usd, plan ? TimeProvider.System : new OneDay(), Ledger)
            {
                Nodes = Share,
            };
        }

        public PlatformStore Store { get; }

        public PlatformLedger Ledger { get; }

        public PlanGate Plans { get; }

        public NodeShare Share { get; }

        public ValueTask<CallEntry> EnterAsync(ApiSurface surface = ApiSurface.General, int output = 100) => _calls.EnterAsync(
            new CallRequest(Key, _catalogue.Current.Find("glm-4.7")!, surface, Guid.NewGuid().ToString("N"), new UsageUnits { Input = 1000, Output = output }),
            TestContext.Current.CancellationToken);

        public Caller Find(AccessKey key) => _caller;

        public PlatformError? CheckEndUser(AccessKey key, string? user) => null;

        public Task UntilAsync(Func<bool> reached) => Eventually.HoldsAsync(reached);

        /// <summary>What is said once nobody is told to try again.</summary>
        public async Task<CallEntry> InTheEndAsync(int output)
        {
            var watch = Stopwatch.StartNew();
            while (true)
            {
                CallEntry entry = await EnterAsync(output: output);
                if (entry.Error?.Code != BusinessCode.Overloaded)
                    return entry;
                Assert.NotNull(entry.Error.RetryAfter);
                Assert.True(watch.Elapsed < Eventually.Patience, entry.Error.Message);
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
        }

        /// <summary>The code that refuses in the end, once nobody is told to try again.</summary>
        public async Task<BusinessCode> FinallyAsync()
        {
            var watch = Stopwatch.StartNew();
            while (true)
            {
                CallEntry entry = await EnterAsync();
                Assert.NotNull(entry.Error);
                Assert.True(watch.Elapsed < Eventually.Patience, entry.Error.Message);
                if (entry.Error.Code != BusinessCode.Overloaded)
                    return entry.Error.Code;
                await Task.Delay(20, TestContext.Current.CancellationToken);
            }
        }

        /// <summary>What the books say is left.</summary>
        public Task<decimal> LeftAsync() => Store.ReadAsync(session => Money.FromUnits(session.Scalar<long>("SELECT SUM(units)::bigint FROM ledger_lots WHERE account = 'a' AND kind = 1"), Currency.Usd).Amount);

        public async ValueTask DisposeAsync()
        {
            if (_disposed)
                return;
            _disposed = true;
            await Ledger.DisposeAsync();
            await Share.DisposeAsync();
            await Store.DisposeAsync();
            _places.Dispose();
        }
    }
}

/// <summary>A clock whose day does not end while a test runs: tomorrow's noon where the platform's day begins (UTC+8). Its timers are the system's.</summary>
internal sealed class OneDay : TimeProvider
{
    private static readonly DateTimeOffset _noon = new(DateTime.UtcNow.Date.AddDays(1).AddHours(4), TimeSpan.Zero);

    public override DateTimeOffset GetUtcNow() => _noon;
}

internal static class AdmittedCalls
{
    /// <summary>Ends a call that used something.</summary>
    public static void SettleAndDispose(this AdmittedCall call)
    {
        using (call)
            _ = call.Settle(new UsageUnits { Input = 10, Output = 10 });
    }
}
