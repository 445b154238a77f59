using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Ledger;

public sealed class LedgerTests
{
    // One input token costs a cent: easy to follow.
    private static readonly Price _cent = new("glm-a", 3, Currency.Usd, [PriceTests.Line(UnitKind.Input, "0.01", 1)], family: "glm");

    [Theory, EachStore]
    public async Task Funds_are_used_packs_first_then_credits_by_expiry_then_cash(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        await ledger.DepositAsync("a", Usd(1), "d1");
        await ledger.GrantAsync("a", Usd(1), "g-late", test.Time.GetUtcNow().AddDays(20));
        await ledger.GrantAsync("a", Usd(1), "g-never");
        await ledger.GrantAsync("a", Usd(1), "g-soon", test.Time.GetUtcNow().AddDays(10));
        await ledger.BuyPackAsync("a", new PackOffer(30, Usd(0), Scope("glm"), TimeSpan.FromDays(9)), "p-late");
        await ledger.BuyPackAsync("a", new PackOffer(30, Usd(0), Scope("GLM-A"), TimeSpan.FromDays(5)), "p-soon");
        await ledger.BuyPackAsync("a", new PackOffer(30, Usd(0), Scope("other"), TimeSpan.FromDays(1)), "p-other");

        Assert.Equal(Usd(0), await test.Spend("a", _cent, 40));
        Balance balance = ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal([30, 20], balance.Packs.Select(pack => pack.Left));   // the other model's, and the later one
        Assert.Equal(Usd(0.3m), await test.Spend("a", _cent, 50));         // 20 from the pack, 0.30 from the soonest credits
        balance = ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal([Usd(0.7m), Usd(1), Usd(1)], balance.CreditLots.Select(lot => lot.Left));
        await test.Spend("a", _cent, 270);
        balance = ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal((Usd(1), Usd(0)), (balance.Cash, balance.Credits));
        await test.Spend("a", _cent, 40);
        Assert.Equal(Usd(0.6m), ledger.BalanceOf("a", Currency.Usd).Cash);
        await test.RestartAsync();
        Assert.Equal(Usd(0.6m), test.Ledger.BalanceOf("a", Currency.Usd).Cash);
        Assert.Equal([30L], test.Ledger.BalanceOf("a", Currency.Usd).Packs.Select(pack => pack.Left));
    }

    [Theory, EachStore]
    public async Task Arrears_stop_new_requests_and_let_running_ones_finish(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        Assert.Equal(BusinessCode.AccountInArrears, test.Refused("a", _cent, 1).Code);
        await ledger.DepositAsync("a", Usd(1), "d1");
        Reservation first = test.Reserve("a", _cent, 60);
        Reservation second = test.Reserve("a", _cent, 60);   // 0.40 is still free
        PlatformError error = test.Refused("a", _cent, 1);
        Assert.Equal((BusinessCode.AccountInArrears, 429), (error.Code, error.Status));
        await ledger.Settle(first, new UsageUnits { Input = 60 }).Durable;
        await ledger.Settle(second, new UsageUnits { Input = 60 }).Durable;
        Balance balance = ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal((Usd(-0.2m), Usd(0.2m), Usd(0)), (balance.Cash, balance.Arrears, balance.Held));
        test.Refused("a", _cent, 1);
        Reservation free = test.Reserve("a", Price.Free("glm-flash", 3), 1_000_000);
        await ledger.Settle(free, new UsageUnits { Input = 1_000_000 }).Durable;
        Reservation plan = test.Reserve("a", _cent, 1_000_000, ChargeMode.Plan);
        await ledger.Settle(plan, new UsageUnits { Input = 7 }, new SettleDetails(PlanUnits: 66_667)).Durable;
        await ledger.DepositAsync("a", Usd(0.5m), "d2");
        Assert.Equal(Usd(0.3m), ledger.BalanceOf("a", Currency.Usd).Cash);
        Assert.Equal(Usd(0.01m), await test.Spend("a", _cent, 1));
        (long rows, long plans) = test.Store.Read(session => session.First<(long, long)>("SELECT COUNT(*), SUM(plan_units) FROM ledger_usage WHERE cash = 0"));
        Assert.Equal((2, 66_667), (rows, plans));
    }

