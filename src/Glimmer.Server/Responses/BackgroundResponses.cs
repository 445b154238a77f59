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
internal sealed partial class BackgroundResponses(ChatRunner runner, ResponseTasks tasks, TaskQueue queue, LiveResponses live, TimeProvider time, ILogger<BackgroundResponses> log)
{
    /// <summary>Begins a response.</summary>
    /// <param name="key">Whose it is.</param>
    /// <param name="model">Code of its model.</param>
    /// <param name="head">What is known of it.</param>
    /// <param name="before">The items it goes on from.</param>
    /// <param name="input">Its own items.</param>
    /// <param name="request">The request as it came.</param>
    /// <returns>The response, queued; or why it cannot be.</returns>
    public async Task<(StoredResponse? Queued, PlatformError? Error)> StartAsync(
        AccessKey key, string model, ResponseHead head, IReadOnlyList<JsonElement> before, IReadOnlyList<StoredItem> input, ReadOnlyMemory<byte> request)
    {
        StoredResponse queued = ResponseHistory.Stored(key.AccountId, head, new ResponseState("queued"), input);
        var task = new NewTask(head.Id, key.AccountId, key.Id, TaskKinds.Responses, BackgroundRequest.Write(head.Created, before, input, request)) { Model = model };
        return await tasks.StartAsync(queued, task) == TaskGift.TooMany
            ? (null, AsyncChatEndpoint.TooMany(queue.Settings.MaxOpen))
            : (queued, null);
    }

    /// <summary>Makes a response, as the run of its task.</summary>
    public async Task RunAsync(HttpContext context, TaskRun run, ChatCall call, ResponseHead head, IReadOnlyList<StoredItem> input)
    {
        bool streams = head.Request.Chat.Stream;
        long numbers = streams ? LiveResponse.NumbersFor(call.Request.MaxTokens) : 0;
        if (await tasks.BeginAsync(ResponseHistory.Stored(run.Account, head, new ResponseState("in_progress"), input), numbers) is not { } before)
        {
            // It has its end from a former run, or was given up: nothing is made and nothing charged.
            var nothing = new ArrayBufferWriter<byte>(2);
            nothing.Write("{}"u8);
            await JsonResponse.WriteAsync(context, nothing);
            return;
        }

        var answer = new ResponsesAnswer(head, RequestRecord.Of(context).Id, time, keep: null);
        if (streams)
            await StreamAsync(context, run, call, answer, input, ResponseReplay.BeforeRuns + before, numbers);
        else
            await MakeAsync(context, run, call, answer, answer, input);
    }

    /// <summary>Makes a response whose events can be read meanwhile.</summary>
    private async Task StreamAsync(HttpContext context, TaskRun run, ChatCall call, ResponsesAnswer answer, IReadOnlyList<StoredItem> input, long first, long numbers)
    {
        using var made = new LiveResponse(run.Id, answer, first, numbers);
        using var stop = new CancellationTokenSource();
        live.Add(made);
        Task shared = tasks.AreShared ? made.ShareAsync(tasks, time, fault => Log.NotShared(log, run.Id, FaultText.Of(fault)), stop.Token) : Task.CompletedTask;
        bool kept = false;
        try
        {
            kept = await MakeAsync(context, run, call, answer, new LiveAnswer(answer, made), input);
        }
        finally
        {
            live.Remove(made);
            made.Close(kept);
            await stop.CancelAsync();
            await shared;
        }
    }

    private async Task<bool> MakeAsync(HttpContext context, TaskRun run, ChatCall call, ResponsesAnswer answer, IAnswerDialect dialect, IReadOnlyList<StoredItem> input)
    {
        await runner.RunAsync(context, call, dialect);
        if (answer.State.Status is not ("completed" or "incomplete"))
            return false;
        StoredResponse made = ResponseHistory.Stored(run.Account, answer.Head, answer.State, input) with { Marks = answer.Marks?.Write() };
        return await tasks.EndAsync(run, made, answer.Head.Request.ConversationId, [.. input, .. made.Output]);
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
                code = error.GetProperty("code").GetString() is "rate_limit_exceeded" or "insufficient_quota" ? "rate_limit_exceeded"
                    : error.GetProperty("type").GetString() == "invalid_request_error" ? "invalid_prompt" : code;
            }
        }

        return tasks.EndAsync(run, response with { Account = run.Account, Status = "failed", Body = Ended(response.Body, "failed", (code, message)) }, null, []);
    }

    /// <summary>Gives a response up; one that has ended stays as it is.</summary>
    /// <returns>Whether it was still to be made.</returns>
    public async Task<bool> CancelAsync(StoredResponse response) =>
        response.IsOpen && await tasks.CancelAsync(response with { Status = "cancelled", Body = Ended(response.Body, "cancelled", null) });

    /// <summary>The body of a response as it is told: one that will not come to its end has failed.</summary>
    public static string BodyOf(StoredResponse response) => response.Status != ResponseStore.LostStatus
        ? response.Body
        : Ended(response.Body, "failed", ("server_error", "The server stopped while this response was being made. Send the request again."));

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

    private static partial class Log
    {
        [LoggerMessage(2304, LogLevel.Warning, "Response {ResponseId}: its events could not be shared with other nodes and will be later: {Fault}")]
        public static partial void NotShared(ILogger log, string responseId, string fault);
    }
}
