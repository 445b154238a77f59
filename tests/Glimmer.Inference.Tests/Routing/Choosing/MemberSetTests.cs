using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Choosing;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Routing.Choosing;

public sealed class MemberSetTests
{
    private const int Requests = 40_000;

    [Fact]
    public void Conversations_spread_by_weight()
    {
        PoolEntry[] members = Members(100, 200, 300, 400);
        int[] served = Spread(new MemberSet(members, new RoutingOptions()), members);
        for (int i = 0; i < members.Length; i++)
        {
            double expected = Requests * members[i].Member.Weight / 1000.0;
            Assert.InRange(served[i], expected * 0.95, expected * 1.05);
        }
    }

    [Fact]
    public void The_policy_load_spreads_what_stays_in_flight_by_weight()
    {
        PoolEntry[] members = Members(1, 3);
        MemberSet set = new(members, new RoutingOptions { Policy = RoutingPolicy.Load });
        for (int i = 0; i < 400; i++)
            Assert.Equal(RouteReason.Load, set.Choose(Query((ulong)i)).Reason);
        Assert.Equal((100, 300), (members[0].Member.InFlight, members[1].Member.InFlight));
    }

    /// <summary>The theorem's bound: whoever is chosen has less than c times its share before, so at most the bound after.</summary>
    [Theory]
    [InlineData(1.05)]
    [InlineData(1.25)]
    [InlineData(2)]
    public void No_load_is_ever_above_its_bound(double factor)
    {
        RoutingOptions options = new() { LoadFactor = factor, FreeLoad = 1 };
        PoolEntry[] members = Members(100, 100, 100, 50, 400);
        MemberSet set = new(members, options);
        Random random = new(7);
        List<BackendMember> running = [];
        int spilled = 0;
        for (int i = 0; i < Requests; i++)
        {
            // A few conversations, so that one backend is wanted far above its share.
            long before = members.Sum(entry => (long)entry.Member.InFlight);
            Choice choice = set.Choose(Query((ulong)random.Next(3)));
            Assert.NotNull(choice.Entry);
            BackendMember chosen = choice.Entry.Member;
            Assert.InRange(chosen.InFlight, 1, (int)Math.Ceiling(factor * (before + 1) * chosen.Weight / 750));
            spilled += choice.Reason == RouteReason.Load ? 1 : 0;
            running.Add(chosen);
            while (running.Count > 0 && random.Next(100) < (i % 2000 < 1000 ? 45 : 55))
            {
                int at = random.Next(running.Count);
                running[at].Leave();
                running.RemoveAt(at);
            }
        }

        Assert.NotEqual(0, spilled);
    }

    [Fact]
    public void When_a_backend_leaves_or_joins_only_its_conversations_move()
    {
        PoolEntry[] four = Members(100, 100, 100, 100);
        PoolEntry[] five = [.. four, .. MembersFrom(4, 100)];
        BackendMember[] before = Owners(new MemberSet(four, new RoutingOptions()));
        BackendMember[] after = Owners(new MemberSet(five, new RoutingOptions()));
        BackendMember joined = five[4].Member;
        int moved = 0;
        for (int i = 0; i < before.Length; i++)
        {
            if (before[i] == after[i])
                continue;
            Assert.Same(joined, after[i]);
            moved++;
        }

        Assert.InRange(moved, Requests / 5 * 0.95, Requests / 5 * 1.05);
    }

    [Fact]
    public void A_weight_that_grows_only_draws_conversations_in()
    {
        PoolEntry[] members = Members(100, 100, 100);
        MemberSet set = new(members, new RoutingOptions());
        BackendMember[] before = Owners(set);
        members[1].Member.Weight = 150;
        BackendMember[] after = Owners(set);
        int moved = before.Zip(after).Count(pair => pair.First != pair.Second);
        Assert.All(before.Zip(after), pair => Assert.True(pair.First == pair.Second || pair.Second == members[1].Member));
        Assert.InRange(moved, (Requests * (150.0 / 350)) - (Requests / 3.0) - 800, (Requests * (150.0 / 350)) - (Requests / 3.0) + 800);
    }

