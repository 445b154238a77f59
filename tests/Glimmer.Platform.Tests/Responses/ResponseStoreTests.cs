using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Responses;

public sealed class ResponseStoreTests
{
    [Theory]
    [EachStore]
    internal async Task Responses_live_from_queued_to_deleted(StoreKind kind)
    {
        var time = new ManualTime();
        using var database = new TestStore(kind, time);
        await using PlatformStore store = database.Open();
        var responses = new ResponseStore(store);
        var queued = new StoredResponse("resp_1", 7, "queued", time.GetUtcNow().ToUnixTimeMilliseconds(), "resp_0", "[]", "{\"a\":1}");
        Assert.True(await responses.KeepAsync(queued, isNew: true));
        Assert.Equal(queued, await responses.FindAsync(7, "resp_1") is { } found ? found with { Output = queued.Output } : null);
        Assert.Null(await responses.FindAsync(8, "resp_1"));

        // Another process sees that its server lives while that says so.
        var other = new ResponseStore(store);
        time.Advance(ResponseStore.Patience - TimeSpan.FromSeconds(1));
        await responses.KeepAsync(queued, isNew: false);
        time.Advance(ResponseStore.Patience - TimeSpan.FromSeconds(1));
        Assert.Equal(kind == StoreKind.Sqlite ? ResponseStore.LostStatus : "queued", (await other.FindAsync(7, "resp_1"))!.Status);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(ResponseStore.LostStatus, (await other.FindAsync(7, "resp_1"))!.Status);
        Assert.Equal("queued", (await responses.FindAsync(7, "resp_1"))!.Status);

        Assert.True(await responses.KeepAsync(queued with { Status = "completed", Body = "{\"b\":2}", Output = [new StoredItem("msg_1", "{\"c\":3}")] }, isNew: false));
        Assert.False(await responses.KeepAsync(queued with { Status = "failed" }, isNew: false));
        Assert.Equal(("completed", "{\"b\":2}"), (await responses.FindAsync(7, "resp_1"))! is { } done ? (done.Status, done.Body) : default);
        Assert.Equal("{\"c\":3}", await responses.FindItemAsync(7, "msg_1"));
        Assert.Null(await responses.FindItemAsync(8, "msg_1"));
        Assert.False(await responses.DeleteAsync(8, "resp_1"));
        Assert.True(await responses.DeleteAsync(7, "resp_1"));
        Assert.Null(await responses.FindItemAsync(7, "msg_1"));
    }

    [Theory]
    [EachStore]
    internal async Task Expired_rows_are_swept(StoreKind kind)
    {
        var time = new ManualTime();
        using var database = new TestStore(kind, time);
        await using PlatformStore store = database.Open();
        var responses = new ResponseStore(store);
        var conversations = new ConversationStore(store);
        await responses.KeepAsync(new StoredResponse("resp_1", 7, "completed", time.GetUtcNow().ToUnixTimeMilliseconds(), null, "[]", "{}") { Output = [new StoredItem("msg_1", "{}")] }, isNew: true);
        await conversations.CreateAsync(new StoredConversation("conv_1", 7, time.GetUtcNow().ToUnixTimeMilliseconds(), "{}"), [new StoredItem("item_1", "{}")]);
        time.Advance(ResponseStore.Lifetime + TimeSpan.FromMinutes(1));
        Assert.Null(await responses.FindAsync(7, "resp_1"));
        Assert.Null(await conversations.FindAsync(7, "conv_1"));
        await responses.KeepAsync(new StoredResponse("resp_2", 7, "completed", time.GetUtcNow().ToUnixTimeMilliseconds(), null, "[]", "{}"), isNew: true);
        Assert.Equal((1, 0, 0, 0), store.Read(session => (Count(session, "responses"), Count(session, "response_items"), Count(session, "conversations"), Count(session, "conversation_items"))));

        static long Count(StoreSession session, string table) => session.Scalar<long>($"SELECT COUNT(*) FROM {table}");
    }

    [Theory]
    [EachStore]
    internal async Task Items_of_a_conversation_stay_in_order_when_many_are_added_at_once(StoreKind kind)
    {
        using var database = new TestStore(kind);
        await using PlatformStore store = database.Open();
        var conversations = new ConversationStore(store);
        await conversations.CreateAsync(new StoredConversation("conv_1", 7, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds(), "{}"), []);
        await Task.WhenAll(Enumerable.Range(0, 20).Select(turn => conversations.AppendAsync(7, "conv_1", [new StoredItem($"q{turn}", "{}"), new StoredItem($"a{turn}", "{}")])));
        IReadOnlyList<StoredItem> items = (await conversations.ItemsAsync(7, "conv_1"))!;
        Assert.Equal(40, items.Count);
        for (int i = 0; i < items.Count; i += 2)
            Assert.Equal(items[i].Id.Replace('q', 'a'), items[i + 1].Id);
        Assert.False(await conversations.AppendAsync(8, "conv_1", items));
        Assert.Null(await conversations.ItemsAsync(8, "conv_1"));
        Assert.False(await conversations.DeleteItemAsync(8, "conv_1", "q0"));
        Assert.True(await conversations.DeleteItemAsync(7, "conv_1", "q0"));
        Assert.True(await conversations.UpdateAsync(7, "conv_1", "{\"m\":1}"));
        Assert.Equal("{\"m\":1}", (await conversations.FindAsync(7, "conv_1"))!.Metadata);
        Assert.True(await conversations.DeleteAsync(7, "conv_1"));
    }
}
