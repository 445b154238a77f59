using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Tasks;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary><c>POST /v1/responses</c>.</summary>
internal sealed class ResponsesEndpoint(
    RequestGate gate, ChatCompletionsEndpoint chat, ChatRunner runner, ResponseHistory history, ReasoningSeal seal, BackgroundResponses background, ResponseFollower follower, PromptCounter counter, GlimmerOptions options,
    TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (ResponsesRequest? request, byte[] kept, PlatformError? error) = await ReadAsync(context);
        Asked? asked = null;
        if (request is not null)
            (asked, error) = await PrepareAsync(context, key, request);
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        if (request!.LeftOut.Count > 0)
            context.Response.Headers["X-Glimmer-Tools-Left-Out"] = string.Join(',', request.LeftOut);
        long account = key.AccountId;
        if (request.Background)
        {
            (StoredResponse? queued, error) = await background.StartAsync(key, asked.Call.Offer.Model.Code, asked.Head, asked.Before, asked.Input, kept);
            if (queued is null)
                await ErrorResponse.WriteAsync(context, error!);
            else if (request.Chat.Stream)
                await follower.FollowAsync(context, queued, after: -1);
            else
                await JsonReply.WriteAsync(context, queued.Body);
            return;
        }

        await runner.RunAsync(context, asked.Call, new ResponsesAnswer(asked.Head, RequestRecord.Of(context).Id, time, answer => history.KeepAsync(account, answer, asked.Input)));
    }

    /// <summary><c>POST /v1/responses/input_tokens</c>: the tokens of a request's prompt, exactly as it would be rendered. Nothing is kept.</summary>
    public async Task CountAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (ResponsesRequest? request, _, PlatformError? error) = await ReadAsync(context);
        Asked? asked = null;
        if (request is not null)
            (asked, error) = await PrepareAsync(context, key, request);
        int count = 0;
        if (asked is not null)
            (count, error) = await counter.CountAsync(context, key, asked.Call.Offer, async (backend, cancel) => await backend.CountTokensAsync(asked.Call.Request, cancel));
        if (error is not null)
            await ErrorResponse.WriteAsync(context, error);
        else
            await JsonReply.WriteAsync(context, $$"""{"object":"response.input_tokens","input_tokens":{{count.ToString(CultureInfo.InvariantCulture)}}}""");
    }

    /// <summary>Makes a response in the background: the run of its task.</summary>
    public async Task RunAsync(HttpContext context, TaskRun run)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        var kept = BackgroundRequest.Read(run.Body);
        (Asked? asked, PlatformError? error) = Prepare(context, key, kept.Request, kept.Before, [.. kept.Input.Select(static item => ResponseHistory.Parse(item.Json))], run.Id, kept.Created);
        if (asked is null)
            await ErrorResponse.WriteAsync(context, error!);
        else
            await background.RunAsync(context, run, asked.Call, asked.Head, kept.Input);
    }

    /// <summary>Keeps that a response could not be made in the background.</summary>
    /// <param name="run">Its task.</param>
    /// <param name="said">The error as it was written to a client.</param>
    public async Task FailAsync(TaskRun run, byte[] said)
    {
        if (await history.FindAsync(run.Account, run.Id) is { } response)
            await background.FailAsync(run, response, said);
    }

    /// <summary>The request, and its bytes where it is made later.</summary>
    private async ValueTask<(ResponsesRequest? Request, byte[] Kept, PlatformError? Error)> ReadAsync(HttpContext context)
    {
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes);
        using RequestBody body = raw;
        if (error is not null)
            return (null, [], error);
        (JsonBody? json, error) = JsonBody.Parse(body.Memory);
        ResponsesRequest? request = null;
        using (json)
        {
            if (json is not null)
                (request, error) = ResponsesRequestReader.Read(json.Root);
        }

        return (request, request is { Background: true } ? body.Memory.ToArray() : [], error);
    }

    private async ValueTask<(Asked? Asked, PlatformError? Error)> PrepareAsync(HttpContext context, AccessKey key, ResponsesRequest request)
    {
        (IReadOnlyList<JsonElement> before, PlatformError? error) = await history.BeforeAsync(key.AccountId, request);
        if (error is not null)
            return (null, error);
        (IReadOnlyList<JsonElement> input, error) = await history.InputAsync(key.AccountId, request.Input);
        return error is not null ? (null, error) : Prepare(context, key, request, before, input, ResponseIds.New("resp"), time.GetUtcNow());
    }

    private (Asked? Asked, PlatformError? Error) Prepare(
        HttpContext context, AccessKey key, ResponsesRequest request, IReadOnlyList<JsonElement> before, IReadOnlyList<JsonElement> input, string id, DateTimeOffset created)
    {
        (IReadOnlyList<WireMessage> messages, PlatformError? error) = ResponsesItems.Read(request.Instructions, before, input, box => seal.TryOpen(key.AccountId, box));
        if (error is not null)
            return (null, error);
        (ChatCall? call, error) = chat.Prepare(context, key, request.Chat with { Messages = messages }, "responses");
        if (call is null)
            return (null, error);
        bool stored = request.Store ?? (request.Background || request.ConversationId is not null);
        var head = new ResponseHead(
            id, created, call.Offer.Model.Code, request, call.Request, stored,
            request.SealedReasoning ? text => seal.Seal(key.AccountId, text) : null);

        // Only what may be kept needs the form in which it is kept.
        return (new Asked(call with { Shortens = request.Truncates }, head, before, request.Store == false && request.ConversationId is null ? [] : ResponseHistory.Normalise(input)), null);
    }

    private sealed record Asked(ChatCall Call, ResponseHead Head, IReadOnlyList<JsonElement> Before, IReadOnlyList<StoredItem> Input);
}
