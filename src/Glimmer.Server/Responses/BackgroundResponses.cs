using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Tasks;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>
/// Makes responses while nobody waits: each is kept from its beginning and is a task, so that it outlives its server and moves to another
/// node. The task holds the request and what it goes on from, since that may stand in the memory of one node only.
/// </summary>
internal sealed class BackgroundResponses(ChatRunner runner, ResponseTasks tasks, TaskQueue queue, TimeProvider time)
{
    /// <summary>Begins a response.</summary>
    /// <param name="key">Whose it is.</param>
    /// <param name="model">Code of its model.</param>
    /// <param name="head">What is known of it.</param>
    /// <param name="before">The items it goes on from.</param>
    /// <param name="input">Its own items.</param>
    /// <param name="request">The request as it came.</param>
    /// <returns>The response, queued; or why it cannot be.</returns>
    public async Task<(string? Body, PlatformError? Error)> StartAsync(
        AccessKey key, string model, ResponseHead head, IReadOnlyList<JsonElement> before, IReadOnlyList<StoredItem> input, ReadOnlyMemory<byte> request)
    {
        StoredResponse queued = ResponseHistory.Stored(key.AccountId, head, new ResponseState("queued"), input);
        var task = new NewTask(head.Id, key.AccountId, key.Id, TaskKinds.Responses, BackgroundRequest.Write(head.Created, before, input, request)) { Model = model };
        return await tasks.StartAsync(queued, task) == TaskGift.TooMany
            ? (null, AsyncChatEndpoint.TooMany(queue.Settings.MaxOpen))
            : (queued.Body, null);
    }

    /// <summary>Makes a response, as the run of its task.</summary>
    public async Task RunAsync(HttpContext context, TaskRun run, ChatCall call, ResponseHead head, IReadOnlyList<StoredItem> input)
    {
        if (!await tasks.BeginAsync(ResponseHistory.Stored(run.Account, head, new ResponseState("in_progress"), input)))
        {
            // It has its end from a former run, or was given up: nothing is made and nothing charged.
            var nothing = new ArrayBufferWriter<byte>(2);
            nothing.Write("{}"u8);
            await JsonResponse.WriteAsync(context, nothing);
            return;
        }

        var answer = new ResponsesAnswer(head, RequestRecord.Of(context).Id, time, keep: null);
        await runner.RunAsync(context, call, answer);
        if (answer.State.Status is not ("completed" or "incomplete"))
            return;
        StoredResponse made = ResponseHistory.Stored(run.Account, head, answer.State, input);
        await tasks.EndAsync(run, made, head.Request.ConversationId, [.. input, .. made.Output]);
    }

    /// <summary>Keeps that a response could not be made.</summary>
    /// <param name="run">Its task.</param>
    /// <param name="response">What is kept of it.</param>
    /// <param name="said">The error as it was written to a client.</param>
    public Task FailAsync(TaskRun run, StoredResponse response, byte[] said)
    {
        string message = "The response could not be made.";
        string code = "server_error";
        using (JsonDocument body = JsonDocument.Parse(said))
        {
            if (body.RootElement.TryGetProperty("error", out JsonElement error))
            {
                message = error.GetProperty("message").GetString() ?? message;
                code = error.GetProperty("code").GetString() is "rate_limit_exceeded" or "insufficient_quota" ? "rate_limit_exceeded" : code;
            }
        }

        return tasks.EndAsync(run, response with { Account = run.Account, Status = "failed", Body = Ended(response.Body, "failed", (code, message)) }, null, []);
    }

    /// <summary>Gives a response up; one that has ended stays as it is.</summary>
    /// <returns>Whether it was still to be made.</returns>
    public async Task<bool> CancelAsync(StoredResponse response) =>
        response.IsOpen && await tasks.CancelAsync(response with { Status = "cancelled", Body = Ended(response.Body, "cancelled", null) });

    /// <summary>The body of a response that ended without an answer.</summary>
    public static string Ended(string body, string status, (string Code, string Message)? error)
    {
        var ended = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(ended, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            foreach (JsonProperty member in ResponseHistory.Parse(body).EnumerateObject())
            {
                json.WritePropertyName(member.Name);
                if (member.NameEquals("status"u8))
                {
                    json.WriteStringValue(status);
                }
                else if (error is { } known && member.NameEquals("error"u8))
                {
                    json.WriteStartObject();
                    json.WriteString("code"u8, known.Code);
                    json.WriteString("message"u8, known.Message);
                    json.WriteEndObject();
                }
                else
                {
                    member.Value.WriteTo(json);
                }
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(ended.WrittenSpan);
    }
}

/// <summary>What the task of a response holds.</summary>
/// <param name="Created">When it was asked for.</param>
/// <param name="Before">The items it goes on from.</param>
/// <param name="Input">Its own items, as they are kept.</param>
/// <param name="Request">The request.</param>
internal sealed record BackgroundRequest(DateTimeOffset Created, IReadOnlyList<JsonElement> Before, IReadOnlyList<StoredItem> Input, ResponsesRequest Request)
{
    /// <summary>Writes it.</summary>
    public static byte[] Write(DateTimeOffset created, IReadOnlyList<JsonElement> before, IReadOnlyList<StoredItem> input, ReadOnlyMemory<byte> request)
    {
        var body = new ArrayBufferWriter<byte>(request.Length + 256);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("created"u8, created.ToUnixTimeMilliseconds());
            json.WriteStartArray("before"u8);
            foreach (JsonElement item in before)
                item.WriteTo(json);
            json.WriteEndArray();
            json.WriteStartArray("input"u8);
            foreach (StoredItem item in input)
                json.WriteRawValue(item.Json, skipInputValidation: true);
            json.WriteEndArray();

            // As a string: it is read by the reader of requests, with its own bounds.
            json.WriteString("request"u8, request.Span);
            json.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }

    /// <summary>Reads it.</summary>
    public static BackgroundRequest Read(byte[] body)
    {
        JsonElement root = JsonDocument.Parse(body, WireJson.ReaderOptions).RootElement;
        (JsonBody? json, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(root.GetProperty("request").GetString()!));
        using (json)
        {
            ResponsesRequest? request = null;
            if (json is not null)
                (request, error) = ResponsesRequestReader.Read(json.Root);
            return new BackgroundRequest(
                DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("created").GetInt64()),
                [.. root.GetProperty("before").EnumerateArray()],
                [.. root.GetProperty("input").EnumerateArray().Select(static item => new StoredItem(item.GetProperty("id").GetString()!, item.GetRawText()))],
                request ?? throw new InvalidDataException($"The task's request cannot be read: {error!.Message}"));
        }
    }
}
