using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Tests.Nodes;

public sealed class SliceTraderTests
{
    private static readonly SliceTerms Terms = new("k:x", SliceKind.Places, 10);
    private readonly ManualTime _time = new();
    private readonly MemorySliceStore _store = new() { Now = 1_000_000 };

    [Fact]
    public void A_node_stops_before_its_lease_ends_and_goes_on_when_it_is_renewed()
    {
        SliceTrader trader = Join(shared: true);
        Slice slice = trader.Of(Terms);
        Assert.False(slice.TryTake(1));
        Assert.True(Exchange(trader));
        Assert.True(slice.TryTake(1));
        Pass(TimeSpan.FromSeconds(71.9));
        Assert.True(trader.MayAdmit);
        slice.Give(1);
        Assert.True(slice.TryTake(1));
        slice.Give(1);
        Pass(TimeSpan.FromSeconds(0.2));
        Assert.False(slice.TryTake(1));
        Assert.Equal(TimeSpan.Zero, trader.LeaseLeft);
        Assert.True(Exchange(trader));
        Assert.True(slice.TryTake(1));
    }

    [Fact]
    public void A_period_is_used_up_when_this_node_has_all_of_it_or_others_had_the_time_to_yield()
    {
        SliceTrader first = Join(shared: true), second = Join(shared: true);
        var day = new SliceTerms("d:x", SliceKind.Period, 10) { Expires = long.MaxValue };
        Slice one = first.Of(day), two = second.Of(day);
        Assert.False(one.IsUsedUp);
        Assert.False(one.TryTake(6));
        Assert.False(one.IsUsedUp);
        Exchange(first);
        Assert.True(one.TryTake(6));

        // The second one lacks what the first may have to spare, and hears no more of it at once.
        Assert.False(two.TryTake(9));
        Exchange(second);
        Assert.False(two.TryTake(9));
        Assert.True(two.IsDry);
        Assert.False(two.IsUsedUp);
        Pass(TimeSpan.FromSeconds(3.9));
        Exchange(second);
        Assert.False(two.TryTake(9));
        Assert.False(two.IsUsedUp);
        Pass(TimeSpan.FromSeconds(0.2));
        Assert.True(two.IsUsedUp);

        // Something came of it: it is not used up any more.
        one.Give(6);
        Pass(TimeSpan.FromSeconds(2.1));
        Exchange(first);
        Exchange(first);
        Pass(TimeSpan.FromSeconds(2.1));
        Exchange(second);
        Assert.True(two.TryTake(9));
        Assert.False(two.IsUsedUp);

        // A node that may not admit knows nothing.
        Assert.False(two.TryTake(9));
        Exchange(second);
        Pass(TimeSpan.FromSeconds(80));
        Assert.False(two.IsUsedUp);
    }

    [Fact]
    public void A_period_of_which_this_node_has_all_is_used_up_at_once()
    {
        SliceTrader only = Join(shared: true);
        Slice day = only.Of(new SliceTerms("d:x", SliceKind.Period, 3) { Expires = long.MaxValue });
        Assert.False(day.TryTake(3));
        Exchange(only);
        Assert.True(day.TryTake(3));
        Assert.False(day.TryTake(1));
        Assert.False(day.IsUsedUp);
        Exchange(only);
        Assert.True(day.IsUsedUp);
    }

    [Fact]
    public void Alone_it_owns_all_and_with_company_what_it_uses()
    {
        SliceTrader first = Join(shared: false);
        Slice slice = first.Of(Terms);
        for (int i = 0; i < 7; i++)
            Assert.True(slice.TryTake(1));
        Assert.True(Exchange(first));
        Assert.False(first.IsShared);
        Assert.Null(_store.Limit("k:x"));

        SliceTrader second = Join(shared: false);
        Assert.True(second.IsShared);
        Slice other = second.Of(Terms);
        Assert.False(other.TryTake(1));
        Assert.True(Exchange(second));
        Assert.False(other.TryTake(1));

        // The first hears of it, says what it uses, and only then the second gets the rest.
        Assert.True(Exchange(first));
        Assert.True(first.IsShared);
        Assert.False(slice.TryTake(1));
        Assert.True(Exchange(first));
        Pass(TimeSpan.FromSeconds(3));
        Assert.True(Exchange(second));
        int got = 0;
        for (int i = 0; i < 10; i++)
        {
            while (other.TryTake(1))
                got++;
            Pass(TimeSpan.FromSeconds(2.1));
            Exchange(first);
            Exchange(second);
        }

        Assert.Equal(3, got);
        Assert.Equal(10, _store.Limit("k:x")!.Held);
        Assert.Empty(_store.Check());
    }

    [Fact]
    public void A_node_whose_slices_were_given_away_takes_nothing_until_it_has_new_ones_for_what_runs()
    {
        SliceTrader lost = Join(shared: true), other = Join(shared: true);
        Slice slice = lost.Of(Terms);
        Assert.False(slice.TryTake(4));
        Exchange(lost);
        Assert.True(slice.TryTake(4));
        Pass(TimeSpan.FromSeconds(60));
        Exchange(other);
        Pass(TimeSpan.FromSeconds(40));
        Exchange(other);
        _store.Maintain();
        Slice taken = other.Of(Terms);
        Assert.False(taken.TryTake(10));
        Exchange(other);
        Assert.True(taken.TryTake(10));

        Assert.False(Exchange(lost));
        Assert.Equal(1, lost.Fences);
        NodeLeaseRow again = _store.Register(lost.Settings, again: true);
        lost.Register(again.Id, again.Shared != 0, lost.Clock.Now);
        Assert.Equal(-4, slice.Spare);
        Exchange(lost);
        Assert.False(slice.TryTake(1));

        // The four still run: they count again as soon as there is room for them.
        taken.Give(10);
        for (int i = 0; i < 4; i++)
        {
            Pass(TimeSpan.FromSeconds(2.1));
            Exchange(other);
            Exchange(lost);
        }

        Assert.True(slice.Spare >= 0);
        Assert.Empty(_store.Check());
    }

