using Glimmer.Platform.Store;

namespace Glimmer.Platform.Responses;

/// <summary>Keeps conversations: lists of items that responses add to. Whoever asks for another account's finds nothing.</summary>
public sealed class ConversationStore(PlatformStore store)
{
    /// <summary>Most items of a conversation.</summary>
    public const int MaxItems = 10_000;

    /// <summary>Makes a conversation.</summary>
    public Task CreateAsync(StoredConversation conversation, IReadOnlyList<StoredItem> items)
    {
        ArgumentNullException.ThrowIfNull(conversation);
        return store.WriteAsync(session =>
        {
            session.Execute(
                "INSERT INTO conversations (id, account, created, expires, metadata, items) VALUES (@Id, @Account, @Created, @expires, @Metadata, 0)",
                new { conversation.Id, conversation.Account, conversation.Created, expires = conversation.Created + (long)ResponseStore.Lifetime.TotalMilliseconds, conversation.Metadata });
            Append(session, conversation.Id, items);
            return true;
        });
    }

    /// <summary>The conversation of this id; null when the account has none.</summary>
    public Task<StoredConversation?> FindAsync(long account, string id) => store.ReadAsync(session => Find(session, account, id));

    /// <summary>Replaces the metadata of a conversation.</summary>
    /// <returns>Whether there is one.</returns>
    public Task<bool> UpdateAsync(long account, string id, string metadata) => store.WriteAsync(session =>
        Find(session, account, id) is not null && session.Execute("UPDATE conversations SET metadata = @metadata WHERE id = @id", new { metadata, id }) > 0);

    /// <summary>Removes a conversation and its items.</summary>
    /// <returns>Whether there was one.</returns>
    public Task<bool> DeleteAsync(long account, string id) => store.WriteAsync(session =>
    {
        if (session.Execute("DELETE FROM conversations WHERE id = @id AND account = @account", new { id, account }) == 0)
            return false;
        session.Execute("DELETE FROM conversation_items WHERE conversation = @id", new { id });
        return true;
    });

    /// <summary>Adds items at the end; the conversation lives on from now.</summary>
    /// <returns>Whether there is such a conversation and it has room.</returns>
    public Task<bool> AppendAsync(long account, string id, IReadOnlyList<StoredItem> items) => store.WriteAsync(session => Append(session, account, id, items), patient: true);

    internal bool Append(StoreSession session, long account, string id, IReadOnlyList<StoredItem> items)
    {
        if (Find(session, account, id) is null || session.Scalar<long>("SELECT COUNT(*) FROM conversation_items WHERE conversation = @id", new { id }) + items.Count > MaxItems)
            return false;
        Append(session, id, items);
        session.Execute("UPDATE conversations SET expires = @expires WHERE id = @id", new { id, expires = store.Now + (long)ResponseStore.Lifetime.TotalMilliseconds });
        return true;
    }

    /// <summary>All items in their order; null when the account has no such conversation.</summary>
    public Task<IReadOnlyList<StoredItem>?> ItemsAsync(long account, string id) => store.ReadAsync<IReadOnlyList<StoredItem>?>(session =>
        Find(session, account, id) is null
            ? null
            : [.. session.List<Row>("SELECT id, body FROM conversation_items WHERE conversation = @id ORDER BY number", new { id }).Select(row => new StoredItem(row.Id, row.Body))]);

    /// <summary>Removes an item.</summary>
    /// <returns>Whether there was one.</returns>
    public Task<bool> DeleteItemAsync(long account, string id, string item) => store.WriteAsync(session =>
        Find(session, account, id) is not null && session.Execute("DELETE FROM conversation_items WHERE conversation = @id AND id = @item", new { id, item }) > 0);

    private StoredConversation? Find(StoreSession session, long account, string id) =>
        session.First<ConversationRow>("SELECT id, created, metadata FROM conversations WHERE id = @id AND account = @account AND expires > @now", new { id, account, now = store.Now }) is { } row
            ? new StoredConversation(row.Id, account, row.Created, row.Metadata)
            : null;

    private static void Append(StoreSession session, string id, IReadOnlyList<StoredItem> items)
    {
        if (items.Count == 0)
            return;

        // The counter's row lock makes appends of two requests follow each other.
        long last = session.Scalar<long>("UPDATE conversations SET items = items + @count WHERE id = @id RETURNING items", new { id, count = (long)items.Count });
        for (int i = 0; i < items.Count; i++)
        {
            session.Execute(
                "INSERT INTO conversation_items (conversation, number, id, body) VALUES (@id, @number, @item, @Json)",
                new { id, number = last - items.Count + i + 1, item = items[i].Id, items[i].Json });
        }
    }

    private sealed class Row
    {
        public string Id { get; init; } = "";

        public string Body { get; init; } = "";
    }

    private sealed class ConversationRow
    {
        public string Id { get; init; } = "";

        public long Created { get; init; }

        public string Metadata { get; init; } = "";
    }
}
