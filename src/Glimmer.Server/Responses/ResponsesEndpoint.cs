using System.Text.Json;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary><c>POST /v1/responses</c>.</summary>
internal sealed class ResponsesEndpoint(
    RequestGate gate, ChatCompletionsEndpoint chat, ChatRunner runner, ResponseHistory history, ReasoningSeal seal, BackgroundResponses background, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (ResponsesRequest? request, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, ResponsesRequestReader.Read);
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
            string body = await background.StartAsync(context, account, asked.Call, asked.Head, asked.Input);
            await JsonReply.WriteAsync(context, body);
            return;
        }

        await runner.RunAsync(context, asked.Call, new ResponsesAnswer(asked.Head, RequestRecord.Of(context).Id, time, answer => history.KeepAsync(account, answer, asked.Input)));
    }

    private async ValueTask<(Asked? Asked, PlatformError? Error)> PrepareAsync(HttpContext context, AccessKey key, ResponsesRequest request)
    {
        (IReadOnlyList<JsonElement> before, PlatformError? error) = await history.BeforeAsync(key.AccountId, request);
        if (error is not null)
            return (null, error);
        (IReadOnlyList<JsonElement> input, error) = await history.InputAsync(key.AccountId, request.Input);
        if (error is not null)
            return (null, error);
        (IReadOnlyList<WireMessage> messages, error) = ResponsesItems.Read(request.Instructions, before, input, box => seal.TryOpen(key.AccountId, box));
        if (error is not null)
            return (null, error);
        (ChatCall? call, error) = chat.Prepare(context, key, request.Chat with { Messages = messages }, "responses");
        if (call is null)
            return (null, error);
        bool stored = request.Store ?? (request.Background || request.ConversationId is not null);
        var head = new ResponseHead(
            ResponseIds.New("resp"), time.GetUtcNow(), call.Offer.Model.Code, request, call.Request, stored,
            request.SealedReasoning ? text => seal.Seal(key.AccountId, text) : null);

        // Only what may be kept needs the form in which it is kept.
        return (new Asked(call, head, request.Store == false && request.ConversationId is null ? [] : ResponseHistory.Normalise(input)), null);
    }

    private sealed record Asked(ChatCall Call, ResponseHead Head, IReadOnlyList<StoredItem> Input);
}
