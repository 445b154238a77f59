using System.Collections.Concurrent;
using System.Text;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;
using Glimmer.Platform.Tests.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Tasks;

/// <summary>Tasks on a fresh store, with a clock that moves when told to, and any number of nodes.</summary>
internal sealed class TestTasks : IAsyncDisposable
{
    private readonly TestStore _files;
    private readonly PlatformStore _store;
    private readonly List<TaskRunner> _nodes = [];
    private int _ids;

    public TestTasks(StoreKind kind, Func<TaskSettings, TaskSettings>? change = null)
    {
        _files = new TestStore(kind, Time);
        _store = _files.Open();
        Settings = new TaskSettings { Concurrency = 4, DrainTime = TimeSpan.Zero };
        Settings = change?.Invoke(Settings) ?? Settings;
        Queue = new TaskQueue(_store, Settings);
        Batches = new TaskBatches(Queue);
    }

    public ManualTime Time { get; } = new();

    public TaskSettings Settings { get; }

    public TaskQueue Queue { get; }

    public TaskBatches Batches { get; }

    public ConcurrentQueue<Exception> Faults { get; } = new();

    public PlatformStore Store => _store;

    public NewTask New(long account = 1, string? request = null, string? id = null, string? item = null) =>
        new(id ?? $"t{++_ids:000}", account, "key", "work", Encoding.UTF8.GetBytes("ask " + (id ?? $"t{_ids:000}"))) { Model = "m", Request = request, Item = item };

    public async Task<string> GiveAsync(long account = 1)
    {
        NewTask task = New(account);
        Assert.Equal(TaskGift.Given, await Queue.AddAsync(task, TimeSpan.Zero));
        return task.Id;
    }

    /// <summary>A node that looks when told to.</summary>
    public TaskRunner Node(Work work)
    {
        var node = new TaskRunner(Queue, work, Faults.Enqueue);
        _nodes.Add(node);
        return node;
    }

    public async Task<TaskEntry> FindAsync(string id, long account = 1) => (await Queue.FindAsync(account, id))!;

    public static string TextOf(TaskEntry task) => Encoding.UTF8.GetString(task.Result ?? []);

    public async ValueTask DisposeAsync()
    {
        foreach (TaskRunner node in _nodes)
            await node.DisposeAsync();
        await _store.DisposeAsync();
        _files.Dispose();
    }
}

/// <summary>Work that a test steers. Counts runs and charges of each task.</summary>
internal sealed class Work(Func<TaskRun, CancellationToken, Task<TaskOutcome>>? run = null) : ITaskWork
{
    public ConcurrentQueue<TaskRun> Runs { get; } = new();

    public ConcurrentQueue<string> Charges { get; } = new();

    /// <summary>Runs wait for it.</summary>
    public TaskCompletionSource Gate { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static Work Open()
    {
        var work = new Work();
        work.Gate.SetResult();
        return work;
    }

    public async Task<TaskOutcome> RunAsync(TaskRun task, Func<Task<bool>> confirm, CancellationToken cancel)
    {
        Runs.Enqueue(task);
        if (run is not null)
            return await run(task, cancel);
        await Gate.Task.WaitAsync(cancel);
        if (await confirm())
            Charges.Enqueue(task.Id);
        return new TaskOutcome(TaskState.Succeeded, 200, 0, Encoding.UTF8.GetBytes("done " + Encoding.UTF8.GetString(task.Body)));
    }

    public static Task UntilAsync(Func<bool> condition) => Eventually.HoldsAsync(condition);
}
