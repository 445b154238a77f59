using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tasks;

/// <summary>
/// Tasks in the store: given, run under a lease, ended once. Any node takes what waits or what a silent node left. A task of its own goes
/// before those of batches, and accounts and batches take turns: place by place, oldest first.
/// </summary>
public sealed class TaskQueue(PlatformStore store, TaskSettings settings)
{
    private const int PageOfPurge = 500;

    /// <summary>Called when tasks were given on this node, so that it looks at once.</summary>
    internal Action? Given { get; set; }

    /// <summary>Ends the run of a task on this node, if it has one; set by the node's runner.</summary>
    internal Func<string, Task>? GivenUp { get; set; }

    /// <summary>The bounds.</summary>
    public TaskSettings Settings { get; } = settings;

    internal PlatformStore Store { get; } = store;

    /// <summary>Gives a task. Completes when it is durable.</summary>
    /// <param name="task">The task.</param>
    /// <param name="requestWindow">How long the client's request id may not come again; zero lets it.</param>
    public Task<TaskGift> AddAsync(NewTask task, TimeSpan requestWindow) => AddAsync(task, requestWindow, null);

    /// <param name="task">The task.</param>
    /// <param name="requestWindow">How long the client's request id may not come again; zero lets it.</param>
    /// <param name="also">What is written with it.</param>
    /// <inheritdoc cref="AddAsync(NewTask, TimeSpan)"/>
    internal async Task<TaskGift> AddAsync(NewTask task, TimeSpan requestWindow, Action<StoreSession>? also)
    {
        ArgumentNullException.ThrowIfNull(task);
        TaskGift gift = await Store.WriteAsync(session =>
        {
            long now = Store.SharedNow(session);
            if (task.Request is { } request && requestWindow > TimeSpan.Zero && session.Scalar<long>(
                "SELECT COUNT(*) FROM tasks WHERE account = @account AND created > @since AND request = @request AND batch IS NULL",
                new { account = task.Account, since = now - (long)requestWindow.TotalMilliseconds, request }) > 0)
            {
                return TaskGift.Duplicate;
            }

            long open = Open(session, task.Account);
            if (open >= Settings.MaxOpen)
                return TaskGift.TooMany;
            Insert(session, task, null, 0, Math.Min(open, 1000), now);
            also?.Invoke(session);
            return TaskGift.Given;
        });
        if (gift == TaskGift.Given)
            Given?.Invoke();
        return gift;
    }

    /// <summary>A task of an account; null when it has none of this id.</summary>
    public async Task<TaskEntry?> FindAsync(long account, string id, CancellationToken cancel = default) =>
        (await Store.ReadAsync(
            session => session.First<TaskRow>($"SELECT {TaskRow.Columns} FROM tasks WHERE id = @id AND account = @account AND batch IS NULL AND (state < 2 OR purge_at > @now)", new { id, account, now = Store.SharedNow(session) }),
            cancel: cancel))?.Entry();

    /// <summary>Gives up a task that is open; one that runs ends soon.</summary>
    /// <returns>Whether the account has such an open task.</returns>
    public async Task<bool> CancelAsync(long account, string id)
    {
        if (!await CancelRowAsync(account, id))
            return false;

        // Another node hears of it when it renews its lease.
        if (GivenUp is { } end)
            await end(id);
        return true;
    }

    private Task<bool> CancelRowAsync(long account, string id) => Store.WriteAsync(session =>
        session.Execute(
            "UPDATE tasks SET cancel = 1, state = CASE WHEN state = 0 THEN 4 ELSE state END, body = CASE WHEN state = 0 THEN NULL ELSE body END, "
            + "ended = CASE WHEN state = 0 THEN @now ELSE ended END, purge_at = CASE WHEN state = 0 THEN @purge ELSE purge_at END WHERE id = @id AND account = @account AND batch IS NULL AND state < 2",
            new { id, account, now = Store.SharedNow(session), purge = Store.SharedNow(session) + Milliseconds(Settings.KeepResult) }) > 0);

    /// <summary>Whether a former run of a task was charged already: its answer was lost with its node.</summary>
    /// <param name="account">The account as the ledger knows it.</param>
    /// <param name="id">Id of the task, which is the id of its request.</param>
    /// <param name="since">When it was given.</param>
    public async Task<bool> WasChargedAsync(string account, string id, DateTimeOffset since) => await Store.ReadAsync(session =>
        session.Scalar<long>(
            "SELECT COUNT(*) FROM ledger_usage u JOIN ledger_names n ON n.id = u.account WHERE n.name = @account AND u.at >= @since AND u.request = @id",
            new { account, id, since = since.ToUnixTimeMilliseconds() })) > 0;

