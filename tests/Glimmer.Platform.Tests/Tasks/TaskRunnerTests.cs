using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Tasks;

public sealed class TaskRunnerTests
{
    [Theory]
    [EachStore]
    public async Task A_task_is_run_once_and_forgets_what_was_asked(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        var work = Work.Open();
        TaskRunner node = tasks.Node(work);
        string id = await tasks.GiveAsync();
        Assert.Equal(TaskState.Queued, (await tasks.FindAsync(id)).State);
        await node.LookAsync();
        await node.IdleAsync();
        await node.LookAsync();
        TaskEntry ended = await tasks.FindAsync(id);
        Assert.Equal((TaskState.Succeeded, 200, "done ask t001", "m"), (ended.State, ended.Status, TestTasks.TextOf(ended), ended.Model));
        Assert.Equal(tasks.Time.GetUtcNow(), ended.Ended);
        Assert.Single(work.Runs);
        Assert.Single(work.Charges);
        Assert.Equal(0, tasks.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM tasks WHERE body IS NOT NULL")));
        Assert.Null(await tasks.Queue.FindAsync(2, id));
    }

    [Fact]
    public async Task A_store_that_a_stopping_process_closes_before_the_last_task_has_ended_is_no_fault()
    {
        await using var tasks = new TestTasks(StoreKind.Sqlite);
        TaskCompletionSource late = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var work = new Work(async (_, _) =>
        {
            await late.Task;
            return new TaskOutcome(TaskState.Succeeded, 200);
        });
        TaskRunner node = tasks.Node(work);
        await tasks.GiveAsync();
        await node.LookAsync();
        await Work.UntilAsync(() => !work.Runs.IsEmpty);
        Task stopping = node.StopAsync();
        await tasks.Store.DisposeAsync();
        late.SetResult();
        await stopping;
        Assert.Empty(tasks.Faults);
        Assert.Equal(0, node.Active);
    }

    [Theory]
    [EachStore]
    public async Task A_dead_node_s_task_is_run_by_another_with_one_result_and_one_charge(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        var dying = new Work();
        TaskRunner first = tasks.Node(dying), second = tasks.Node(Work.Open());
        string id = await tasks.GiveAsync();
        await first.LookAsync();
        await Work.UntilAsync(() => !dying.Runs.IsEmpty);
        await first.DieAsync();
        await Work.UntilAsync(() => first.Active == 0);
        await second.LookAsync();
        Assert.Equal((TaskState.Running, 0), ((await tasks.FindAsync(id)).State, second.Active));

        tasks.Time.Advance(tasks.Settings.Lease);
        await second.LookAsync();
        await second.IdleAsync();
        TaskEntry ended = await tasks.FindAsync(id);
        Assert.Equal((TaskState.Succeeded, "done ask t001"), (ended.State, TestTasks.TextOf(ended)));
        Assert.Empty(dying.Charges);
    }

    [Theory]
    [EachStore]
    public async Task A_node_that_lost_its_lease_can_neither_charge_nor_end(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        Work slow = new(), quick = Work.Open();
        TaskRunner first = tasks.Node(slow), second = tasks.Node(quick);
        string id = await tasks.GiveAsync();
        await first.LookAsync();
        await Work.UntilAsync(() => !slow.Runs.IsEmpty);
        tasks.Time.Advance(tasks.Settings.Lease);
        await second.LookAsync();
        await second.IdleAsync();
        slow.Gate.SetResult();
        await first.IdleAsync();
        Assert.Empty(slow.Charges);
        Assert.Single(quick.Charges);
        Assert.Equal(2, quick.Runs.Single().Attempt);
        Assert.Equal(TaskState.Succeeded, (await tasks.FindAsync(id)).State);
    }

    [Theory]
    [EachStore]
    public async Task A_lease_is_kept_while_a_task_runs(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        var work = new Work();
        TaskRunner node = tasks.Node(work), other = tasks.Node(Work.Open());
        string id = await tasks.GiveAsync();
        await node.LookAsync();
        for (int i = 0; i < 10; i++)
        {
            tasks.Time.Advance(tasks.Settings.Lease / 2);
            await node.LookAsync();
            await other.LookAsync();
        }

        Assert.Equal((1, 0), (node.Active, other.Active));
        work.Gate.SetResult();
        await node.IdleAsync();
        Assert.Equal(TaskState.Succeeded, (await tasks.FindAsync(id)).State);
    }

    [Theory]
    [EachStore]
    public async Task A_node_that_stops_gives_its_tasks_back_at_once(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        TaskRunner first = tasks.Node(new Work());
        string id = await tasks.GiveAsync();
        await first.LookAsync();
        await first.StopAsync();
        Assert.Equal(TaskState.Queued, (await tasks.FindAsync(id)).State);
        TaskRunner second = tasks.Node(Work.Open());
        await second.LookAsync();
        await second.IdleAsync();
        Assert.Equal(TaskState.Succeeded, (await tasks.FindAsync(id)).State);
    }

    [Theory]
    [EachStore]
    public async Task Faults_are_tried_again_later_and_a_few_times(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        var work = new Work((task, _) => Task.FromResult(task.Faults < 2
            ? new TaskOutcome(TaskState.Queued) { IsFault = true }
            : new TaskOutcome(TaskState.Failed, 500, 1234, "broken"u8.ToArray())));
        TaskRunner node = tasks.Node(work);
        string id = await tasks.GiveAsync();
        for (int i = 0; i < 8; i++)
        {
            await node.LookAsync();
            await node.IdleAsync();
            tasks.Time.Advance(TimeSpan.FromSeconds(1));
        }

        TaskEntry ended = await tasks.FindAsync(id);
        Assert.Equal((TaskState.Failed, 500, 1234, "broken"), (ended.State, ended.Status, ended.Code, TestTasks.TextOf(ended)));
        Assert.Equal([0, 1, 2], work.Runs.Select(run => run.Faults));
    }

    [Theory]
    [EachStore]
    public async Task Work_that_throws_is_told_and_fails_in_the_end(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        TaskRunner node = tasks.Node(new Work((_, _) => throw new InvalidOperationException("a bug")));
        string id = await tasks.GiveAsync();
        for (int i = 0; i < 4; i++)
        {
            await node.LookAsync();
            await node.IdleAsync();
            tasks.Time.Advance(TimeSpan.FromMinutes(2));
        }

        Assert.Equal(TaskState.Failed, (await tasks.FindAsync(id)).State);
        Assert.Equal(3, tasks.Faults.Count);
    }

    [Theory]
    [EachStore]
    public async Task A_task_that_kills_its_nodes_fails(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        string id = await tasks.GiveAsync();
        for (int i = 0; i < 3; i++)
        {
            var work = new Work();
            TaskRunner node = tasks.Node(work);
            await node.LookAsync();
            await Work.UntilAsync(() => !work.Runs.IsEmpty);
            await node.DieAsync();
            tasks.Time.Advance(tasks.Settings.Lease);
        }

        var last = Work.Open();
        await tasks.Node(last).LookAsync();
        Assert.Equal(TaskState.Failed, (await tasks.FindAsync(id)).State);
        Assert.Empty(last.Runs);
    }

    [Theory]
    [EachStore]
    public async Task Cancelling_ends_what_waits_at_once_and_what_runs_soon(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { Concurrency = 1 });
        var work = new Work();
        TaskRunner node = tasks.Node(work);
        string runs = await tasks.GiveAsync(), waits = await tasks.GiveAsync();
        await node.LookAsync();
        Assert.False(await tasks.Queue.CancelAsync(2, waits));
        Assert.True(await tasks.Queue.CancelAsync(1, waits));
        Assert.True(await new TaskQueue(tasks.Store, tasks.Settings).CancelAsync(1, runs));   // on another node
        Assert.Equal((TaskState.Running, TaskState.Cancelled), ((await tasks.FindAsync(runs)).State, (await tasks.FindAsync(waits)).State));
        tasks.Time.Advance(TimeSpan.FromSeconds(3));
        await node.LookAsync();
        await node.IdleAsync();
        Assert.Equal(TaskState.Cancelled, (await tasks.FindAsync(runs)).State);
        Assert.False(await tasks.Queue.CancelAsync(1, runs));

        // On its own node it has ended when that says so.
        string third = await tasks.GiveAsync();
        await node.LookAsync();
        await Work.UntilAsync(() => work.Runs.Count == 2);
        Assert.True(await tasks.Queue.CancelAsync(1, third));
        Assert.Equal((TaskState.Cancelled, 0), ((await tasks.FindAsync(third)).State, node.Active));
        Assert.Empty(work.Charges);
    }

