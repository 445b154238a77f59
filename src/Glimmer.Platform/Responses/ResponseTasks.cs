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

    /// <summary>Keeps a response and gives its task, both or none.</summary>
    public Task<TaskGift> StartAsync(StoredResponse response, NewTask task)
    {
        ArgumentNullException.ThrowIfNull(response);
        return queue.AddAsync(task, TimeSpan.Zero, session => ResponseStore.Insert(session, response, null, store.Now));
    }

    /// <summary>Says that a response is being made now.</summary>
    /// <returns>Whether it still is to be made: false once it has ended or was removed.</returns>
    public Task<bool> BeginAsync(StoredResponse response)
    {
        ArgumentNullException.ThrowIfNull(response);
        return store.WriteAsync(session => ResponseStore.Update(session, response, null, store.Now));
    }

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