    /// <summary>Takes tasks to run under a lease of this node: those that wait and those whose node has been silent.</summary>
    internal async Task<IReadOnlyList<TaskRun>> ClaimAsync(string node, int count)
    {
        // A look that finds nothing costs no write.
        if (!await Store.ReadAsync(session => session.Scalar<long>($"SELECT COUNT(*) FROM (SELECT 1 FROM tasks WHERE {Claimable} LIMIT 1) AS found", new { now = Store.SharedNow(session) }) > 0))
            return [];
        return await Store.WriteAsync(session =>
        {
            long now = Store.SharedNow(session);
            string skip = session.Dialect.Kind == StoreKind.Postgres ? " FOR UPDATE SKIP LOCKED" : "";
            List<TaskRow> rows = session.List<TaskRow>(
                "UPDATE tasks SET lost = lost + state, state = 1, attempt = attempt + 1, node = @node, lease_until = @until, started = COALESCE(started, @now) "
                + $"WHERE id IN (SELECT id FROM tasks WHERE {Claimable} ORDER BY priority, position, created LIMIT @count{skip}) "
                + "RETURNING id, account, access_key AS accessKey, kind, body, attempt, faults, created, priority, position",
                new { node, count, now, until = now + Milliseconds(Settings.Lease) });
            return (IReadOnlyList<TaskRun>)[.. rows.OrderBy(row => row.Position).ThenBy(row => row.Created).Select(row => row.Run())];
        });
    }

    /// <summary>Lengthens the lease of a run.</summary>
    /// <param name="node">This node.</param>
    /// <param name="run">The run.</param>
    /// <param name="patient">Whether to wait for a database that is away; what it says then counts.</param>
    /// <returns>Whether it is still this node's and nobody has given it up.</returns>
    internal async Task<TaskHold> RenewAsync(string node, TaskRun run, bool patient = false) => (await Store.WriteAsync(session =>
    {
        long now = Store.SharedNow(session);
        return session.First<TaskRow>(
            "UPDATE tasks SET lease_until = @until WHERE id = @id AND attempt = @attempt AND node = @node AND state = 1 AND expires > @now RETURNING id, cancel",
            new { id = run.Id, attempt = run.Attempt, node, until = now + Milliseconds(Settings.Lease), now });
    }, patient: patient)) switch
    {
        null => TaskHold.Lost,
        { Cancel: not 0 } => TaskHold.Cancelled,
        _ => TaskHold.Held,
    };

    /// <summary>Ends a run; false when the task is no longer this run's.</summary>
    internal Task<bool> EndAsync(string node, TaskRun run, TaskOutcome outcome) => Store.WriteAsync(session =>
    {
        long now = Store.SharedNow(session);
        if (outcome.State == TaskState.Queued)
            return PutBack(session, node, run, outcome, now);
        string? batch = null;
        long state = (long)outcome.State;
        TaskRow? ended = session.First<TaskRow>(
            "UPDATE tasks SET state = @state, status = @status, code = @code, result = @result, body = NULL, node = NULL, lease_until = NULL, ended = @now, "
            + "purge_at = CASE WHEN batch IS NULL THEN @purge ELSE purge_at END WHERE id = @id AND attempt = @attempt AND node = @node AND state = 1 RETURNING id, batch",
            new { id = run.Id, attempt = run.Attempt, node, state, status = (long)outcome.Status, code = (long)outcome.Code, result = outcome.Result, now, purge = now + Milliseconds(Settings.KeepResult) });
        if (ended is null)
            return false;
        batch = ended.Batch;
        if (batch is not null)
            CloseBatches(session, now, batch);
        return true;
    }, patient: true);

    /// <summary>Gives a run back, to be run again from its beginning on any node.</summary>
    internal Task<bool> GiveBackAsync(string node, TaskRun run) => Store.WriteAsync(session => session.Execute(
        "UPDATE tasks SET state = 0, node = NULL, lease_until = NULL, not_before = @now WHERE id = @id AND attempt = @attempt AND node = @node AND state = 1",
        new { id = run.Id, attempt = run.Attempt, node, now = Store.SharedNow(session) }) > 0);

