using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary><c>POST /v1/chat/completions</c> in OpenAI's dialect.</summary>
internal sealed class ChatCompletionsEndpoint(RequestGate gate, ModelOffers offers, OpenAIModelNames names, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, CompletionsChatReader.Read);
        ChatCall? call = null;
        if (wire is not null)
            (call, error) = Prepare(context, key, wire, "openai-chat");
        if (call is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        string id = RequestRecord.Of(context).Id;
        bool shows = call.Request.Conversation.Options.EnableThinking != false;
        var head = new OpenAIHead("chatcmpl-" + id, time.GetUtcNow().ToUnixTimeSeconds(), call.Offer.Model.Code, FingerprintOf(call.Offer));
        await runner.RunAsync(context, call, new ChatCompletion(id, head, new ChatCompletionForm(shows, wire!.Choices, wire.IncludeUsage, wire.LegacyFunctions)));
    }

    /// <summary>What answers, in a word that stays while it does.</summary>
    public static string FingerprintOf(in ModelOffer offer) => $"fp_{offer.Route.Model}";

    /// <summary>Finds the model of a request and maps it.</summary>
    /// <param name="context">The request's context.</param>
    /// <param name="key">Whose it is.</param>
    /// <param name="wire">The request.</param>
    /// <param name="endpoint">Name of the endpoint, for usage rows.</param>
    public (ChatCall? Call, PlatformError? Error) Prepare(HttpContext context, AccessKey key, ChatCompletionRequest wire, string endpoint)
    {
        var record = RequestRecord.Of(context);
        record.Stream = wire.Stream;
        (ModelOffer? found, PlatformError? error) = offers.FindChat(names.Resolve(wire.Model), "model");
        if (found is not { } offer || error is not null)
            return (null, error);
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: false, key.Id);
        return request is null
            ? (null, error)
            : (new ChatCall(key, offer, request, wire.Stream) { Surface = ApiSurface.General, EndUser = wire.UserId, Endpoint = endpoint, Choices = wire.Choices }, null);
    }
}
