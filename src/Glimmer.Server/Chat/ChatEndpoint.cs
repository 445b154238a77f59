using Glimmer.Inference;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Chat;

/// <summary><c>POST /chat/completions</c> of both native bases (spec: api.md §6).</summary>
internal sealed class ChatEndpoint(RequestGate gate, ModelOffers offers, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="surface">The base it came by: on the coding base plans pay, and reasoning of earlier turns stays by default.</param>
    public async Task HandleAsync(HttpContext context, ApiSurface surface)
    {
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

        var record = RequestRecord.Of(context);
        record.Stream = wire.Stream;
        (ModelOffer? found, error) = offers.FindChat(wire.Model, "model");
        if (found is not { } offer || error is not null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, surface == ApiSurface.Coding, key.Id);
        if (request is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        // :: Step 3: the answer.
        var head = new CompletionHead(record.Id, wire.RequestId ?? record.Id, time.GetUtcNow().ToUnixTimeSeconds(), offer.Model.Code);
        bool showReasoning = request.Conversation.Options.EnableThinking != false;
        await runner.RunAsync(
            context,
            new ChatCall(key, offer, request, wire.Stream) { Surface = surface, RequestId = wire.RequestId, EndUser = wire.UserId, Choices = wire.Choices },
            new NativeAnswer(head, wire.ToolStream && offer.Model.ToolStream, showReasoning, wire.Choices));
    }
}
