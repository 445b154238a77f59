using System.Buffers;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Chat;

/// <summary>
/// <c>POST /tokenizer</c> (spec: api.md §12.3): how many tokens the prompt of a chat request has, rendered and encoded as
/// the chat would. A prompt that is too long for the model is counted, not refused: clients ask in order to cut it.
/// </summary>
internal sealed class TokenizerEndpoint(
    RequestGate gate, ModelOffers offers, PromptCounter counter, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (TokenizerResponse? response, PlatformError? error) = await CountAsync(context, key);
        if (response is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        var body = new ArrayBufferWriter<byte>(256);
        response.Write(body);
        await JsonResponse.WriteAsync(context, body);
    }

    private async Task<(TokenizerResponse? Response, PlatformError? Error)> CountAsync(HttpContext context, AccessKey key)
    {
        var record = RequestRecord.Of(context);

        // :: Step 1: what is asked, for which model.
        (ChatCompletionRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, TokenizerRequestReader.Read);
        if (wire is null)
            return (null, error);
        (ModelOffer? found, error) = offers.FindChat(wire.Model, "model", "tokenizer");
        if (found is not { } offer || error is not null)
            return (null, error);
        record.Model = offer.Model.Code;
        record.Backend = offer.Route.Backend.Name;
        (ChatRequest? request, error) = ChatRequestMapper.Map(wire, offer, preserveThinking: false, key.Id);
        if (request is null)
            return (null, error);

        // :: Step 2: the counts.
        return await counter.CountAsync(context, key, offer, async (backend, cancel) =>
        {
            int all = await backend.CountTokensAsync(request, cancel);
            int images = await MediaTokensAsync(backend, request, all, MediaKind.Image, cancel);
            int videos = await MediaTokensAsync(backend, request, all, MediaKind.Video, cancel);
            return new TokenizerResponse(record.Id, wire.RequestId ?? record.Id, time.GetUtcNow().ToUnixTimeSeconds(), all, images, videos);
        });
    }

    /// <summary>What the prompt would be shorter by without its parts of one kind, the tags around them included.</summary>
    private static async ValueTask<int> MediaTokensAsync(IChatBackend backend, ChatRequest request, int all, MediaKind kind, CancellationToken cancel)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        if (!messages.Any(message => message.Content.Any(IsMedia)))
            return 0;
        Conversation without = request.Conversation with { Messages = [.. messages.Select(message => message with { Content = [.. message.Content.Where(part => !IsMedia(part))] })] };
        return all - await backend.CountTokensAsync(request with { Conversation = without }, cancel);

        bool IsMedia(ContentPart part) => part is MediaPart media && media.Kind == kind;
    }
}
