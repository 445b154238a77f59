using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Nodes;

public sealed class SliceSqlStoreTests
{
    private static readonly SliceSettings Short = new() { Name = "a", Lease = TimeSpan.FromSeconds(30), Beat = TimeSpan.FromMilliseconds(100), LoneLease = TimeSpan.FromMinutes(10), AlwaysShared = true };

    [Fact]
    public void AnExchangeGrantsUpToTheLimitAndKeepsTheSums()
    {
        using var place = new TestStore(StoreKind.Postgres);
        using PlatformStore store = place.Open();
        var slices = new SliceSqlStore(store);
        NodeLeaseRow one = slices.Register(Short, again: false), two = slices.Register(Short, again: false);
        Assert.Equal((1, 2), (one.Epoch, two.Epoch));
        var terms = new SliceTerms("k:x", SliceKind.Places, 10);
        Assert.Equal(6, slices.Trade(new SliceMessage(one.Id, 1, 30_000, true, [new SliceAsk(terms, 0, 6, 6)])).Grants[0].Units);
        Assert.Equal(4, slices.Trade(new SliceMessage(two.Id, 1, 30_000, true, [new SliceAsk(terms, 0, 9, 9)])).Grants[0].Units);
        Assert.True(slices.Trade(new SliceMessage(two.Id, 1, 30_000, true, [])).IsStale);
        SlicePressure pressure = Assert.Single(slices.Trade(new SliceMessage(one.Id, 2, 30_000, true, [])).Pressures);
        Assert.Equal(("k:x", 5, 5), (pressure.Id, pressure.Lacking, pressure.Share));
        slices.Trade(new SliceMessage(one.Id, 3, 30_000, true, [new SliceAsk(terms, 2, 0, 0)]));
        Assert.Equal(4, slices.Trade(new SliceMessage(two.Id, 2, 30_000, true, [new SliceAsk(terms, 4, 5, 5)])).Grants[0].Units);
        Assert.Equal((10, 1, 2), store.Read(session => session.First<(long, long, long)>("SELECT held, wanting, holders FROM slice_limits")));
    }

    [Fact]
    public void WhatADeadNodeHeldIsFreedByKind()
    {
        using var place = new TestStore(StoreKind.Postgres);
        using PlatformStore store = place.Open();
        var slices = new SliceSqlStore(store);
        long dead = slices.Register(Short, again: false).Id, live = slices.Register(Short, again: false).Id;
        SliceTerms places = new("k:x", SliceKind.Places, 10), window = new SliceTerms("w:x", SliceKind.Window, 10) { KeepMs = 3_600_000 };
        SliceTerms day = new SliceTerms("d:x", SliceKind.Period, 10) { Expires = long.MaxValue };
        SliceAsk[] asks = [new(day, 0, 4, 4), new(places, 0, 4, 4), new(window, 0, 4, 4)];
        Assert.All(slices.Trade(new SliceMessage(dead, 1, 0, true, asks)).Grants, grant => Assert.Equal(4, grant.Units));
        Thread.Sleep(5);
        slices.Maintain();
        Assert.True(slices.Trade(new SliceMessage(dead, 2, 1000, true, [])).IsFenced);
        SliceReply reply = slices.Trade(new SliceMessage(live, 1, 30_000, true, [new(day, 0, 10, 10), new(places, 0, 10, 10), new(window, 0, 10, 10)]));
        Assert.Equal([6, 10, 6], reply.Grants.Select(grant => grant.Units));

        // The window's part runs out in time, the day's when the day ends.
        store.Write(session => session.Execute("UPDATE slice_holdings SET free_at = 1 WHERE limit_id = 'w:x' AND free_at IS NOT NULL; UPDATE slice_limits SET expires = 1 WHERE id = 'd:x'"));
        slices.Maintain();
        Assert.Equal([("k:x", 10L), ("w:x", 6L)], store.Read(session => session.List<(string, long)>("SELECT id, held FROM slice_limits ORDER BY id")));
    }