    [Theory]
    [EachStore]
    public async Task What_is_too_late_expires_and_results_go_after_their_time(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { Concurrency = 1 });
        var work = new Work();
        TaskRunner node = tasks.Node(work);
        string runs = await tasks.GiveAsync(), waits = await tasks.GiveAsync();
        await node.LookAsync();
        tasks.Time.Advance(tasks.Settings.Deadline);
        await node.LookAsync();
        await node.IdleAsync();
        Assert.Equal((TaskState.Expired, TaskState.Expired), ((await tasks.FindAsync(runs)).State, (await tasks.FindAsync(waits)).State));
        tasks.Time.Advance(tasks.Settings.KeepResult);
        Assert.Null(await tasks.Queue.FindAsync(1, runs));
        await node.LookAsync();
        Assert.Equal(0, tasks.Store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM tasks")));
    }

    [Theory]
    [EachStore]
    public async Task Request_ids_and_open_tasks_are_bounded(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind, settings => settings with { MaxOpen = 3 });
        TimeSpan window = TimeSpan.FromMinutes(10);
        Assert.Equal(TaskGift.Given, await tasks.Queue.AddAsync(tasks.New(request: "a"), window));
        Assert.Equal(TaskGift.Duplicate, await tasks.Queue.AddAsync(tasks.New(request: "a"), window));
        Assert.Equal(TaskGift.Given, await tasks.Queue.AddAsync(tasks.New(account: 2, request: "a"), window));
        Assert.Equal(TaskGift.Given, await tasks.Queue.AddAsync(tasks.New(request: "a"), TimeSpan.Zero));
        tasks.Time.Advance(window);
        Assert.Equal(TaskGift.Given, await tasks.Queue.AddAsync(tasks.New(request: "a"), window));
        Assert.Equal(TaskGift.TooMany, await tasks.Queue.AddAsync(tasks.New(), window));
    }

    [Theory]
    [EachStore]
    public async Task Nodes_share_a_heap_of_tasks_and_none_is_run_twice(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        Work[] works = [Work.Open(), Work.Open(), Work.Open()];
        TaskRunner[] nodes = [.. works.Select(tasks.Node)];
        for (int i = 0; i < 40; i++)
            await tasks.GiveAsync(1 + (i % 3));
        for (int round = 0; round < 20; round++)
        {
            await Task.WhenAll(nodes.Select(node => node.LookAsync()));
            await Task.WhenAll(nodes.Select(node => node.IdleAsync()));
        }

        Assert.Equal(40, works.SelectMany(work => work.Charges).Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(40, works.Sum(work => work.Runs.Count));
    }

    [Theory]
    [EachStore]
    public async Task The_loop_takes_what_is_given_and_stops(StoreKind kind)
    {
        await using var tasks = new TestTasks(kind);
        var work = Work.Open();
        TaskRunner node = tasks.Node(work);
        node.Start();
        for (int i = 0; i < 10; i++)
            await tasks.GiveAsync();
        await Work.UntilAsync(() => work.Charges.Count == 10);
        await node.StopAsync();
        string late = await tasks.GiveAsync();
        Assert.Equal(TaskState.Queued, (await tasks.FindAsync(late)).State);
        Assert.Empty(tasks.Faults);
    }
}
