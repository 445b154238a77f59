using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Gemini;
using Glimmer.Protocol.Json;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Gemini;

/// <summary><c>:generateContent</c>, <c>:streamGenerateContent</c> and <c>:countTokens</c> of a model.</summary>
internal sealed class GeminiEndpoint(RequestGate gate, ModelOffers offers, GeminiModelNames names, ChatRunner runner, PromptCounter counter, GlimmerOptions options)
{
    private delegate (GeminiRequest? Request, PlatformError? Error) Reading(FieldReader body, string model);

    /// <summary>Answers a conversation whole.</summary>
    public Task GenerateAsync(HttpContext context) => AnswerAsync(context, stream: false);

    /// <summary>Answers a conversation as it is made: as events with <c>alt=sse</c>, else as one JSON array.</summary>
    public Task StreamAsync(HttpContext context) => AnswerAsync(context, stream: true);

    /// <summary>Counts the tokens of a conversation's prompt, exactly as it would be rendered.</summary>
    public async Task CountAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (Asked? asked, PlatformError? error) = await ReadAsync(context, key, GeminiRequestReader.ReadForCount);
        await counter.AnswerAsync(context, key, asked is null ? null : (asked.Offer, asked.Request), error, static (json, count) =>
        {
            json.WriteNumber("totalTokens"u8, count);
            GeminiAnswer.WriteDetails(json, "promptTokensDetails"u8, count);
        });
    }

    /// <summary>The model that a path names; where the path is another dialect's too, the name of the place is too.</summary>
    public static string ModelOf(HttpContext context) => (string?)(context.Request.RouteValues["model"] ?? context.Request.RouteValues["id"]) ?? "";

    private async Task AnswerAsync(HttpContext context, bool stream)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        var record = RequestRecord.Of(context);
        record.Stream = stream;
        (Asked? asked, PlatformError? error) = await ReadAsync(context, key, (body, model) => GeminiRequestReader.Read(body, model, stream));
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        int choices = asked.Wire.Chat.Choices;
        bool thinks = asked.Request.Conversation.Options.EnableThinking != false;
        await runner.RunAsync(
            context,
            new ChatCall(key, asked.Offer, asked.Request, stream) { Surface = ApiSurface.General, Endpoint = "gemini-generate", Choices = choices },
            new GeminiAnswer(record.Id, asked.Offer.Model.Code, new GeminiForm(thinks, asked.Wire.IncludeThoughts && thinks, choices, context.Request.Query["alt"] == "sse")));
    }

    private async ValueTask<(Asked? Asked, PlatformError? Error)> ReadAsync(HttpContext context, AccessKey key, Reading read)
    {
        string model = ModelOf(context);
        (GeminiRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, body => read(body, model));
        if (wire is null)
            return (null, error);
        (ModelOffer? found, error) = offers.FindChat(names.Resolve(model), "model", "generateContent");
        if (found is not { } offer || error is not null)
            return (null, error);
        var record = RequestRecord.Of(context);
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire.Chat, offer, preserveThinking: true, key.Id);
        return request is null ? (null, error) : (new Asked(wire, offer, request), null);
    }

    private sealed record Asked(GeminiRequest Wire, ModelOffer Offer, ChatRequest Request);
}
