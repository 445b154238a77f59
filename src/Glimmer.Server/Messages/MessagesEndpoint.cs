using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Anthropic;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Messages;

/// <summary><c>POST /v1/messages</c> and <c>/v1/messages/count_tokens</c> of the Anthropic base (spec: api.md §23).</summary>
internal sealed class MessagesEndpoint(RequestGate gate, ModelOffers offers, ModelNames names, ChatRunner runner, PromptCounter counter, GlimmerOptions options)
{
    /// <summary>Answers a conversation.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (Asked? asked, PlatformError? error) = await ReadAsync(context, key, MessagesRequestReader.Read);
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        RequestRecord.Of(context).Stream = asked.Wire.Stream;
        bool thinks = asked.Request.Conversation.Options.EnableThinking != false;
        await runner.RunAsync(
            context,
            new ChatCall(key, asked.Offer, asked.Request, asked.Wire.Stream) { Surface = ApiSurface.Anthropic, EndUser = asked.Wire.UserId, Endpoint = "messages" },
            new MessagesAnswer(RequestRecord.Of(context).Id, asked.Offer.Model.Code, thinks));
    }

    /// <summary>Counts the tokens of a conversation's prompt, exactly as it would be rendered.</summary>
    public async Task CountAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (Asked? asked, PlatformError? error) = await ReadAsync(context, key, MessagesRequestReader.ReadForCount);
        await counter.AnswerAsync(
            context, key, asked is null ? null : (asked.Offer, asked.Request), error, static (json, count) => json.WriteNumber("input_tokens"u8, count));
    }

    private async ValueTask<(Asked? Asked, PlatformError? Error)> ReadAsync(
        HttpContext context, AccessKey key, Func<FieldReader, (ChatCompletionRequest? Request, PlatformError? Error)> read)
    {
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, read);
        if (wire is null)
            return (null, error);
        (ModelOffer? found, error) = offers.FindChat(names.Resolve(wire.Model), "model", "messages");
        if (found is not { } offer || error is not null)
            return (null, error);
        var record = RequestRecord.Of(context);
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: true, key.Id);
        return request is null ? (null, error) : (new Asked(wire, offer, request), null);
    }

    private sealed record Asked(ChatCompletionRequest Wire, ModelOffer Offer, ChatRequest Request);
}
