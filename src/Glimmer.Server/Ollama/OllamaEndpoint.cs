using System.Buffers;
using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Ollama;
using Glimmer.Server.Answers;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Ollama;

/// <summary>Ollama's <c>POST /api/chat</c> and <c>POST /api/generate</c>.</summary>
internal sealed class OllamaEndpoint(OllamaGate gate, OllamaModels models, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a conversation.</summary>
    public Task ChatAsync(HttpContext context) => HandleAsync(context, OllamaChatReader.ReadChat, isChat: true);

    /// <summary>Answers a prompt.</summary>
    public Task GenerateAsync(HttpContext context) => HandleAsync(context, OllamaChatReader.ReadGenerate, isChat: false);

    private async Task HandleAsync(HttpContext context, Func<FieldReader, (ChatCompletionRequest? Request, PlatformError? Error)> read, bool isChat)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        bool unloads = false;
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, body =>
        {
            unloads = OllamaChatReader.KeepsNothing(body);
            return read(body);
        });
        ModelOffer? found = null;
        if (wire is not null)
            (found, error) = models.Find(wire.Model, "model");
        if (wire is null || found is not { } offer || error is not null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        var record = RequestRecord.Of(context);
        record.Stream = wire.Stream;
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        if (wire is { Messages.Count: 0, Raw: null })
        {
            await SayLoadedAsync(context, new OllamaAnswer(record, time, wire.Model, false, isChat), unloads);
            return;
        }

        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: true, key.Id);
        if (request is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        bool thinks = request.Conversation.Options.EnableThinking != false;
        await runner.RunAsync(
            context,
            new ChatCall(key, offer, request, wire.Stream) { Surface = ApiSurface.General, Endpoint = isChat ? "ollama-chat" : "ollama-generate" },
            new OllamaAnswer(record, time, wire.Model, thinks, isChat));
    }

    /// <summary>Clients warm a model up by asking nothing of it, and let it go by keeping it for no time; that the model stays is the server's own business.</summary>
    private static async Task SayLoadedAsync(HttpContext context, OllamaAnswer answer, bool unloads)
    {
        var body = new ArrayBufferWriter<byte>(256);
        answer.WriteLoaded(body, unloads ? "unload" : "load");
        await JsonResponse.WriteAsync(context, body);
    }
}
