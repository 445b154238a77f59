using System.Diagnostics;
using System.Globalization;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Tasks;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>A request that a dialect has read and checked.</summary>
/// <param name="Key">Whose it is.</param>
/// <param name="Offer">The model and its backend.</param>
/// <param name="Request">What is asked.</param>
/// <param name="Stream">Whether the answer goes out as it is made.</param>
internal sealed record ChatCall(AccessKey Key, ModelOffer Offer, ChatRequest Request, bool Stream)
{
    /// <summary>The base it came by: says whether a plan can pay.</summary>
    public ApiSurface Surface { get; init; }

    /// <summary>The client's own id of the request, which may not come twice; null when it gave none.</summary>
    public string? RequestId { get; init; }

    /// <summary>Whether the oldest messages are left out of a prompt that is too long.</summary>
    public bool Shortens { get; init; }

    /// <summary>The client's end user; null when it named none.</summary>
    public string? EndUser { get; init; }

    /// <summary>How many answers to each prompt are asked for.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>Several prompts, where a dialect takes them together: the first is <see cref="Request"/>. Empty for that one.</summary>
    public IReadOnlyList<ChatRequest> Prompts { get; init; } = [];

    /// <summary>How many answers there will be.</summary>
    public int Answers => Choices * Math.Max(1, Prompts.Count);

    /// <summary>Short name of the endpoint, for usage rows.</summary>
    public string Endpoint { get; init; } = "chat";

    /// <summary>The call with what is known of how it came in.</summary>
    public ChatCall From(RequestOrigin origin) => this with
    {
        Request = Request with { Origin = origin },
        Prompts = Prompts.Count == 0 ? Prompts : [.. Prompts.Select(prompt => prompt with { Origin = origin })],
    };
}

