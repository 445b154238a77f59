using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Ledger;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Billing;

public sealed class InvitationTests
{
    [Theory, EachStore]
    public async Task Thirty_one_invited_friends_earn_what_the_rules_say(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var invitations = new Invitations(test.Ledger, new InvitationRules());
        for (int i = 1; i <= 31; i++)
        {
            Assert.True(await invitations.BindAsync($"friend-{i}", "host"));
            Assert.True(await invitations.OrderedAsync($"friend-{i}", $"order-{i}", Usd(18)));
            Assert.False(await invitations.OrderedAsync($"friend-{i}", $"order-{i}-again", Usd(18)));
            Assert.Equal(0, await invitations.RunDueAsync());   // under review for a day
            test.Time.Advance(TimeSpan.FromHours(24));
            await invitations.RunDueAsync();
            await invitations.RunDueAsync();

            // 10 % each: nothing before the third friend, then all at once; the thirtieth brings 10 % of what thirty paid.
            decimal expected = i < 3 ? 0 : (i * 1.8m) + (i >= 30 ? 30 * 1.8m : 0);
            Assert.Equal(Usd(expected), test.Ledger.BalanceOf("host", Currency.Usd).Credits);
            Assert.Equal(i < 3 ? RewardState.Pending : RewardState.Granted, (await invitations.ListAsync("host"))[0].State);
        }
    }

    [Theory, EachStore]
    public async Task Links_count_for_72_hours_the_last_one_wins_and_refunds_take_back(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var invitations = new Invitations(test.Ledger, new InvitationRules { Threshold = 1 });
        Assert.False(await invitations.BindAsync("host", "host"));
        Assert.False(await invitations.OrderedAsync("stranger", "o0", Usd(18)));
        await invitations.BindAsync("late", "host");
        test.Time.Advance(TimeSpan.FromHours(72) + TimeSpan.FromMilliseconds(1));
        Assert.False(await invitations.IsInTimeAsync("late"));
        Assert.False(await invitations.OrderedAsync("late", "o1", Usd(18)));

        await invitations.BindAsync("friend", "other");
        await invitations.BindAsync("friend", "host");
        test.Time.Advance(TimeSpan.FromHours(72));
        Assert.True(await invitations.IsInTimeAsync("friend"));
        Assert.False(await invitations.OrderedAsync("friend", "o2", Usd(0)));
        Assert.True(await invitations.OrderedAsync("friend", "o2", Usd(17.1m)));
        Assert.False(await invitations.BindAsync("friend", "other"));
        test.Time.Advance(TimeSpan.FromHours(24));
        Assert.Equal(1, await invitations.RunDueAsync());
        Assert.Equal(Usd(1.71m), test.Ledger.BalanceOf("host", Currency.Usd).Credits);
        Assert.Equal(Usd(0), test.Ledger.BalanceOf("other", Currency.Usd).Credits);
        await test.Spend("host", PriceTests.Tokens("1", "1", "1", per: 100), 100);
        Assert.Equal(Usd(0.71m), await invitations.VoidAsync("o2", "refunded"));
        Assert.Equal(Usd(0), test.Ledger.BalanceOf("host", Currency.Usd).Funds);
        Assert.Equal(RewardState.Void, (await invitations.ListAsync("host"))[0].State);

        // Refunded while under review: it never becomes a reward, and does not count as a friend.
        await invitations.BindAsync("quick", "host");
        Assert.True(await invitations.OrderedAsync("quick", "o3", Usd(18)));
        await invitations.VoidAsync("o3", "refunded");
        test.Time.Advance(TimeSpan.FromHours(24));
        Assert.Equal(0, await invitations.RunDueAsync());
        Assert.Equal(Usd(0), test.Ledger.BalanceOf("host", Currency.Usd).Funds);
        Assert.Equal(Usd(0), await invitations.VoidAsync("none", "x"));
    }

    /// <summary>Other plans in force count at once; every reward is rounded down to the cent.</summary>
    [Fact]
    public async Task Rules_are_those_in_force_at_the_moment()
    {
        using var test = new TestLedger(StoreKind.Sqlite);
        var rules = new InvitationRules();
        var invitations = new Invitations(test.Ledger, () => rules);
        foreach ((string friend, decimal paid) in ((string, decimal)[])[("a", 17.19m), ("b", 0.09m)])
        {
            await invitations.BindAsync(friend, "host");
            Assert.True(await invitations.OrderedAsync(friend, $"order-{friend}", Usd(paid)));
        }

        test.Time.Advance(rules.Review);
        Assert.Equal(0, await invitations.RunDueAsync());
        Assert.Equal([0m, 1.71m], (await invitations.ListAsync("host")).Select(reward => reward.Reward.Amount));
        rules = new InvitationRules { Threshold = 2, Round = 2, RoundThousandths = 500 };
        await invitations.RunDueAsync();
        Assert.Equal(Usd(1.71m + 8.64m), test.Ledger.BalanceOf("host", Currency.Usd).Credits);
        rules = new InvitationRules { ShareThousandths = 250, Attribution = TimeSpan.FromHours(1) };
        await invitations.BindAsync("c", "host");
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.True(await invitations.OrderedAsync("c", "order-c", Usd(10)));
        Assert.Equal(2.5m, (await invitations.ListAsync("host"))[0].Reward.Amount);
        await invitations.BindAsync("d", "host");
        test.Time.Advance(TimeSpan.FromHours(1) + TimeSpan.FromMilliseconds(1));
        Assert.False(await invitations.OrderedAsync("d", "order-d", Usd(10)));
    }

    private static Money Usd(decimal amount) => Money.Of(amount, Currency.Usd);
}
