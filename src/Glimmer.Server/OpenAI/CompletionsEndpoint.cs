using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary><c>POST /v1/completions</c>: goes on with texts, or fills gaps in code.</summary>
internal sealed class CompletionsEndpoint(RequestGate gate, ChatCompletionsEndpoint chat, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (CompletionsRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, CompletionsReader.Read);
        ChatCall? call = null;
        if (wire is not null)
            (call, error) = Prepare(context, key, wire);
        if (call is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        string id = RequestRecord.Of(context).Id;
        var head = new OpenAIHead("cmpl-" + id, time.GetUtcNow().ToUnixTimeSeconds(), call.Offer.Model.Code, ChatCompletionsEndpoint.FingerprintOf(call.Offer));
        string[] echoes = [.. wire!.Prompts.SelectMany(prompt => Enumerable.Repeat(wire.Echo ? prompt : "", wire.Chat.Choices))];
        await runner.RunAsync(context, call, new TextCompletion(id, head, echoes, wire.Chat.IncludeUsage));
    }

    private (ChatCall? Call, PlatformError? Error) Prepare(HttpContext context, AccessKey key, CompletionsRequest wire)
    {
        ChatCall? first = null;
        var requests = new List<ChatRequest>(wire.Prompts.Count);
        foreach (string prompt in wire.Prompts)
        {
            (ChatCall? call, PlatformError? error) = chat.Prepare(context, key, wire.For(prompt), "completions");
            if (call is null)
                return (null, error);
            if (wire.Suffix is not null && call.Offer.Model.Kind != ModelKind.Code)
                return (null, PlatformError.Unsupported("suffix", "fill-in-the-middle", $"{call.Offer.Model.Code} only goes on with texts; use a code model, or leave it out"));
            first ??= call;
            requests.Add(call.Request);
        }

        return (first! with { Prompts = requests }, null);
    }
}