    [Fact]
    public void TheFirstNodeOwnsAllAndTheSecondWaitsUntilItHasSaidWhatItUses()
    {
        using var place = new TestStore(StoreKind.Postgres);
        using PlatformStore store = place.Open();
        var slices = new SliceSqlStore(store);
        SliceSettings auto = Short with { AlwaysShared = false };
        NodeLeaseRow first = slices.Register(auto, again: false), second = slices.Register(auto, again: false);
        Assert.Equal((0, 1), (first.Shared, second.Shared));
        var terms = new SliceTerms("k:x", SliceKind.Places, 10);
        SliceReply waits = slices.Trade(new SliceMessage(second.Id, 1, 30_000, true, [new(terms, 0, 5, 5)]));
        Assert.True(waits.IsWaiting);
        Assert.Equal(0, waits.Grants[0].Units);
        Assert.Equal(2, slices.Trade(new SliceMessage(first.Id, 1, 30_000, false, [])).Nodes);
        slices.Trade(new SliceMessage(first.Id, 2, 30_000, true, [new(terms, 8, 0, 0)]));
        Assert.Equal(2, slices.Trade(new SliceMessage(second.Id, 2, 30_000, true, [new(terms, 0, 5, 5)])).Grants[0].Units);
    }

    [Fact]
    public async Task ANodeThatStartsAgainInItsPlaceNeedNotWaitForItsFormerLease()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using PlatformStore store = place.Open();
        var slices = new SliceSqlStore(store);
        using (NodeLeaseHome home = NodeLeaseHome.TryTake(place.Folder)!)
        {
            Assert.Null(NodeLeaseHome.TryTake(place.Folder));
            SliceSettings settings = Short with { AlwaysShared = false, Home = home.Id };
            Assert.Equal(0, slices.Register(settings, again: false).Shared);
        }

        // It died without a word: another place has to wait, the same one is alone at once.
        Assert.Equal(1, slices.Register(Short with { AlwaysShared = false, Lease = TimeSpan.Zero }, again: false).Shared);
        Thread.Sleep(5);
        await using NodeShare again = NodeShare.Join(store, Short with { AlwaysShared = false })!;
        Assert.False(again.IsShared);
        Assert.Equal(3, Assert.Single(NodeShare.List(store)).Epoch);
    }

    [Fact]
    public void ANodeOfAnUnknownFormIsNotJoined()
    {
        using var place = new TestStore(StoreKind.Postgres);
        using PlatformStore store = place.Open();
        var slices = new SliceSqlStore(store);
        slices.Register(Short, again: false);
        store.Write(session => session.Execute("UPDATE nodes SET protocol = 99"));
        Assert.Contains("form 99", Assert.Throws<StoreException>(() => slices.Register(Short, again: false)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SeveralNodesOfOneProcessNeverPassTheLimitOnPostgres()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using PlatformStore store = place.Open();
        const int limit = 7;
        int running = 0, most = 0;
        long done = 0;
        var loops = new List<SliceLoop>();
        for (int i = 0; i < 4; i++)
            loops.Add(new SliceLoop(new SliceSqlStore(store), new SliceTrader(Short with { Name = $"n{i}" }, TimeProvider.System), TimeProvider.System));
        await Task.WhenAll(loops.SelectMany(loop => Enumerable.Range(0, 4).Select(async _ =>
        {
            Slice slice = loop.Trader.Of(new SliceTerms("k:x", SliceKind.Places, limit));
            for (int turn = 0; turn < 25;)
            {
                if (!slice.TryTake(1))
                {
                    await slice.NextAnswer().WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
                    continue;
                }

                int now = Interlocked.Increment(ref running);
                InterlockedMax(ref most, now);
                await Task.Yield();
                Interlocked.Decrement(ref running);
                slice.Give(1);
                Interlocked.Increment(ref done);
                turn++;
            }
        })));
        Assert.Equal(400, done);
        Assert.InRange(most, 1, limit);
        foreach (SliceLoop loop in loops)
            await loop.DisposeAsync();

        // Each says that it leaves, be the database ever so slow: no lease has to end for it.
        await Eventually.HoldsAsync(() => store.Read(session => session.Scalar<long>("SELECT (SELECT COALESCE(SUM(held), 0) FROM slice_limits)::bigint + (SELECT COUNT(*) FROM nodes)")) == 0);
    }

    private static void InterlockedMax(ref int target, int value)
    {
        int seen = Volatile.Read(ref target);
        while (seen < value && Interlocked.CompareExchange(ref target, value, seen) is var before && before != seen)
            seen = before;
    }
}