    [Fact]
    public void An_answer_that_comes_too_late_is_thrown_away_and_the_next_message_mends_it()
    {
        SliceTrader trader = Join(shared: true);
        Slice slice = trader.Of(Terms);
        Assert.False(slice.TryTake(2));
        SliceMessage lost = trader.Prepare();
        SliceReply late = _store.Trade(lost);
        trader.Fail(lost);
        Assert.True(trader.Apply(lost, late));
        Assert.Equal(0, slice.Spare);
        Assert.True(_store.Limit("k:x")!.Held >= 2);
        Assert.True(Exchange(trader));
        Assert.Equal(slice.Spare, _store.Limit("k:x")!.Held);
        Assert.True(_store.Trade(lost).IsStale);
    }

    [Fact]
    public void Idle_units_go_back_and_what_is_booked_leaves_the_slice()
    {
        SliceTrader trader = Join(shared: true);
        Slice places = trader.Of(Terms with { Limit = 100 }), funds = trader.Of(new SliceTerms("f:a", SliceKind.Funds, 0) { Owner = "acct" });
        _store.Funds["acct"] = 100;
        places.TryTake(8);
        funds.TryTake(30);
        Exchange(trader);
        Assert.True(funds.TryTake(30) && places.TryTake(8));
        places.Give(8);
        funds.Give(10);
        _store.Funds["acct"] -= 20;
        funds.Consume(20);
        for (int i = 0; i < 30; i++)
        {
            Pass(TimeSpan.FromSeconds(2));
            Exchange(trader);
        }

        Assert.Equal((0L, 0L), (_store.Limit("k:x")!.Held, _store.Limit("f:a")!.Held));
        Assert.False(funds.TryTake(81));
        Exchange(trader);

        // All that a caller needs or nothing: what is left stays with the store, for whoever needs no more than that.
        Assert.Equal((true, false, 0L), (funds.IsSpent(81), funds.IsSpent(80), funds.Spare));
        Assert.False(funds.TryTake(80));
        Exchange(trader);
        Assert.True(funds.TryTake(80));
    }

    [Fact]
    public void The_last_money_is_called_back_whole_and_only_what_is_in_use_is_spent()
    {
        _store.Funds["acct"] = 1000;
        SliceTrader[] nodes = [Join(shared: true), Join(shared: true), Join(shared: true)];
        Slice[] funds = [.. nodes.Select(node => node.Of(new SliceTerms("f:a", SliceKind.Funds, 0) { Owner = "acct" }))];
        for (int i = 0; i < 3; i++)
        {
            Assert.False(funds[i].TryTake(100));
            Exchange(nodes[i]);
            Assert.True(funds[i].TryTake(100));
        }

        // 700 are left; one node needs all of it, though two have spare.
        Assert.True(funds[0].Spare > 0 && !funds[2].TryTake(700));
        for (int i = 0; i < 3 && funds[2].Spare < 700; i++)
        {
            Assert.False(funds[2].IsSpent(700));
            foreach (SliceTrader node in nodes)
                Exchange(node);
            funds[2].Miss(700);
            Pass(TimeSpan.FromSeconds(2));
        }

        Exchange(nodes[2]);
        Assert.True(funds[2].TryTake(700));

        // Now all is in use, which is known when both others have spoken three times.
        for (int i = 0; i < 4; i++)
        {
            Assert.False(funds[0].TryTake(1));
            Exchange(nodes[0]);
            Assert.False(funds[0].IsSpent(1));
            Exchange(nodes[1]);
            if (i > 1)
                Exchange(nodes[2]);
            Pass(TimeSpan.FromSeconds(0.6));
        }

        Assert.False(funds[0].TryTake(1));
        Exchange(nodes[2]);
        Exchange(nodes[0]);
        Assert.True(funds[0].IsSpent(1));

        // What is given back goes to the store at once.
        funds[2].Give(300);
        Exchange(nodes[2]);
        Assert.Equal(0, funds[2].Spare);
        Assert.False(funds[0].TryTake(250));
        Pass(TimeSpan.FromSeconds(0.6));
        Exchange(nodes[0]);
        Assert.True(funds[0].TryTake(250));
    }

    private SliceTrader Join(bool shared)
    {
        var settings = new SliceSettings { AlwaysShared = shared };
        var trader = new SliceTrader(settings, _time);
        long sentAt = trader.Clock.Now;
        NodeLeaseRow row = _store.Register(settings, again: false);
        trader.Register(row.Id, row.Shared != 0, sentAt);
        return trader;
    }

    private bool Exchange(SliceTrader trader)
    {
        SliceMessage message = trader.Prepare();
        return trader.Apply(message, _store.Trade(message));
    }

    private void Pass(TimeSpan time)
    {
        _time.Advance(time);
        _store.Now += (long)time.TotalMilliseconds;
    }
}