/// <summary>
/// What happens to a chat request once its dialect has read it: a place in flight, the backend's answer, its way to the client, what it
/// cost. The same for every dialect. Errors that are known before the first event have a status of their own, streamed or not.
/// </summary>
internal sealed partial class ChatRunner(CallAdmission calls, AnswerDrain drain, GlimmerTelemetry telemetry, TimeProvider time, GlimmerOptions options, ILogger<ChatRunner> log)
{
    /// <summary>Runs a request to its end.</summary>
    public async Task RunAsync(HttpContext context, ChatCall call, IAnswerDialect dialect)
    {
        // What a task asks is answered whole, and its request_id was taken with it.
        if (TaskCall.Of(context) is not null)
            call = call with { Stream = false, RequestId = null };
        call = call.From(RequestOrigins.Of(context, call));

        // :: Step 1: who pays, and a place in flight.
        CallEntry entry = await calls.EnterAsync(
            new CallRequest(
                call.Key, call.Offer.Model, call.Surface, RequestRecord.Of(context).Id, CallUnits.WorstCase(context.Request, call, call.Offer.Model), call.RequestId, call.EndUser, call.Endpoint),
            context.RequestAborted);
        if (entry.Call is not { } admitted)
        {
            await ErrorResponse.WriteAsync(context, entry.Error!);
            return;
        }

        if (admitted.Position > 0)
            context.Response.Headers["X-Glimmer-Queue-Position"] = admitted.Position.ToString(CultureInfo.InvariantCulture);
        using (admitted)
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Deadline))
        using (Activity? activity = GlimmerTelemetry.StartChat(call.Offer, call.Request, context.Request.Headers))
            await AnswerAsync(context, call, admitted, dialect, activity, ended);
    }

    private async Task AnswerAsync(HttpContext context, ChatCall call, AdmittedCall admitted, IAnswerDialect dialect, Activity? activity, CancellationTokenSource ended)
    {
        var record = RequestRecord.Of(context);
        IChatBackend backend = call.Offer.Route.Backend;

        // :: Step 2: the backend begins.
        ChatStart start;
        try
        {
            start = await ChoiceSet.StartAsync(backend, call, ended.Token);
            if (call.Shortens && start.Error is { Code: BusinessCode.PromptTooLong } tooLong)
            {
                (start, int left) = await PromptShortener.StartAsync(backend, call, tooLong, ended.Token);
                if (start.Answer is not null)
                    context.Response.Headers["X-Glimmer-Messages-Left-Out"] = left.ToString(CultureInfo.InvariantCulture);
            }
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            admitted.Dispose();
            await CutOffAsync(context);
            return;
        }
        catch (Exception fault)
        {
            Log.BackendFault(log, record.Id, backend.Name, FaultText.Of(fault));
            start = new ChatStart(null, PlatformError.Of(BusinessCode.Network, record.Id));
        }

        if (start.Answer is not { } answer)
        {
            // Before the answer: whoever tries again at once finds everything given back, the place too.
            admitted.Dispose();
            GlimmerTelemetry.Fail(activity, start.Error!.Code);
            await ErrorResponse.WriteAsync(context, FieldNames.Of(start.Error, call.Endpoint));
            return;
        }

        // :: Step 3: its events, until it has finished, the client has left or the server stops.
        call.Offer.WriteStandIn(context.Response);
        RelaxedHeader.Write(context.Response, answer.Relaxations);
        if (options.ShowBackend)
            BackendHeader.WriteAtStart(context.Response, answer, backend);
        var charge = new AnswerCharge(admitted, record, log, TaskCall.Of(context));
        var events = new AnswerEvents(answer, record, time, ended);
        try
        {
            await using (events)
            {
                if (call.Stream)
                    await StreamAsync(context, events, charge, dialect);
                else
                    await RespondAsync(context, events, charge, dialect, call.Answers);
            }
        }
        finally
        {
            record.Backend = BackendHeader.NameOf(answer, backend);
            if (events.Fault is { } fault)
                Log.BackendFault(log, record.Id, record.Backend, FaultText.Of(fault));

            // Whoever left pays for what was made until then: the generation has ended, so the counts are final.
            await charge.CloseAsync(answer.Usage, events.Finish);
        }

        // :: Step 4: what it cost.
        record.Usage = answer.Usage;
        telemetry.EndChat(activity, record, call.Request.Model);
        telemetry.CountRepairs(answer, call.Request.Model);
    }

    /// <summary>Gathers the answer and sends it whole. A fault is an error here, since nothing was sent yet.</summary>
    private static async Task RespondAsync(HttpContext context, AnswerEvents events, AnswerCharge charge, IAnswerDialect dialect, int choices)
    {
        var messages = new MessageBuilder[choices];
        for (int i = 0; i < choices; i++)
            messages[i] = new MessageBuilder();
        while (await events.MoveNextAsync())
        {
            dialect.Said(events.Current);

            // Reasoning that turns out to be the answer comes again as content, so it may be left out here in any case.
            if (events.Current.Kind != ChatEventKind.Reasoning || dialect.ShowsReasoning)
                messages[events.Current.Choice].Add(events.Current);
        }

        if (context.RequestAborted.IsCancellationRequested)
            return;
        if (events.Finish is FinishReason.Cancelled)
        {
            charge.Forgo();
            await CutOffAsync(context);
            return;
        }

        var record = RequestRecord.Of(context);
        if (events.Finish is FinishReason.BackendFault)
        {
            charge.Forgo();
            await ErrorResponse.WriteAsync(context, events.End.ErrorFor(record.Id));
            return;
        }

        record.Finish = dialect.WordOf(events.Finish);
        using var body = new PooledBody();
        dialect.WriteWhole(body, messages, events.End);
        await dialect.KeepAsync();

        // Durable before the first byte of the answer leaves.
        await charge.CloseAsync(events.Usage, events.Finish);
        await JsonResponse.WriteAsync(context, body);
    }

    private static async Task StreamAsync(HttpContext context, AnswerEvents events, AnswerCharge charge, IAnswerDialect dialect)
    {
        // Headers wait for the first event for a while, so that a fault before it still has a status of its own.
        bool any = await events.WaitForFirstAsync();
        if (!any && events.HasEnded && events.Finish is FinishReason.BackendFault)
        {
            charge.Forgo();
            await ErrorResponse.WriteAsync(context, events.End.ErrorFor(RequestRecord.Of(context).Id));
            return;
        }

        await AnswerStream.WriteAsync(context, events, charge, dialect);
    }

    /// <summary>Answers a request that the server's stopping cut off before its first byte; one whose client left gets nothing.</summary>
    private static Task CutOffAsync(HttpContext context) =>
        context.RequestAborted.IsCancellationRequested
            ? Task.CompletedTask
            : ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.Overloaded) with
            {
                Message = "The server is stopping, please try again later",
                Chinese = "服务正在停止，请稍后重试",
                Status = StatusCodes.Status503ServiceUnavailable,
                RetryAfter = TimeSpan.FromSeconds(5),
            });

    private static partial class Log
    {
        [LoggerMessage(2001, LogLevel.Error, "Request {RequestId}: the backend {Backend} failed: {Fault}")]
        public static partial void BackendFault(ILogger log, string requestId, string backend, string fault);
    }
}
