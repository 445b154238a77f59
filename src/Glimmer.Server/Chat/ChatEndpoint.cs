using System.Buffers;
using System.Diagnostics;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Chat;

/// <summary>
/// <c>POST /chat/completions</c> of both native bases (spec: api.md §6). Errors that are known before the first event are
/// JSON with their status, streamed or not; after it only the finish reason can tell.
/// </summary>
internal sealed partial class ChatEndpoint(
    RequestGate gate,
    ModelOffers offers,
    IAdmission admission,
    AnswerDrain drain,
    GlimmerTelemetry telemetry,
    GlimmerOptions options,
    TimeProvider time,
    ILogger<ChatEndpoint> log)
{
    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="preserveThinking">Whether reasoning of earlier turns stays by default: on the coding base.</param>
    public async Task HandleAsync(HttpContext context, bool preserveThinking)
    {
        var record = RequestRecord.Of(context);

        // :: Step 1: who asks.
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;

        // :: Step 2: what is asked, for which model.
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, ChatRequestReader.Read);
        if (wire is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        record.Stream = wire.Stream;
        (ModelOffer? found, error) = offers.FindChat(wire.Model, "model");
        if (found is not { } offer || error is not null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking, key.Id);
        if (request is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        // :: Step 3: a place in flight.
        AdmissionResult admitted = await admission.EnterAsync(new AdmissionRequest(key, offer.Model.Code), context.RequestAborted);
        if (admitted.Lease is not { } lease)
        {
            await ErrorResponse.WriteAsync(context, admitted.Error!);
            return;
        }

        using (lease)
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, drain.Deadline))
        using (Activity? activity = GlimmerTelemetry.StartChat(offer, request, context.Request.Headers))
            await AnswerAsync(context, wire, request, offer, activity, ended);
    }

    private async Task AnswerAsync(
        HttpContext context, ChatCompletionRequest wire, ChatRequest request, ModelOffer offer, Activity? activity, CancellationTokenSource ended)
    {
        var record = RequestRecord.Of(context);

        // :: Step 4: the backend begins.
        ChatStart start;
        try
        {
            start = await offer.Route.Backend.StartAsync(request, ended.Token);
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            await CutOffAsync(context);
            return;
        }
        catch (Exception fault)
        {
            Log.BackendFault(log, record.Id, offer.Route.Backend.Name, FaultText.Of(fault));
            start = new ChatStart(null, PlatformError.Of(BusinessCode.Network, record.Id));
        }

        if (start.Answer is not { } answer)
        {
            GlimmerTelemetry.Fail(activity, start.Error!.Code);
            await ErrorResponse.WriteAsync(context, start.Error);
            return;
        }

        // :: Step 5: its events, until it has finished, the client has left or the server stops.
        offer.WriteStandIn(context.Response);
        RelaxedHeader.Write(context.Response, answer.Relaxations);
        var head = new CompletionHead(record.Id, wire.RequestId ?? record.Id, time.GetUtcNow().ToUnixTimeSeconds(), offer.Model.Code);
        bool showReasoning = request.Conversation.Options.EnableThinking != false;
        bool toolStream = wire.ToolStream && offer.Model.ToolStream;
        await using (var events = new AnswerEvents(answer, record, time, ended))
        {
            if (wire.Stream)
                await StreamAsync(context, events, head, toolStream, showReasoning);
            else
                await RespondAsync(context, events, head, showReasoning);
            if (events.Fault is { } fault)
                Log.BackendFault(log, record.Id, offer.Route.Backend.Name, FaultText.Of(fault));
        }

        // :: Step 6: what it cost.
        record.Usage = answer.Usage;
        telemetry.EndChat(activity, record, request.Model);
        telemetry.CountRepairs(answer, request.Model);
    }

    /// <summary>Gathers the answer and sends it whole. A fault is an error here, since nothing was sent yet.</summary>
    private static async Task RespondAsync(HttpContext context, AnswerEvents events, CompletionHead head, bool showReasoning)
    {
        var collector = new ChatAnswerCollector(showReasoning);
        while (await events.MoveNextAsync())
            collector.Add(events.Current);
        if (context.RequestAborted.IsCancellationRequested)
            return;
        if (events.Finish is FinishReason.Cancelled)
        {
            await CutOffAsync(context);
            return;
        }

        var record = RequestRecord.Of(context);
        if (events.Finish is FinishReason.BackendFault)
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.Network, record.Id));
            return;
        }

        record.Finish = FinishWords.Of(events.Finish);
        var body = new ArrayBufferWriter<byte>(1024);
        collector.Write(body, head, record.Finish, events.Usage);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.WrittenCount;
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    private static async Task StreamAsync(HttpContext context, AnswerEvents events, CompletionHead head, bool toolStream, bool showReasoning)
    {
        // Headers wait for the first event for a while, so that a fault before it still has a status of its own.
        bool any = await events.WaitForFirstAsync();
        if (!any && events.HasEnded && events.Finish is FinishReason.BackendFault)
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.Network, head.Id));
            return;
        }

        await ChatStream.WriteAsync(context, events, head, toolStream, showReasoning);
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
