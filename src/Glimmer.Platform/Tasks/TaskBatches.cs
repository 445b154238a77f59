using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tasks;

/// <summary>Batches: tasks given, followed, given up and forgotten together.</summary>
public sealed class TaskBatches(TaskQueue queue)
{
    private const string Columns = "id, kind, created, expires, cancel_at AS cancelAt, ended";
    private const int Page = 64;
    private readonly PlatformStore _store = queue.Store;

    /// <summary>Gives a batch with its tasks, all or none.</summary>
    /// <returns>The batch; null when the account has as many open tasks as it may.</returns>
    public async Task<TaskBatch?> AddAsync(string id, long account, string key, string kind, IReadOnlyList<NewTask> tasks)
    {
        ArgumentNullException.ThrowIfNull(tasks);
        TaskSettings settings = queue.Settings;
        Row? row = await _store.WriteAsync(session =>
        {
            if (TaskQueue.Open(session, account) + tasks.Count > settings.MaxOpen)
                return null;
            long now = _store.SharedNow(session);
            var added = new Row { Id = id, Kind = kind, Created = now, Expires = now + TaskQueue.Milliseconds(settings.Deadline) };
            session.Execute(
                "INSERT INTO task_batches (id, account, access_key, kind, total, created, expires, purge_at) VALUES (@id, @account, @key, @kind, @total, @Created, @Expires, @purge)",
                new { id, account, key, kind, total = (long)tasks.Count, added.Created, added.Expires, purge = now + TaskQueue.Milliseconds(settings.KeepBatch) });
            for (int i = 0; i < tasks.Count; i++)
                queue.Insert(session, tasks[i], id, 1, i, now);
            return added;
        });
        if (row is null)
            return null;
        queue.Given?.Invoke();
        return row.Batch(new TaskCounts(tasks.Count, 0, 0, 0, 0));
    }

    /// <summary>A batch of an account; null when it has none of this id.</summary>
    public Task<TaskBatch?> FindAsync(long account, string kind, string id, CancellationToken cancel = default) => _store.ReadAsync(
        session => session.First<Row>($"SELECT {Columns} FROM task_batches WHERE id = @id AND account = @account AND kind = @kind", new { id, account, kind }) is { } row ? Count(session, row) : null,
        snapshot: true,
        cancel);

    /// <summary>Batches of an account, newest first.</summary>
    /// <param name="account">The account.</param>
    /// <param name="kind">What runs their tasks.</param>
    /// <param name="limit">Most to give; whether there are more is told beside.</param>
    /// <param name="after">Id of the one before the first; null from the newest on.</param>
    /// <param name="before">Id of the one after the last; null for no such bound.</param>
    /// <param name="cancel">Ends the wait for a reader.</param>
    public Task<(IReadOnlyList<TaskBatch> Batches, bool More)> ListAsync(long account, string kind, int limit, string? after, string? before, CancellationToken cancel = default) => _store.ReadAsync(
        session =>
        {
            // Ids order batches of one millisecond.
            string bound = after is not null ? " AND (created, id) < (SELECT created, id FROM task_batches WHERE id = @cursor AND account = @account)"
                : before is not null ? " AND (created, id) > (SELECT created, id FROM task_batches WHERE id = @cursor AND account = @account)" : "";
            string order = after is null && before is not null ? "ASC" : "DESC";
            List<Row> rows = session.List<Row>(
                $"SELECT {Columns} FROM task_batches WHERE account = @account AND kind = @kind{bound} ORDER BY created {order}, id {order} LIMIT @most",
                new { account, kind, cursor = after ?? before, most = limit + 1L });
            bool more = rows.Count > limit;
            if (more)
                rows.RemoveAt(limit);
            if (order == "ASC")
                rows.Reverse();
            return ((IReadOnlyList<TaskBatch>)[.. rows.Select(row => Count(session, row))], more);
        },
        snapshot: true,
        cancel);

    /// <summary>Gives a batch up: what waits is cancelled at once, what runs soon. One that has ended stays as it is.</summary>
    /// <returns>The batch; null when the account has none of this id.</returns>
    public Task<TaskBatch?> CancelAsync(long account, string kind, string id) => _store.WriteAsync(session =>
    {
        long now = _store.SharedNow(session);
        Row? row = session.First<Row>($"SELECT {Columns} FROM task_batches WHERE id = @id AND account = @account AND kind = @kind{session.Dialect.ForUpdate}", new { id, account, kind });
        if (row is null)
            return null;
        if (row.Ended is null && row.CancelAt is null)
        {
            session.Execute("UPDATE task_batches SET cancel_at = @now WHERE id = @id", new { id, now });
            session.Execute("UPDATE tasks SET state = 4, body = NULL, cancel = 1, ended = @now WHERE batch = @id AND state = 0", new { id, now });
            session.Execute("UPDATE tasks SET cancel = 1 WHERE batch = @id AND state = 1", new { id });
            TaskQueue.CloseBatches(session, now, id);
            row = session.First<Row>($"SELECT {Columns} FROM task_batches WHERE id = @id", new { id })!;
        }

        return Count(session, row);
    });

    /// <summary>Forgets a batch that has ended, and its results.</summary>
    /// <returns>Whether it was there and had ended.</returns>
    public Task<bool> DeleteAsync(long account, string kind, string id) => _store.WriteAsync(session =>
    {
        if (session.Execute("DELETE FROM task_batches WHERE id = @id AND account = @account AND kind = @kind AND ended IS NOT NULL", new { id, account, kind }) == 0)
            return false;
        session.Execute("DELETE FROM tasks WHERE batch = @id", new { id });
        return true;
    });

    /// <summary>The tasks of a batch with their results, in the order they were given. Reads a few at a time.</summary>
    public async IAsyncEnumerable<TaskEntry> ReadAsync(long account, string id, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancel = default)
    {
        long after = -1;
        while (true)
        {
            long from = after;
            List<TaskRow> rows = await _store.ReadAsync(
                session => session.List<TaskRow>(
                    $"SELECT {TaskRow.Columns} FROM tasks WHERE batch = @id AND account = @account AND position > @from ORDER BY position LIMIT {Page}", new { id, account, from }),
                cancel: cancel);
            foreach (TaskRow row in rows)
                yield return row.Entry();
            if (rows.Count < Page)
                yield break;
            after = rows[^1].Position;
        }
    }

    private static TaskBatch Count(StoreSession session, Row row)
    {
        var counts = session.List<(long State, long Number)>("SELECT state, COUNT(*) FROM tasks WHERE batch = @Id GROUP BY state", new { row.Id }).ToDictionary(pair => (TaskState)pair.State, pair => pair.Number);
        long Of(TaskState state) => counts.GetValueOrDefault(state);
        return row.Batch(new TaskCounts(Of(TaskState.Queued) + Of(TaskState.Running), Of(TaskState.Succeeded), Of(TaskState.Failed), Of(TaskState.Cancelled), Of(TaskState.Expired)));
    }

    private sealed class Row
    {
        public string Id { get; set; } = "";

        public string Kind { get; set; } = "";

        public long Created { get; set; }

        public long Expires { get; set; }

        public long? CancelAt { get; set; }

        public long? Ended { get; set; }

        public TaskBatch Batch(in TaskCounts counts) => new(Id, Kind, TaskRow.Instant(Created), TaskRow.Instant(Expires), TaskRow.Instant(CancelAt), TaskRow.Instant(Ended), counts);
    }
}
