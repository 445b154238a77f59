using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Ledger;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Plans;

public sealed class SubscriptionsTests
{
    private static readonly PlanRules Rules = PlanRules.Load();

    [Theory]
    [EachStore]
    public async Task An_order_is_paid_from_credits_then_cash_and_refused_without_funds(StoreKind kind)
    {
        using var books = new TestLedger(kind);
        var gate = new PlanGate(Rules);
        using var plans = Subscriptions.Open(books.Store, books.Ledger, gate);
        Assert.Equal(BusinessCode.AccountInArrears, (await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me")).Error!.Code);
        Assert.Null(gate.Standing("a", books.Time.GetUtcNow()));

        await books.Ledger.GrantAsync("a", Money.Of(5, Currency.Usd), "gift");
        await books.Ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "cash");
        OrderQuote quote = (await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me")).Quote!;
        Assert.Equal((OrderKind.New, 18m), (quote.Kind, quote.Due));
        Assert.Equal((0m, 87m), Funds(books));
        Assert.Equal("lite", gate.Standing("a", books.Time.GetUtcNow())!.Plan.Code);

        // Half of March is over: 18 x 15.5/31 = 9.00 are set off against 72.
        books.Time.Advance(TimeSpan.FromDays(15.5));
        quote = (await plans.OrderAsync("a", "pro", PlanCycle.Month, Currency.Usd, "me")).Quote!;
        Assert.Equal((OrderKind.Upgrade, 9.00m, 63.00m), (quote.Kind, quote.RestValue, quote.Due));
        Assert.Equal((0m, 24m), Funds(books));
        Assert.Equal([SubscriptionEventKind.Ordered, SubscriptionEventKind.Upgraded], (await plans.HistoryAsync("a")).Select(entry => entry.Event.Kind));
    }

    [Theory]
    [EachStore]
    public async Task Renewals_are_paid_when_due_and_what_an_upgrade_leaves_comes_back_as_credits(StoreKind kind)
    {
        using var books = new TestLedger(kind);
        var gate = new PlanGate(Rules);
        using var plans = Subscriptions.Open(books.Store, books.Ledger, gate);
        await books.Ledger.DepositAsync("a", Money.Of(37, Currency.Usd), "cash");
        await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me");
        Assert.Equal(0, await plans.RunDueAsync());
        books.Time.Advance(gate.Of("a").End!.Value - Rules.RenewalLead - books.Time.GetUtcNow());
        Assert.Equal(1, await plans.RunDueAsync());
        Assert.Equal(0, await plans.RunDueAsync());
        Assert.Equal((0m, 1m), Funds(books));
        Assert.Equal(2, gate.Of("a").Terms.Length);

        // The next one cannot be paid: the plan ends, and begins again when there is money at a later try.
        books.Time.Advance(gate.Of("a").End!.Value - books.Time.GetUtcNow());
        Assert.Equal(1, await plans.RunDueAsync());
        Assert.Equal(BusinessCode.PlanExpired, gate.Admit("a", "glm-4.7", ApiSurface.Coding, books.Time.GetUtcNow()).Error!.Code);
        await books.Ledger.DepositAsync("a", Money.Of(200, Currency.Usd), "more");
        Assert.Equal(0, await plans.RunDueAsync());
        books.Time.Advance(Rules.RenewalRetry);
        Assert.Equal(1, await plans.RunDueAsync());
        Assert.Null(gate.Admit("a", "glm-4.7", ApiSurface.Coding, books.Time.GetUtcNow()).Error);
        Assert.Equal((0m, 183m), Funds(books));

        Assert.True(await plans.CancelAsync("a", "me"));
        Assert.False(await plans.CancelAsync("a", "me"));
        await plans.OrderAsync("a", "lite", PlanCycle.Year, Currency.Usd, "me");
        OrderQuote quote = (await plans.OrderAsync("a", "pro", PlanCycle.Month, Currency.Usd, "me")).Quote!;
        Assert.Equal((190.80m, 0m, 118.80m), (quote.RestValue, quote.Due, quote.CreditBack));
        Assert.Equal((118.80m, 10.20m), Funds(books));
    }

    [Theory]
    [EachStore]
    public async Task A_restart_knows_subscriptions_strikes_and_what_was_used(StoreKind kind)
    {
        using var books = new TestLedger(kind);
        var gate = new PlanGate(Rules);
        await books.Ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "cash");
        using (var plans = Subscriptions.Open(books.Store, books.Ledger, gate))
        {
            await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me");
            await plans.AddAsync("a", new SubscriptionEvent(SubscriptionEventKind.Struck, books.Time.GetUtcNow()) { Reason = "resale" }, "admin");
            await plans.AddAsync("a", new SubscriptionEvent(SubscriptionEventKind.AppealDecided, books.Time.GetUtcNow()) { Accepted = true }, "admin");
            for (int i = 0; i < 20; i++)
            {
                PlanDecision call = gate.Admit("a", "glm-5.1", ApiSurface.Coding, books.Time.GetUtcNow());
                Reservation held = books.Reserve("a", Price.Free("glm-5.1", 0), 10, ChargeMode.Plan);
                await books.Ledger.Settle(held, new UsageUnits { Input = 10 }, new SettleDetails(PlanUnits: call.Receipt.Units)).Durable;
                books.Time.Advance(TimeSpan.FromMinutes(20));
            }

            foreach (string tool in new[] { "search-prime", "zread", "zread" })
            {
                Assert.Null(gate.AdmitTool("a", tool, books.Time.GetUtcNow()));
                Reservation held = books.Reserve("a", Price.Free(tool, 0), 0, ChargeMode.Plan);
                await books.Ledger.Settle(held, tool == "search-prime" ? new UsageUnits { Searches = 1 } : new UsageUnits { Tools = 1 }, new SettleDetails(Surface: "tool")).Durable;
                Assert.Null(gate.AdmitTool("a", tool, books.Time.GetUtcNow()));
                gate.ReleaseTool("a", tool, books.Time.GetUtcNow());
            }

            await Assert.ThrowsAsync<ArgumentException>(() => plans.AddAsync("a", new SubscriptionEvent(SubscriptionEventKind.Renewed, default), "admin"));
        }

        PlanStanding before = gate.Standing("a", books.Time.GetUtcNow())!;
        Assert.True(before.Window.Used > 0 && before.Window.Used < before.Week.Used);
        await books.RestartAsync();
        var again = new PlanGate(Rules);
        using var reopened = Subscriptions.Open(books.Store, books.Ledger, again);
        Assert.Equal(gate.Of("a").Terms, again.Of("a").Terms);
        Assert.Equal(gate.Of("a") with { Terms = [] }, again.Of("a") with { Terms = [] });
        Assert.Equal((before.Month, 1, 2), (again.Standing("a", books.Time.GetUtcNow())!.Month, again.Standing("a", books.Time.GetUtcNow())!.Tools["search-prime"], before.Tools["zread"]));
        Assert.Equal((before.Window, before.Week), (again.Standing("a", books.Time.GetUtcNow())!.Window, again.Standing("a", books.Time.GetUtcNow())!.Week));
    }

    [Theory]
    [EachStore]
    public async Task An_invited_first_order_is_cheaper_and_earns_who_invited_once(StoreKind kind)
    {
        using var books = new TestLedger(kind);
        var invitations = new Invitations(books.Ledger, Rules.Invitation);
        using var plans = Subscriptions.Open(books.Store, books.Ledger, new PlanGate(Rules), invitations);
        foreach (string friend in new[] { "a", "b", "c" })
        {
            Assert.True(await invitations.BindAsync(friend, "host"));
            await books.Ledger.DepositAsync(friend, Money.Of(100, Currency.Usd), "cash:" + friend);
        }

        Assert.Equal(17.10m, (await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me")).Quote!.Due);
        Assert.Equal(18m, (await plans.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "me")).Quote!.Due);
        Assert.Equal(17.10m, (await plans.OrderAsync("b", "lite", PlanCycle.Month, Currency.Usd, "me")).Quote!.Due);
        books.Time.Advance(TimeSpan.FromHours(73));
        Assert.Equal(18m, (await plans.OrderAsync("c", "lite", PlanCycle.Month, Currency.Usd, "me")).Quote!.Due);
        await invitations.RunDueAsync();
        Assert.Equal([("a", 1.71m), ("b", 1.71m)], (await invitations.ListAsync("host")).Select(reward => (reward.Invitee, reward.Reward.Amount)).Order());
    }

    [Theory]
    [EachStore]
    public async Task Two_nodes_agree_and_an_order_made_on_both_at_once_is_paid_twice_only_when_it_is_had_twice(StoreKind kind)
    {
        using var books = new TestLedger(kind);
        PlanGate one = new(Rules), two = new(Rules);
        using var first = Subscriptions.Open(books.Store, books.Ledger, one);
        using var second = Subscriptions.Open(books.Store, books.Ledger, two);
        await books.Ledger.DepositAsync("a", Money.Of(1000, Currency.Usd), "cash");
        await Task.WhenAll(
            first.OrderAsync("a", "lite", PlanCycle.Month, Currency.Usd, "one"),
            second.OrderAsync("a", "lite", PlanCycle.Quarter, Currency.Usd, "two"));
        await Eventually.HoldsAsync(() => one.Of("a").Terms.SequenceEqual(two.Of("a").Terms));
        decimal paid = one.Of("a").Terms.Sum(term => term.Value);
        Assert.Equal((0m, 1000m - paid), Funds(books));
        Assert.NotEmpty(one.Of("a").Terms);
    }

    private static (decimal Credits, decimal Cash) Funds(TestLedger books)
    {
        Balance balance = books.Ledger.BalanceOf("a", Currency.Usd);
        return (balance.Credits.Amount, balance.Cash.Amount);
    }
}