    /// <summary>Ends what is too late or has lost its node too often, closes batches and forgets what was kept long enough.</summary>
    internal Task SweepAsync() => Store.WriteAsync(session =>
    {
        long now = Store.SharedNow(session);
        long keep = now + Milliseconds(Settings.KeepResult);
        const string End = "body = NULL, node = NULL, lease_until = NULL, ended = @now, purge_at = CASE WHEN batch IS NULL THEN @keep ELSE purge_at END";
        session.Execute($"UPDATE tasks SET state = 5, {End} WHERE state < 2 AND expires <= @now", new { now, keep });
        session.Execute($"UPDATE tasks SET state = 4, {End} WHERE state = 1 AND lease_until <= @now AND cancel <> 0", new { now, keep });
        session.Execute($"UPDATE tasks SET state = 3, {End} WHERE state = 1 AND lease_until <= @now AND lost + 1 >= @most", new { now, keep, most = (long)Settings.MaxFaults });
        CloseBatches(session, now, null);
        session.Execute($"DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE purge_at <= @now AND state >= 2 LIMIT {PageOfPurge})", new { now });
        session.Execute($"DELETE FROM task_batches WHERE id IN (SELECT id FROM task_batches WHERE purge_at <= @now AND ended IS NOT NULL LIMIT {PageOfPurge})", new { now });
        return true;
    });

    /// <summary>Marks batches without an open task as ended.</summary>
    internal static void CloseBatches(StoreSession session, long now, string? batch) => session.Execute(
        "UPDATE task_batches SET ended = @now WHERE ended IS NULL"
        + (batch is null ? "" : " AND id = @batch")
        + " AND NOT EXISTS (SELECT 1 FROM tasks WHERE tasks.batch = task_batches.id AND tasks.state < 2)",
        new { now, batch });

    internal static long Open(StoreSession session, long account) =>
        session.Scalar<long>("SELECT COUNT(*) FROM tasks WHERE account = @account AND state < 2", new { account });

    internal void Insert(StoreSession session, NewTask task, string? batch, long priority, long position, long now) => session.Statement(
        "INSERT INTO tasks (id, account, access_key, kind, model, request, batch, item, priority, position, state, body, status, code, attempt, faults, lost, not_before, cancel, created, expires, purge_at) "
        + "VALUES (@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7, @p8, @p9, 0, @p10, 0, 0, 0, 0, 0, 0, 0, @p11, @p12, @p13)")
        .With(task.Id).With(task.Account).With(task.Key).With(task.Kind).With(task.Model).With(task.Request).With(batch).With(task.Item).With(priority).With(position)
        .With(task.Body).With(now).With(now + Milliseconds(Settings.Deadline)).With(now + Milliseconds(batch is null ? Settings.Deadline + Settings.KeepResult : Settings.KeepBatch)).Execute();

    internal static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private const string Claimable = "state < 2 AND not_before <= @now AND expires > @now AND (state = 0 OR lease_until <= @now) AND cancel = 0";

    private bool PutBack(StoreSession session, string node, TaskRun run, TaskOutcome outcome, long now)
    {
        long faults = run.Faults + (outcome.IsFault ? 1 : 0);

        // Tries lie ever further apart: after 1, 2, 4 … 64 seconds.
        long wait = 1000L << (int)Math.Min(6, run.Attempt - 1);
        return session.Execute(
            "UPDATE tasks SET state = 0, faults = @faults, node = NULL, lease_until = NULL, not_before = @next WHERE id = @id AND attempt = @attempt AND node = @node AND state = 1",
            new { id = run.Id, attempt = run.Attempt, node, faults, next = now + wait }) > 0;
    }
}

/// <summary>What became of a task that was given.</summary>
public enum TaskGift
{
    /// <summary>It will be run.</summary>
    Given,

    /// <summary>The client's request id came before.</summary>
    Duplicate,

    /// <summary>The account has as many open tasks as it may.</summary>
    TooMany,
}

/// <summary>Whether a node still holds a run.</summary>
internal enum TaskHold
{
    /// <summary>It does.</summary>
    Held,

    /// <summary>The owner gave the task up.</summary>
    Cancelled,

    /// <summary>Another node may have it.</summary>
    Lost,
}
