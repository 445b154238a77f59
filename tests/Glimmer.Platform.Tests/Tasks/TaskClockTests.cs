using System.Text;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Tasks;

/// <summary>Nodes whose clocks differ by hours, on one PostgreSQL.</summary>
public sealed class TaskClockTests
{
    [Fact]
    public async Task Leases_are_by_the_database_s_clock_whatever_the_nodes_think()
    {
        using var files = new TestStore(StoreKind.Postgres);
        using PlatformStore slow = Open(files, TimeSpan.FromHours(-5)), fast = Open(files, TimeSpan.FromHours(5));
        var settings = new TaskSettings { DrainTime = TimeSpan.Zero, Lease = TimeSpan.FromMinutes(5) };
        TaskQueue here = new(slow, settings), there = new(fast, settings);
        Assert.Equal(TaskGift.Given, await there.AddAsync(new NewTask("t", 1, "key", "work", Encoding.UTF8.GetBytes("ask")), TimeSpan.Zero));

        // Given by a clock of tomorrow, it waits for nobody's clock to get there; held by a clock of yesterday, its lease is not over.
        TaskRun run = Assert.Single(await here.ClaimAsync("slow", 1));
        Assert.Empty(await there.ClaimAsync("fast", 1));
        await there.SweepAsync();
        Assert.Equal(TaskHold.Held, await here.RenewAsync("slow", run));
        Assert.Empty(await there.ClaimAsync("fast", 1));

        // Only a lease that is over by the database's clock is taken.
        slow.Write(session => session.Execute("UPDATE tasks SET lease_until = (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint - 1"));
        Assert.Equal(2, Assert.Single(await there.ClaimAsync("fast", 1)).Attempt);
        Assert.Equal(TaskHold.Lost, await here.RenewAsync("slow", run));
        Assert.False(await here.EndAsync("slow", run, new TaskOutcome(TaskState.Succeeded, 200)));
    }

    private static PlatformStore Open(TestStore files, TimeSpan off) => PlatformStore.Open(files.Settings with { Time = new Skewed(off), DatabaseClock = true });

    private sealed class Skewed(TimeSpan off) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UtcNow + off;
    }
}