    [Theory, EachStore]
    public async Task The_worst_case_can_be_asked_to_be_covered_whole(StoreKind kind)
    {
        using var test = new TestLedger(kind, settings => settings with { CoverWorstCase = true });
        await test.Ledger.DepositAsync("a", Usd(1), "d1");
        test.Refused("a", _cent, 101);
        Reservation held = test.Reserve("a", _cent, 60);
        test.Refused("a", _cent, 41);
        test.Ledger.Release(held);
        test.Ledger.Release(held);
        Assert.Equal(Usd(1), await test.Spend("a", _cent, 100));
    }

    [Theory, EachStore]
    public async Task A_reservation_ends_once_whoever_is_first(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        await test.Ledger.DepositAsync("a", Usd(1), "d1");
        Reservation held = test.Reserve("a", _cent, 50);
        Settlement first = test.Ledger.Settle(held, new UsageUnits { Input = 10 });
        Settlement second = test.Ledger.Settle(held, new UsageUnits { Input = 20 });
        test.Ledger.Release(held);
        await Task.WhenAll(first.Durable, second.Durable);
        Assert.Equal((Usd(0.1m), Usd(0.1m)), (first.Charged, second.Charged));
        Assert.Equal((Usd(0.9m), Usd(0)), (test.Ledger.BalanceOf("a", Currency.Usd).Cash, test.Ledger.BalanceOf("a", Currency.Usd).Held));
        Assert.Equal(1, test.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_usage")));
    }

    [Theory, EachStore]
    public async Task Spend_caps_stop_a_key_and_start_anew_in_the_billing_zone(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        await test.Ledger.DepositAsync("a", Usd(100), "d1");
        var cap = new SpendCap(Usd(1), CapPeriod.Day);
        test.Time.Advance(TimeSpan.FromHours(3) + TimeSpan.FromMinutes(59));   // 15:59 UTC is 23:59 in UTC+8
        Assert.Equal(Usd(1), await test.Spend("a", _cent, 100, cap: cap));
        PlatformError error = test.Refused("a", _cent, 1, cap);
        Assert.Equal(BusinessCode.AccountInArrears, error.Code);
        Assert.Contains("1.00 USD per day", error.Message);
        test.Refused("a", _cent, 1, new SpendCap(Usd(1), CapPeriod.Month));
        await test.Spend("a", _cent, 1, key: "k2", cap: cap);
        await test.RestartAsync();
        test.Refused("a", _cent, 1, cap);
        test.Time.Advance(TimeSpan.FromMinutes(1));
        await test.Spend("a", _cent, 1, cap: cap);
        test.Refused("a", _cent, 1, new SpendCap(Usd(1), CapPeriod.Month));
        Assert.Equal((Usd(1.01m), Usd(0.01m)), (test.Ledger.KeySpent("k1", Currency.Usd, CapPeriod.Total), test.Ledger.KeySpent("k1", Currency.Usd, CapPeriod.Day)));
        test.Time.Advance(TimeSpan.FromDays(31));
        await test.Spend("a", _cent, 1, cap: new SpendCap(Usd(1), CapPeriod.Month));
        test.Refused("a", _cent, 1, new SpendCap(Usd(1), CapPeriod.Total));
    }

    [Theory, EachStore]
    public async Task Transactions_happen_once_by_their_id(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        PostingState[] states = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ledger.DepositAsync("a", Usd(5), "same")));
        Assert.Equal(1, states.Count(state => state == PostingState.Booked));
        Assert.Equal(Usd(5), ledger.BalanceOf("a", Currency.Usd).Cash);
        Purchase bought = await ledger.BuyPlanAsync("a", Usd(4), "plan-1");
        Assert.Equal((PostingState.Booked, Usd(0), Usd(4)), (bought.State, bought.Credits, bought.Cash));
        Assert.Equal(PostingState.BookedBefore, (await ledger.BuyPlanAsync("a", Usd(4), "plan-1")).State);
        Assert.Equal(PostingState.Refused, (await ledger.BuyPlanAsync("a", Usd(4), "plan-2")).State);
        await ledger.GrantAsync("a", Usd(3), "g");
        await test.RestartAsync();
        bought = await test.Ledger.BuyPlanAsync("a", Usd(4), "plan-2");
        Assert.Equal((PostingState.Booked, Usd(3), Usd(1)), (bought.State, bought.Credits, bought.Cash));
        Assert.Equal(PostingState.BookedBefore, await test.Ledger.GrantAsync("a", Usd(3), "g"));
        Assert.Equal(Usd(0), test.Ledger.BalanceOf("a", Currency.Usd).Funds);
    }

    [Theory, EachStore]
    public async Task Credits_and_packs_expire_into_the_books(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        await ledger.DepositAsync("a", Usd(3), "d");
        await ledger.GrantAsync("a", Usd(1), "g", test.Time.GetUtcNow().AddHours(1));
        await ledger.BuyPackAsync("a", new PackOffer(1000, Usd(3), Scope("glm"), TimeSpan.FromHours(2)), "p");
        Assert.Equal((Usd(1), Usd(0)), (ledger.BalanceOf("a", Currency.Usd).Cash, ledger.BalanceOf("a", Currency.Usd).Credits));
        await ledger.GrantAsync("a", Usd(1), "g2", test.Time.GetUtcNow().AddHours(1));
        await test.Spend("a", _cent, 100);
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(Usd(0), ledger.BalanceOf("a", Currency.Usd).Credits);
        Assert.Equal(1, await ledger.SweepAsync());
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(1, await ledger.SweepAsync());
        Assert.Equal(0, await ledger.SweepAsync());
        Assert.Equal(Usd(1 + 2.7m).Units, test.Store.Read(session => session.Scalar<long>("SELECT SUM(amount) FROM ledger_entries WHERE book = 13")));
        Assert.Equal(Usd(0.3m).Units, test.Store.Read(session => session.Scalar<long>("SELECT SUM(amount) FROM ledger_entries WHERE book = 100")));
        await ledger.GrantAsync("a", Usd(9), "g3");
        await test.Spend("a", _cent, 400);
        Assert.Equal(Usd(5), await ledger.ClawBackAsync("a", "g3", Usd(100), "claw"));
        Assert.Equal(Usd(0), await ledger.ClawBackAsync("b", "g3", Usd(100), "claw-b"));
    }

    [Theory, EachStore]
    public async Task Two_processes_on_one_store_follow_each_other(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        using PlatformStore otherStore = PlatformStore.Open(test.Files.Settings);
        await using PlatformLedger other = PlatformLedger.Open(otherStore, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        await Task.WhenAll(other.DepositAsync("a", Usd(5), "d1"), test.Ledger.DepositAsync("a", Usd(7), "d2"), other.GrantAsync("a", Usd(1), "g"), test.Ledger.DepositAsync("a", Usd(5), "d1"));
        await Eventually.HoldsAsync(() => test.Ledger.BalanceOf("a", Currency.Usd).Funds == Usd(13) && other.BalanceOf("a", Currency.Usd).Funds == Usd(13));
        var spends = new List<Task>();
        for (int i = 0; i < 200; i++)
            spends.Add(TestLedger.Spend(i % 2 == 0 ? test.Ledger : other, "a", _cent, 3));
        await Task.WhenAll(spends);
        await Eventually.HoldsAsync(() => test.Ledger.BalanceOf("a", Currency.Usd).Funds == Usd(7) && other.BalanceOf("a", Currency.Usd).Funds == Usd(7));
        Assert.Equal(Usd(7), test.Ledger.BalanceOf("a", Currency.Usd).Funds);
        await Eventually.HoldsAsync(() => test.Ledger.KeySpent("k1", Currency.Usd, CapPeriod.Total) == Usd(6) && other.KeySpent("k1", Currency.Usd, CapPeriod.Total) == Usd(6));
    }

    [Theory, EachStore]
    public async Task What_cannot_be_stored_fails_alone_and_is_taken_back(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        await ledger.DepositAsync("a", Usd(10), "d");
        var good = new List<Task>();
        var bad = new List<Task>();
        for (int i = 0; i < 50; i++)
        {
            good.Add(test.Spend("a", _cent, 1));
            good.Add(ledger.DepositAsync("a", Usd(1), $"d{i}"));
            if (i % 10 == 0)
                bad.Add(ledger.WithdrawAsync("a", Usd(1), $"w{i}", "", "", force: false, static _ => throw new InvalidOperationException("bad")));
            if (i % 10 == 5)
                bad.Add(ledger.DepositAsync("a", Usd(1), $"x{i}", "", "", static session => session.Execute("INSERT INTO no_such_table VALUES (1)") > 0));
        }

        await Task.WhenAll(good);
        foreach (Task task in bad)
            await Assert.ThrowsAnyAsync<Exception>(() => task);
        Assert.Equal(Usd(59.5m), ledger.BalanceOf("a", Currency.Usd).Cash);
    }

    [Theory, EachStore]
    public async Task Many_threads_on_one_wallet_lose_and_double_nothing(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        PlatformLedger ledger = test.Ledger;
        await ledger.DepositAsync("a", Usd(20), "d");
        await ledger.BuyPackAsync("a", new PackOffer(700, Usd(0.5m), Scope("glm"), TimeSpan.FromDays(1)), "p");
        long charged = 0, requests = 0, refused = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(async () =>
        {
            var random = new Random(worker);
            var last = Task.CompletedTask;
            for (int i = 0; i < 1500; i++)
            {
                if (i % 300 == 0)
                    await ledger.GrantAsync("a", Usd(0.1m), $"g{worker}-{i}");
                var worst = new UsageUnits { Input = random.Next(1, 4) };
                if (!ledger.TryReserve(new Payer("a", "p", $"k{worker}"), new Quote(_cent, worst), "r", out Reservation? held, out _))
                {
                    Interlocked.Increment(ref refused);
                    continue;
                }

                if (random.Next(5) == 0)
                {
                    ledger.Release(held);
                    continue;
                }

                Settlement settled = ledger.Settle(held, new UsageUnits { Input = random.Next(worst.Input + 1) });
                Interlocked.Add(ref charged, settled.Charged.Units);
                Interlocked.Increment(ref requests);
                last = settled.Durable;
            }

            await last;
        })));
        Balance balance = ledger.BalanceOf("a", Currency.Usd);
        Assert.Equal(Usd(20 - 0.5m + (40 * 0.1m)).Units - charged, balance.Funds.Units);
        Assert.Equal(Usd(0), balance.Held);
        Assert.True(balance.Cash > Usd(-0.03m), $"{balance.Cash} is more than one worst case below nothing");
        Assert.True(refused > 0);
        Assert.Equal(requests, test.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_usage")));
    }

    [Theory]
    [InlineData(StoreKind.Sqlite, StoreKind.Postgres)]
    [InlineData(StoreKind.Postgres, StoreKind.Sqlite)]
    public async Task The_books_move_to_the_other_database_by_a_backup(StoreKind from, StoreKind to)
    {
        using var test = new TestLedger(from);
        await test.Ledger.DepositAsync("a", Usd(5), "d");
        await test.Ledger.BuyPackAsync("a", new PackOffer(10, Usd(1), Scope("glm"), TimeSpan.FromDays(1)), "p");
        await test.Spend("a", _cent, 30);
        using var target = new TestStore(to, test.Time);
        string path = test.Files.File("books");
        test.Store.Backup(path, portable: true);
        PlatformStore.Restore(target.Settings, path);
        using PlatformStore store = target.Open();
        await using PlatformLedger moved = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        await TestLedger.Spend(moved, "a", _cent, 10);
        await TestLedger.Spend(moved, "new account", Price.Free("glm-new", 1), 10);
        Assert.Equal(Usd(3.7m), moved.BalanceOf("a", Currency.Usd).Cash);
        Assert.Empty(await moved.AuditAsync());
    }

    [Theory, EachStore]
    public async Task Hostile_texts_are_stored_or_refused_and_hurt_nobody(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        await test.Ledger.DepositAsync("a", Usd(1), "d", "'; DROP TABLE ledger_lots; --\0\uD800 中文😀" + new string('x', 2000));
        await Assert.ThrowsAsync<ArgumentException>(() => test.Ledger.DepositAsync("a", Usd(1), "x\0y"));
        await Assert.ThrowsAsync<ArgumentException>(() => test.Ledger.DepositAsync("a", Usd(1), new string('x', 129)));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => test.Ledger.DepositAsync("a", Usd(-1), "neg"));
        Assert.True(test.Ledger.TryReserve(new Payer("a", "p", "k1"), new Quote(_cent, new UsageUnits { Input = -5, CachedInput = 9 }), "r\0\uDC00" + new string('y', 500), out Reservation? held, out _));
        await test.Ledger.Settle(held, new UsageUnits { Input = 5, CachedInput = 9, Output = -3 }, new SettleDetails(Surface: "chat")).Durable;
        Assert.Equal(Usd(0.95m), test.Ledger.BalanceOf("a", Currency.Usd).Cash);
    }

    private static PackScope Scope(params string[] models) => new([UnitKind.Input], models);

    private static Money Usd(decimal amount) => Money.Of(amount, Currency.Usd);
}
