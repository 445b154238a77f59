using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Tasks;

public sealed class TaskBatchesTests
{
    [Theory]
    [EachStore]
    public async Task A_batch_is_run_counted_and_read_in_its_order(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        TaskRunner node = tasks.Node(new Work((run, _) => Task.FromResult(
            run.Id.EndsWith('7') ? new TaskOutcome(TaskState.Failed, 400, 1214, "no"u8.ToArray()) : new TaskOutcome(TaskState.Succeeded, 200, 0, run.Body))));
        TaskBatch batch = (await GiveAsync(tasks, "b", 150))!;
        Assert.Equal((new TaskCounts(150, 0, 0, 0, 0), null), (batch.Counts, batch.Ended));
        Assert.Equal(tasks.Time.GetUtcNow() + tasks.Settings.Deadline, batch.Expires);
        await DrainAsync(node);
        batch = (await tasks.Batches.FindAsync(1, "work", "b"))!;
        Assert.Equal((new TaskCounts(0, 135, 15, 0, 0), tasks.Time.GetUtcNow()), (batch.Counts, batch.Ended));
        List<TaskEntry> results = await tasks.Batches.ReadAsync(1, "b").ToListAsync();
        Assert.Equal(Enumerable.Range(0, 150).Select(i => $"i{i}"), results.Select(result => result.Item));
        Assert.Equal(15, results.Count(result => result.State == TaskState.Failed));
        Assert.Null(await tasks.Queue.FindAsync(1, results[0].Id));
    }

    [Theory]
    [EachStore]
    public async Task Others_see_change_and_read_nothing(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        await GiveAsync(tasks, "b", 2);
        Assert.Null(await tasks.Batches.FindAsync(2, "work", "b"));
        Assert.Null(await tasks.Batches.FindAsync(1, "other", "b"));
        Assert.Null(await tasks.Batches.CancelAsync(2, "work", "b"));
        Assert.False(await tasks.Batches.DeleteAsync(2, "work", "b"));
        Assert.Empty((await tasks.Batches.ListAsync(2, "work", 10, null, null)).Batches);
        Assert.Empty(await tasks.Batches.ReadAsync(2, "b").ToListAsync());
    }

    [Theory]
    [EachStore]
    public async Task Cancelling_keeps_what_is_done_and_waits_for_what_runs(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { Concurrency = 2 });
        await GiveAsync(tasks, "b", 5);
        TaskRunner first = tasks.Node(Work.Open());
        await first.LookAsync();
        await first.IdleAsync();
        var work = new Work();
        TaskRunner second = tasks.Node(work);
        await second.LookAsync();
        TaskBatch batch = (await tasks.Batches.CancelAsync(1, "work", "b"))!;
        Assert.Equal((new TaskCounts(2, 2, 0, 1, 0), tasks.Time.GetUtcNow(), null), (batch.Counts, batch.CancelAt, batch.Ended));
        Assert.False(await tasks.Batches.DeleteAsync(1, "work", "b"));
        tasks.Time.Advance(TimeSpan.FromSeconds(3));
        await second.LookAsync();
        await second.IdleAsync();
        batch = (await tasks.Batches.CancelAsync(1, "work", "b"))!;
        Assert.Equal((new TaskCounts(0, 2, 0, 3, 0), true), (batch.Counts, batch.Ended is not null));
        Assert.True(await tasks.Batches.DeleteAsync(1, "work", "b"));
        Assert.Equal(0, tasks.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM tasks")));
    }

    [Theory]
    [EachStore]
    public async Task A_batch_that_waits_is_cancelled_at_once_and_one_too_late_expires(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        await GiveAsync(tasks, "a", 3);
        Assert.NotNull((await tasks.Batches.CancelAsync(1, "work", "a"))!.Ended);
        await GiveAsync(tasks, "b", 3);
        tasks.Time.Advance(tasks.Settings.Deadline);
        TaskRunner node = tasks.Node(Work.Open());
        await node.LookAsync();
        TaskBatch late = (await tasks.Batches.FindAsync(1, "work", "b"))!;
        Assert.Equal((new TaskCounts(0, 0, 0, 0, 3), true), (late.Counts, late.Ended is not null));
        tasks.Time.Advance(tasks.Settings.KeepBatch);
        await node.LookAsync();
        Assert.Null(await tasks.Batches.FindAsync(1, "work", "b"));
        Assert.Equal(0, tasks.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM tasks")));
    }

    [Theory]
    [EachStore]
    public async Task A_single_task_goes_first_and_batches_take_turns(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { Concurrency = 1 });
        await GiveAsync(tasks, "b", 3);
        tasks.Time.Advance(TimeSpan.FromSeconds(1));
        await GiveAsync(tasks, "c", 2, account: 2);
        tasks.Time.Advance(TimeSpan.FromSeconds(1));
        string single = await tasks.GiveAsync();
        var work = Work.Open();
        await DrainAsync(tasks.Node(work), 8);
        Assert.Equal([single, "b-0", "c-0", "b-1", "c-1", "b-2"], work.Runs.Select(run => run.Id));
    }

    [Theory]
    [EachStore]
    public async Task Lists_go_both_ways(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        foreach (string id in new[] { "a", "b", "c", "d", "e" })
        {
            await GiveAsync(tasks, id, 1);
            tasks.Time.Advance(TimeSpan.FromMilliseconds(id == "c" ? 0 : 1));
        }

        async Task<string> ListAsync(int limit, string? after = null, string? before = null)
        {
            (IReadOnlyList<TaskBatch> batches, bool more) = await tasks.Batches.ListAsync(1, "work", limit, after, before);
            return string.Concat(batches.Select(batch => batch.Id)) + (more ? "+" : "");
        }

        Assert.Equal(["edcba", "ed+", "cb+", "a", "", "ed", "dc+", ""], [
            await ListAsync(5), await ListAsync(2), await ListAsync(2, after: "d"), await ListAsync(2, after: "b"), await ListAsync(2, after: "a"),
            await ListAsync(2, before: "c"), await ListAsync(2, before: "b"), await ListAsync(2, before: "e")]);
    }

    [Theory]
    [EachStore]
    public async Task A_batch_that_is_too_large_is_not_taken_in_part(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { MaxOpen = 3 });
        Assert.Null(await GiveAsync(tasks, "b", 4));
        Assert.Equal(0, tasks.Store.Read(session => session.Scalar<long>("SELECT (SELECT COUNT(*) FROM tasks) + (SELECT COUNT(*) FROM task_batches)")));
    }

    private static Task<TaskBatch?> GiveAsync(TestTasks tasks, string id, int count, long account = 1) =>
        tasks.Batches.AddAsync(id, account, "key", "work", [.. Enumerable.Range(0, count).Select(i => tasks.New(account, id: $"{id}-{i}", item: $"i{i}"))]);

    private static async Task DrainAsync(TaskRunner node, int rounds = 60)
    {
        for (int i = 0; i < rounds; i++)
        {
            await node.LookAsync();
            await node.IdleAsync();
        }
    }
}
