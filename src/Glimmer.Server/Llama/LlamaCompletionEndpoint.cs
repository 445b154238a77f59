using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Llama;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Llama;

/// <summary>llama.cpp's <c>POST /completion</c> and <c>POST /infill</c>: raw prompts. A body may name a <c>model</c>; without one it is the first that is served under its own name.</summary>
internal sealed class LlamaCompletionEndpoint(RequestGate gate, ModelOffers offers, IChatBackendProvider backends, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Goes on with a text.</summary>
    public Task CompleteAsync(HttpContext context) => HandleAsync(context, LlamaCompletionReader.ReadCompletion, "llama-completion");

    /// <summary>Fills a gap.</summary>
    public Task InfillAsync(HttpContext context) => HandleAsync(context, LlamaCompletionReader.ReadInfill, "llama-infill");

    private async Task HandleAsync(HttpContext context, Func<FieldReader, (ChatCompletionRequest? Request, PlatformError? Error)> read, string endpoint)
    {
        var record = RequestRecord.Of(context);
        record.Dialect = WireDialect.OpenAI;
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, read);
        ChatCall? call = null;
        bool isSilent = wire is { MaxTokens: 0 };
        if (wire is not null)
            (call, error) = Prepare(record, key, isSilent ? wire with { MaxTokens = 1 } : wire, endpoint);
        if (call is null)
            await ErrorResponse.WriteAsync(context, error!);
        else
            await runner.RunAsync(context, call, new LlamaCompletion(record, time, call.Offer.Model.Code, wire!.Raw!.Text, isSilent));
    }

    private (ChatCall? Call, PlatformError? Error) Prepare(RequestRecord record, AccessKey key, ChatCompletionRequest wire, string endpoint)
    {
        record.Stream = wire.Stream;
        string name = wire.Model.Length > 0 ? wire.Model : backends.Backends.SelectMany(static backend => backend.Models).FirstOrDefault() ?? "none";
        (ModelOffer? found, PlatformError? error) = offers.FindChat(name, "model", "completion");
        if (found is not { } offer || error is not null)
            return (null, error);
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: false, key.Id);
        return request is null ? (null, error) : (new ChatCall(key, offer, request, wire.Stream) { Surface = ApiSurface.General, Endpoint = endpoint }, null);
    }
}
