using Glimmer.Platform.Store;
using Glimmer.Platform.Tasks;

namespace Glimmer.Platform.Responses;

/// <summary>
/// Responses made in the background: a response that is kept from its beginning, and a task of the same id that any node may run. Both
/// begin together, and the first outcome of the response counts.
/// </summary>
public sealed class ResponseTasks(PlatformStore store, TaskQueue queue)
{
    /// <summary>Kind of the tasks.</summary>
    public const string Kind = "responses";

    private long _nextSweep;

    /// <summary>Keeps a response and gives its task, both or none.</summary>
    public Task<TaskGift> StartAsync(StoredResponse response, NewTask task)
    {
        ArgumentNullException.ThrowIfNull(response);
        bool sweeps = ResponseStore.IsDue(ref _nextSweep, store.Now);
        return queue.AddAsync(task, TimeSpan.Zero, session =>
        {
            if (sweeps)
                ResponseStore.Sweep(session, store.Now);
            ResponseStore.Insert(session, response, null, store.Now);
        });
    }

    /// <summary>Whether other nodes may stream what this one makes, so that events have to stand where these find them.</summary>
    public bool AreShared => store.Kind == StoreKind.Postgres;

    /// <summary>Says that a response is being made now, and sets numbers aside for the events of this run: higher ones than any former run had.</summary>
    /// <param name="response">The response.</param>
    /// <param name="numbers">How many events this run can have; 0 for one that nobody streams.</param>
    /// <returns>How many numbers former runs had; null when it is no longer to be made, because it has ended or was removed.</returns>
    public Task<long?> BeginAsync(StoredResponse response, long numbers)
    {
        ArgumentNullException.ThrowIfNull(response);
        return store.WriteAsync(session => ResponseStore.Update(session, response, null, store.Now)
            ? session.Scalar<long>("UPDATE responses SET sequence = sequence + @numbers WHERE id = @Id RETURNING sequence", new { response.Id, numbers }) - numbers
            : (long?)null);
    }

    /// <summary>Keeps events of a response that is being made, for other nodes.</summary>
    /// <param name="id">Id of the response.</param>
    /// <param name="number">Number of the first.</param>
    /// <param name="count">How many there are, numbered one after the other.</param>
    /// <param name="body">The events as they are sent.</param>
    /// <returns>Whether it is still being made.</returns>
    public Task<bool> AppendAsync(string id, long number, int count, string body) => store.WriteAsync(session => session.Execute(
        "INSERT INTO response_events (response, number, last, body) SELECT id, @number, @last, @body FROM responses WHERE id = @id AND status IN ('queued', 'in_progress') ON CONFLICT DO NOTHING",
        new { id, number, last = number + count - 1, body }) > 0);

    /// <summary>Events of a response that is being made, a few pieces at a time.</summary>
    /// <param name="account">Whose it is.</param>
    /// <param name="id">Id of the response.</param>
    /// <param name="after">Pieces that end at this number or before are left out.</param>
    /// <param name="cancel">Ends the wait for a reader.</param>
    /// <returns>Whether it is still being made; pieces with the number of their first event, in order.</returns>
    public async Task<(bool IsOpen, IReadOnlyList<(long Number, string Body)> Events)> EventsAsync(long account, string id, long after, CancellationToken cancel) => await store.ReadAsync(
        session =>
        {
            bool open = session.Scalar<long>(
                "SELECT COUNT(*) FROM responses r JOIN tasks t ON t.id = r.id WHERE r.id = @id AND r.account = @account AND r.status IN ('queued', 'in_progress') AND r.expires > @now AND t.state < 2",
                new { id, account, now = store.Now }) > 0;
            return (open, (IReadOnlyList<(long, string)>)(open
                ? session.List<(long Number, string Body)>("SELECT number, body FROM response_events WHERE response = @id AND last > @after ORDER BY number LIMIT 16", new { id, after })
                : []));
        },
        cancel: cancel);

    /// <summary>Keeps a response that has ended, and adds it to its conversation, both once. Waits for a database that is away.</summary>
    /// <param name="run">The run of its task that ended it. One that is no longer the task's keeps nothing: it was not charged either.</param>
    /// <param name="response">The response.</param>
    /// <param name="conversation">Id of the conversation; null for none.</param>
    /// <param name="items">What is added to that.</param>
    /// <returns>Whether this was its end; false when it had one, or another run makes it.</returns>
    public Task<bool> EndAsync(TaskRun run, StoredResponse response, string? conversation, IReadOnlyList<StoredItem> items)
    {
        ArgumentNullException.ThrowIfNull(response);
        ArgumentNullException.ThrowIfNull(run);
        var conversations = new ConversationStore(store);
        return store.WriteAsync(
            session =>
            {
                bool held = session.Scalar<long>("SELECT COUNT(*) FROM tasks WHERE id = @Id AND attempt = @Attempt AND state = 1", new { run.Id, run.Attempt }) > 0;
                if (!held || !ResponseStore.Update(session, response, null, store.Now))
                    return false;
                if (conversation is not null)
                    conversations.Append(session, response.Account, conversation, items);
                return true;
            },
            patient: true);
    }

    /// <summary>Gives a response up: its task ends, on whatever node, and its state is the one given.</summary>
    /// <returns>Whether it was still to be made.</returns>
    public async Task<bool> CancelAsync(StoredResponse cancelled)
    {
        ArgumentNullException.ThrowIfNull(cancelled);
        if (!await store.WriteAsync(session => ResponseStore.Update(session, cancelled, null, store.Now)))
            return false;
        await queue.CancelAsync(cancelled.Account, cancelled.Id);
        return true;
    }
}