    [Fact]
    public void What_is_remembered_comes_first_until_it_has_more_than_its_share()
    {
        PoolEntry[] members = Members(100, 100);
        MemberSet set = new(members, new RoutingOptions { FreeLoad = 3 });
        ulong root = Enumerable.Range(0, 100).Select(i => (ulong)i).First(i => Owner(set, i) == members[0].Member);
        ChoiceQuery query = new(root, members[1].Member.Id, []);
        for (int i = 0; i < 3; i++)
        {
            Choice remembered = set.Choose(query);
            Assert.Equal((members[1], RouteReason.Affinity), (remembered.Entry, remembered.Reason));
        }

        Choice other = set.Choose(query);
        Assert.Equal((members[0], RouteReason.Hash), (other.Entry, other.Reason));
        Assert.Equal(3, members[1].Member.AffinityHits);
    }

    [Fact]
    public void Weight_nought_is_the_last_resort_and_the_busy_come_after_it()
    {
        PoolEntry[] members = Members(100, 100, 0);
        MemberSet set = new(members, new RoutingOptions());
        members[0].Member.CountBusy(TimeSpan.FromMinutes(1));
        Assert.All(Enumerable.Range(0, 100), i => Assert.Same(members[1].Member, Owner(set, (ulong)i)));
        members[1].Member.Down = true;
        Choice last = set.Choose(Query(1));
        Assert.Equal((members[2], RouteReason.LastResort), (last.Entry, last.Reason));
        members[2].Member.Draining = true;
        Assert.Same(members[0].Member, Owner(set, 1));
        Assert.Null(set.Choose(new ChoiceQuery(1, 0, [members[0].Member])).Entry);
    }

    [Fact]
    public void A_choice_allocates_nothing()
    {
        PoolEntry[] members = Members(100, 200, 300, 0);
        MemberSet set = new(members, new RoutingOptions());
        AffinityTable table = new(1 << 16);
        ChatRequest request = FakePool.Ask(new string('x', 20_000), "y", "z");
        Choose();
        Assert.InRange(Allocation.Least(Choose), 0, 1000);

        void Choose()
        {
            for (int i = 0; i < 1000; i++)
            {
                var blocks = PromptBlocks.Of("m", request.Conversation);
                Choice choice = set.Choose(new ChoiceQuery(blocks.Root, table.FindDeepest(blocks.Hashes).Backend, []));
                table.Remember(blocks.Hashes, choice.Entry!.Member.Id);
                choice.Entry.Member.Leave();
                blocks.Return();
            }
        }
    }

    [Fact]
    public void Places_are_never_more_than_there_are_whoever_asks_at_once()
    {
        PoolEntry[] members = [.. Enumerable.Range(0, 3).Select(i => new PoolEntry(new BackendMember(new FakeBackend(FakePool.Define($"m{i}")), $"m{i}", 100, 5, TimeProvider.System), "m"))];
        MemberSet set = new(members, new RoutingOptions());
        int got = 0;
        Parallel.For(0, 1000, i =>
        {
            if (set.Choose(Query((ulong)i)).Entry is not null)
                Interlocked.Increment(ref got);
        });
        Assert.Equal(15, got);
        Assert.All(members, entry => Assert.Equal(5, entry.Member.InFlight));
    }

    private static int[] Spread(MemberSet set, PoolEntry[] members)
    {
        int[] served = new int[members.Length];
        foreach (BackendMember owner in Owners(set))
            served[Array.FindIndex(members, entry => entry.Member == owner)]++;
        return served;
    }

    private static BackendMember[] Owners(MemberSet set) => [.. Enumerable.Range(0, Requests).Select(i => Owner(set, PromptBlocks.OfText($"conversation {i}")))];

    private static BackendMember Owner(MemberSet set, ulong root)
    {
        BackendMember member = set.Choose(Query(root)).Entry!.Member;
        member.Leave();
        return member;
    }

    private static ChoiceQuery Query(ulong root) => new(root, 0, []);

    private static PoolEntry[] Members(params int[] weights) => MembersFrom(0, weights);

    private static PoolEntry[] MembersFrom(int first, params int[] weights) =>
        [.. weights.Select((weight, i) => new PoolEntry(new BackendMember(new FakeBackend(FakePool.Define($"m{first + i}")), $"m{first + i}", weight, 1_000_000, TimeProvider.System), "m"))];
}
