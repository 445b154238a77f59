using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary><c>/v1/conversations</c>: lists of items that responses go on from and add to. What is not the caller's own is not there.</summary>
internal sealed class ConversationsEndpoint(RequestGate gate, ConversationStore store, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Makes a conversation.</summary>
    public async Task CreateAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key || await ReadAsync(context, itemsRequired: false) is not { } body)
            return;
        var conversation = new StoredConversation(ResponseIds.New("conv"), key.AccountId, time.GetUtcNow().ToUnixTimeMilliseconds(), body.Metadata ?? "{}");
        await store.CreateAsync(conversation, body.Items);
        await JsonReply.WriteAsync(context, json => Write(json, conversation));
    }

    /// <summary>Tells a conversation.</summary>
    public Task GetAsync(HttpContext context) => ForAsync(context, (_, conversation) => JsonReply.WriteAsync(context, json => Write(json, conversation)));

    /// <summary>Replaces its metadata.</summary>
    public Task UpdateAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        if (await ReadAsync(context, itemsRequired: false) is not { } body)
            return;
        conversation = conversation with { Metadata = body.Metadata ?? "{}" };
        await store.UpdateAsync(key.AccountId, conversation.Id, conversation.Metadata);
        await JsonReply.WriteAsync(context, json => Write(json, conversation));
    });

    /// <summary>Removes it with its items.</summary>
    public Task DeleteAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        await store.DeleteAsync(key.AccountId, conversation.Id);
        await JsonReply.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("id"u8, conversation.Id);
            json.WriteString("object"u8, "conversation.deleted"u8);
            json.WriteBoolean("deleted"u8, true);
            json.WriteEndObject();
        });
    });

    /// <summary>Lists its items.</summary>
    public Task ItemsAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        if (await JsonReply.WritePageAsync(context, await store.ItemsAsync(key.AccountId, conversation.Id) ?? []) is { } error)
            await ErrorResponse.WriteAsync(context, error);
    });

    /// <summary>Adds items.</summary>
    public Task AddAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        if (await ReadAsync(context, itemsRequired: true) is not { } body)
            return;
        if (!await store.AppendAsync(key.AccountId, conversation.Id, body.Items))
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("items", "the conversation has no room for them", $"A conversation holds at most {ConversationStore.MaxItems} items"));
        else if (await JsonReply.WritePageAsync(context, [.. body.Items.Reverse()]) is { } error)
            await ErrorResponse.WriteAsync(context, error);
    });

    /// <summary>Tells one item.</summary>
    public Task ItemAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        string id = (string?)context.Request.RouteValues["item"] ?? "";
        if ((await store.ItemsAsync(key.AccountId, conversation.Id) ?? []).FirstOrDefault(item => item.Id == id) is { } item)
            await JsonReply.WriteAsync(context, item.Json);
        else
            await ErrorResponse.WriteAsync(context, ResponseHistory.Missing("Item", id, "item"));
    });

    /// <summary>Removes one item.</summary>
    public Task DeleteItemAsync(HttpContext context) => ForAsync(context, async (key, conversation) =>
    {
        string id = (string?)context.Request.RouteValues["item"] ?? "";
        if (await store.DeleteItemAsync(key.AccountId, conversation.Id, id))
            await JsonReply.WriteAsync(context, json => Write(json, conversation));
        else
            await ErrorResponse.WriteAsync(context, ResponseHistory.Missing("Item", id, "item"));
    });

    private static void Write(Utf8JsonWriter json, StoredConversation conversation)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, conversation.Id);
        json.WriteString("object"u8, "conversation"u8);
        json.WriteNumber("created_at"u8, conversation.Created / 1000);
        json.WritePropertyName("metadata"u8);
        json.WriteRawValue(conversation.Metadata, skipInputValidation: true);
        json.WriteEndObject();
    }

    private async Task ForAsync(HttpContext context, Func<AccessKey, StoredConversation, Task> answer)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        string id = (string?)context.Request.RouteValues["id"] ?? "";
        if (await store.FindAsync(key.AccountId, id) is { } conversation)
            await answer(key, conversation);
        else
            await ErrorResponse.WriteAsync(context, ResponseHistory.Missing("Conversation", id, "id"));
    }

    /// <summary>Reads items and metadata; null when the error has been answered.</summary>
    private async ValueTask<Body?> ReadAsync(HttpContext context, bool itemsRequired)
    {
        (Body? body, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, reader =>
        {
            (IReadOnlyList<JsonElement> items, string? metadata, PlatformError? wrong) = ConversationReader.Read(reader, itemsRequired);
            return wrong is null ? (new Body(ResponseHistory.Normalise(items), metadata), null) : ((Body?)null, wrong);
        });
        if (body is null)
            await ErrorResponse.WriteAsync(context, error!);
        return body;
    }

    private sealed record Body(IReadOnlyList<StoredItem> Items, string? Metadata);
}
