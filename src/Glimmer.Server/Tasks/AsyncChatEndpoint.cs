using System.Buffers;
using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tasks;

/// <summary><c>POST /async/chat/completions</c> and <c>GET /async-result/{id}</c> (spec: api.md §7).</summary>
internal sealed class AsyncChatEndpoint(RequestGate gate, ModelOffers offers, TaskQueue tasks, CallAdmission calls, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Takes a chat request whose answer is fetched later. It is checked whole before it is taken.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (NewTask? task, PlatformError? error) = await ReadAsync(context, key);
        if (task is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        TaskGift gift = await AddAsync(key, task);
        switch (gift)
        {
            case TaskGift.Duplicate:
                await ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.RequestDuplicate, task.Request!) with { Field = "request_id" });
                return;
            case TaskGift.TooMany:
                await ErrorResponse.WriteAsync(context, TooMany(tasks.Settings.MaxOpen));
                return;
        }

        await RespondAsync(context, body =>
        {
            using var json = new Utf8JsonWriter(body, WireJson.WriterOptions);
            json.WriteStartObject();
            WriteHead(json, task.Id, task.Request ?? task.Id, task.Model, "PROCESSING");
            json.WriteEndObject();
        });
    }

    /// <summary>Tells how a task stands, or its answer.</summary>
    public async Task ResultAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        string id = (string?)context.Request.RouteValues["id"] ?? "";
        if (id.Length > 128 || await tasks.FindAsync(key.AccountId, id, context.RequestAborted) is not { } task)
        {
            // The same for ids of others: nobody learns that they exist.
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("id", "the task does not exist", "Use the id that the task was given with; results are kept for a time only") with { Chinese = "任务不存在或结果已过期" });
            return;
        }

        RequestRecord.Of(context).Model = task.Model;
        await RespondAsync(context, body => Write(body, task));
    }

    /// <summary>1302: the account has as many open tasks as it may.</summary>
    public static PlatformError TooMany(int most) => PlatformError.Of(BusinessCode.ConcurrencyExceeded) with
    {
        Message = $"Too many tasks wait already (at most {most}), please wait for some of them",
        Chinese = $"排队任务过多（最多 {most} 个），请等待部分任务完成",
        RetryAfter = TimeSpan.FromMinutes(1),
    };

    /// <summary>Hands a task in under its id, which chats that are answered at once may not have had either. The queue's own check outlives a restart.</summary>
    private async Task<TaskGift> AddAsync(AccessKey key, NewTask task)
    {
        if (task.Request is not { } id)
            return await tasks.AddAsync(task, options.RequestIdWindow);
        if (!calls.TryTakeRequestId(key, id))
            return TaskGift.Duplicate;
        TaskGift? gift = null;
        try
        {
            gift = await tasks.AddAsync(task, options.RequestIdWindow);
            return gift.Value;
        }
        finally
        {
            if (gift is null or TaskGift.TooMany)
                calls.ForgetRequestId(key, id);
        }
    }

    private async ValueTask<(NewTask? Task, PlatformError? Error)> ReadAsync(HttpContext context, AccessKey key)
    {
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes);
        using RequestBody body = raw;
        if (error is not null)
            return (null, error);
        byte[] kept = body.Memory.ToArray();
        (JsonBody? json, error) = JsonBody.Parse(body.Memory);
        using (json)
        {
            if (json is null)
                return (null, error);
            (ChatCompletionRequest? wire, error) = ChatRequestReader.Read(json.Root);
            if (wire is null)
                return (null, error);
            (ModelOffer? found, error) = offers.FindChat(wire.Model, "model", "async/chat/completions");
            if (found is not { } offer || error is not null)
                return (null, error);
            RequestRecord.Of(context).Model = offer.Model.Code;
            (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: false, key.Id);
            return request is null
                ? (null, error)
                : (new NewTask(RequestIds.NewRequestId(time.GetUtcNow()), key.AccountId, key.Id, TaskKinds.Chat, kept) { Model = offer.Model.Code, Request = wire.RequestId }, null);
        }
    }

    private static void Write(IBufferWriter<byte> body, TaskEntry task)
    {
        if (task is { State: TaskState.Succeeded, Result: { Length: > 2 } whole })
        {
            // The answer as it would have been, with one member more.
            body.Write(whole.AsSpan(0, whole.Length - 1));
            body.Write(",\"task_status\":\"SUCCESS\"}"u8);
            return;
        }

        using var json = new Utf8JsonWriter(body, WireJson.WriterOptions);
        json.WriteStartObject();
        WriteHead(json, task.Id, task.Request ?? task.Id, task.Model, task.IsEnded ? "FAIL" : "PROCESSING");
        if (task.IsEnded)
            WriteError(json, task);
        json.WriteEndObject();
    }

    private static void WriteHead(Utf8JsonWriter json, string id, string request, string model, string status)
    {
        json.WriteString("id"u8, id);
        json.WriteString("request_id"u8, request);
        json.WriteString("model"u8, model);
        json.WriteString("task_status"u8, status);
    }

    private static void WriteError(Utf8JsonWriter json, TaskEntry task)
    {
        json.WritePropertyName("error"u8);
        if (task.Result is { } result)
        {
            using var document = JsonDocument.Parse(result);
            if (document.RootElement.TryGetProperty("error"u8, out JsonElement error))
            {
                error.WriteTo(json);
                return;
            }
        }

        PlatformError told = task.State switch
        {
            TaskState.Cancelled => new PlatformError(BusinessCode.CallFailed, "The task was cancelled"),
            TaskState.Expired => new PlatformError(BusinessCode.CallFailed, "The task could not be run in time"),
            _ => PlatformError.Of(BusinessCode.Internal),
        };
        json.WriteStartObject();
        json.WriteString("code"u8, told.Code.Digits());
        json.WriteString("message"u8, told.Message);
        json.WriteEndObject();
    }

    private static async Task RespondAsync(HttpContext context, Action<IBufferWriter<byte>> write)
    {
        var body = new ArrayBufferWriter<byte>(512);
        write(body);
        context.Response.Headers.CacheControl = "no-cache";
        await JsonResponse.WriteAsync(context, body);
    }
}
