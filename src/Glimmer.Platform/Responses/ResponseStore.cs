using Glimmer.Platform.Store;

namespace Glimmer.Platform.Responses;

/// <summary>Keeps responses for 30 days. Whoever asks for another account's finds nothing.</summary>
public sealed class ResponseStore(PlatformStore store)
{
    /// <summary>How long responses and conversations are kept.</summary>
    public static TimeSpan Lifetime { get; } = TimeSpan.FromDays(30);

    /// <summary>How long a response in the making may go without a sign of life of its server.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    /// <summary>Names this process in the store.</summary>
    private readonly string _node = Guid.NewGuid().ToString("N");
    private long _nextSweep;

    /// <summary>Keeps a response, or replaces what is kept of it. One that was deleted meanwhile stays so.</summary>
    /// <param name="response">The response.</param>
    /// <param name="isNew">Whether it must not exist yet.</param>
    /// <param name="patient">Whether to wait for a database that is away.</param>
    /// <returns>Whether it is kept.</returns>
    /// <exception cref="StoreAwayException">The database is away, and it was not to be waited for.</exception>
    public async Task<bool> KeepAsync(StoredResponse response, bool isNew, bool patient = false)
    {
        ArgumentNullException.ThrowIfNull(response);
        long now = store.Now;
        bool sweeps = IsDue(ref _nextSweep, now);
        return await store.WriteAsync(session =>
        {
            if (sweeps)
                Sweep(session, now);
            string? node = response.IsOpen ? _node : null;
            if (!isNew)
                return Update(session, response, node, now);
            Insert(session, response, node, now);
            return true;
        }, patient: patient);
    }

    internal static void Insert(StoreSession session, StoredResponse response, string? node, long now)
    {
        session.Execute(
            "INSERT INTO responses (id, account, status, created, expires, previous, node, alive, input, body, marks) VALUES (@Id, @Account, @Status, @Created, @expires, @Previous, @node, @now, @Input, @Body, @Marks)",
            new { response.Id, response.Account, response.Status, response.Created, expires = response.Created + (long)Lifetime.TotalMilliseconds, response.Previous, node, now, response.Input, response.Body, response.Marks });
        InsertItems(session, response);
    }

    /// <summary>Replaces what is kept of a response that has not ended; false when it has, or was removed.</summary>
    internal static bool Update(StoreSession session, StoredResponse response, string? node, long now)
    {
        if (session.Execute(
            "UPDATE responses SET status = @Status, node = @node, alive = @now, body = @Body, marks = @Marks WHERE id = @Id AND account = @Account AND status IN ('queued', 'in_progress')",
            new { response.Id, response.Account, response.Status, node, now, response.Body, response.Marks }) == 0)
        {
            return false;
        }

        // Whoever streams it takes the rest from what it is now.
        if (!response.IsOpen)
            session.Execute("DELETE FROM response_events WHERE response = @Id", new { response.Id });
        InsertItems(session, response);
        return true;
    }

    private static void InsertItems(StoreSession session, StoredResponse response)
    {
        foreach (StoredItem item in response.Output)
            session.Execute("INSERT INTO response_items (id, account, response, body) VALUES (@Id, @Account, @response, @Json)", new { item.Id, response.Account, response = response.Id, item.Json });
    }

    /// <summary>The response of this id; null when the account has none.</summary>
    public async Task<StoredResponse?> FindAsync(long account, string id)
    {
        long now = store.Now;
        Row? row = await store.ReadAsync(session =>
            session.First<Row>("SELECT id, status, created, previous, node, alive, input, body, marks, sequence, (SELECT state FROM tasks WHERE tasks.id = responses.id AND tasks.account = @account) AS task FROM responses WHERE id = @id AND account = @account AND expires > @now", new { id, account, now }));
        if (row is null)
            return null;
        var response = new StoredResponse(row.Id, account, row.Status, row.Created, row.Previous, row.Input, row.Body) { Marks = row.Marks, Sequence = row.Sequence };

        // One that is a task is made by whatever node lives; when that came to no end, nor will the response. What has no task was begun by
        // an older version: on SQLite there is one process, elsewhere its server says every while that it lives.
        bool lost = response.IsOpen && (row.Task is { } task
            ? task >= (long)Tasks.TaskState.Succeeded
            : row.Node != _node && (store.Kind == StoreKind.Sqlite || row.Alive < now - (long)Patience.TotalMilliseconds));
        return lost ? response with { Status = LostStatus } : response;
    }

    /// <summary>The status of a response in the making whose server went away.</summary>
    public const string LostStatus = "lost";

    /// <summary>Removes a response and its items.</summary>
    /// <returns>Whether there was one.</returns>
    public Task<bool> DeleteAsync(long account, string id) => store.WriteAsync(session =>
    {
        if (session.Execute("DELETE FROM responses WHERE id = @id AND account = @account", new { id, account }) == 0)
            return false;
        session.Execute("DELETE FROM response_items WHERE response = @id", new { id });
        session.Execute("DELETE FROM response_events WHERE response = @id", new { id });
        return true;
    });

    /// <summary>An item that the model said in a kept response; null when the account has none of this id.</summary>
    public async Task<string?> FindItemAsync(long account, string id)
    {
        return await store.ReadAsync(session => session.Scalar<string>(
            "SELECT i.body FROM response_items i JOIN responses r ON r.id = i.response WHERE i.id = @id AND i.account = @account AND r.expires > @now", new { id, account, now = store.Now }));
    }

    /// <summary>Whether what is over should be removed: once an hour.</summary>
    internal static bool IsDue(ref long next, long now)
    {
        long due = Interlocked.Read(ref next);
        return now >= due && Interlocked.CompareExchange(ref next, now + (long)TimeSpan.FromHours(1).TotalMilliseconds, due) == due;
    }

    /// <summary>Removes what is over.</summary>
    internal static void Sweep(StoreSession session, long now)
    {
        session.Execute("DELETE FROM response_items WHERE response IN (SELECT id FROM responses WHERE expires <= @now)", new { now });
        session.Execute("DELETE FROM responses WHERE expires <= @now", new { now });
        session.Execute("DELETE FROM response_events WHERE NOT EXISTS (SELECT 1 FROM responses WHERE responses.id = response_events.response AND status IN ('queued', 'in_progress'))");
        session.Execute("DELETE FROM conversation_items WHERE conversation IN (SELECT id FROM conversations WHERE expires <= @now)", new { now });
        session.Execute("DELETE FROM conversations WHERE expires <= @now", new { now });
    }

    private sealed class Row
    {
        public string Id { get; init; } = "";

        public string Status { get; init; } = "";

        public long Created { get; init; }

        public string? Previous { get; init; }

        public string? Node { get; init; }

        public long Alive { get; init; }

        public long? Task { get; init; }

        public string Input { get; init; } = "";

        public string Body { get; init; } = "";

        public string? Marks { get; init; }

        public long Sequence { get; init; }
    }
}
