using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tasks;

/// <summary><c>/v1/messages/batches</c> of the Anthropic base: many messages at once, answered within a day.</summary>
internal sealed class MessageBatchesEndpoint(RequestGate gate, TaskQueue queue, TaskBatches batches, GlimmerOptions options, TimeProvider time)
{
    private const string Route = "/v1/messages/batches";
    private const int DefaultPage = 20;
    private const int LargestPage = 1000;

    /// <summary>Takes a batch.</summary>
    public async Task CreateAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (List<NewTask>? tasks, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, body => MessageBatchReader.Read(body, key, time.GetUtcNow()));
        if (tasks is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        string id = "msgbatch_" + string.Create(CultureInfo.InvariantCulture, $"{IdChance.Next():x16}{IdChance.Next() >> 32:x8}");
        if (await batches.AddAsync(id, key.AccountId, key.Id, TaskKinds.Messages, tasks) is { } batch)
            await RespondAsync(context, batch);
        else
            await ErrorResponse.WriteAsync(context, AsyncChatEndpoint.TooMany(queue.Settings.MaxOpen));
    }

    /// <summary>Tells how a batch stands.</summary>
    public async Task GetAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is { } key && await FindAsync(context, key) is { } batch)
            await RespondAsync(context, batch);
    }

    /// <summary>Lists batches, newest first, a page at a time (<c>limit</c>, <c>after_id</c>, <c>before_id</c>).</summary>
    public async Task ListAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        IQueryCollection query = context.Request.Query;
        int limit = DefaultPage;
        if (query["limit"].ToString() is { Length: > 0 } asked && (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LargestPage))
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("limit", "it is no number of batches", $"Use a whole number from 1 to {LargestPage}"));
            return;
        }

        (IReadOnlyList<TaskBatch> page, bool more) = await batches.ListAsync(key.AccountId, TaskKinds.Messages, limit, Text(query["after_id"]), Text(query["before_id"]), context.RequestAborted);
        await RespondAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("data"u8);
            foreach (TaskBatch batch in page)
                MessageBatchWriter.Write(json, batch, ResultsUrl(context, batch.Id));
            json.WriteEndArray();
            json.WriteBoolean("has_more"u8, more);
            json.WriteString("first_id"u8, page.Count > 0 ? page[0].Id : null);
            json.WriteString("last_id"u8, page.Count > 0 ? page[^1].Id : null);
            json.WriteEndObject();
        });
    }

    /// <summary>Gives a batch up.</summary>
    public async Task CancelAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        if (await batches.CancelAsync(key.AccountId, TaskKinds.Messages, IdOf(context)) is { } batch)
            await RespondAsync(context, batch);
        else
            await ErrorResponse.WriteAsync(context, Unknown());
    }

    /// <summary>Forgets a batch that has ended.</summary>
    public async Task DeleteAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key || await FindAsync(context, key) is not { } batch)
            return;
        if (!await batches.DeleteAsync(key.AccountId, TaskKinds.Messages, batch.Id))
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("id", "the batch has not ended", "Cancel it first, and wait for its end"));
            return;
        }

        await RespondAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("id"u8, batch.Id);
            json.WriteString("type"u8, "message_batch_deleted"u8);
            json.WriteEndObject();
        });
    }

    /// <summary>Sends the results of a batch that has ended, a line each.</summary>
    public async Task ResultsAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key || await FindAsync(context, key) is not { } batch)
            return;
        if (batch.Ended is null)
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("id", "the batch has no results before it has ended", "Ask again when its processing_status is ended"));
            return;
        }

        context.Response.ContentType = "application/x-jsonl";
        context.Response.Headers.CacheControl = "no-cache";
        if (HttpMethods.IsHead(context.Request.Method))
            return;
        var line = new ArrayBufferWriter<byte>(4096);
        await foreach (TaskEntry task in batches.ReadAsync(key.AccountId, batch.Id, context.RequestAborted))
        {
            line.ResetWrittenCount();
            MessageBatchWriter.WriteResult(line, task);
            await context.Response.Body.WriteAsync(line.WrittenMemory, context.RequestAborted);
        }
    }

    private async ValueTask<TaskBatch?> FindAsync(HttpContext context, AccessKey key)
    {
        string id = IdOf(context);
        if (id.Length <= 128 && await batches.FindAsync(key.AccountId, TaskKinds.Messages, id, context.RequestAborted) is { } batch)
            return batch;
        await ErrorResponse.WriteAsync(context, Unknown());
        return null;
    }

    private static string IdOf(HttpContext context) => (string?)context.Request.RouteValues["id"] ?? "";

    private static string? Text(string? value) => string.IsNullOrEmpty(value) ? null : value;

    private static PlatformError Unknown() =>
        PlatformError.Invalid("id", "there is no such batch", "Use the id that the batch was made with") with { Status = StatusCodes.Status404NotFound };

    /// <summary>The address by which the client came, whichever base it uses.</summary>
    private static string ResultsUrl(HttpContext context, string id)
    {
        string path = context.Request.Path.Value ?? "";
        int route = path.IndexOf(Route, StringComparison.OrdinalIgnoreCase);
        return $"{context.Request.Scheme}://{context.Request.Host}{path[..Math.Max(0, route)]}{Route}/{id}/results";
    }

    private static Task RespondAsync(HttpContext context, TaskBatch batch) =>
        RespondAsync(context, json => MessageBatchWriter.Write(json, batch, ResultsUrl(context, batch.Id)));

    private static async Task RespondAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        await JsonResponse.WriteAsync(context, body);
    }
}
