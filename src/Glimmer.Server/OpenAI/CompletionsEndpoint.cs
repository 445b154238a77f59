using System.Buffers;
using System.Text;
using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary><c>POST /v1/completions</c>: goes on with texts as they stand, or fills gaps.</summary>
internal sealed class CompletionsEndpoint(RequestGate gate, ChatCompletionsEndpoint chat, ChatRunner runner, GlimmerOptions options, TimeProvider time)
{
    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (CompletionsRequest? wire, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, CompletionsReader.Read);
        ChatCall? call = null;
        IReadOnlyList<string> echoes = [];
        if (wire is not null)
            (call, error) = Prepare(context, key, wire);
        if (call is not null)
            (echoes, error) = await EchoesAsync(wire!, call, context.RequestAborted);
        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        string id = RequestRecord.Of(context).Id;
        var head = new OpenAIHead("cmpl-" + id, time.GetUtcNow().ToUnixTimeSeconds(), call!.Offer.Model.Code, ChatCompletionsEndpoint.FingerprintOf(call.Offer));
        await runner.RunAsync(context, call, new TextCompletion(id, head, new TextCompletionForm(echoes, wire!.Chat.Choices, wire.BestOf, wire.Chat.TopLogProbs is not null, wire.Chat.IncludeUsage)));
    }

    private (ChatCall? Call, PlatformError? Error) Prepare(HttpContext context, AccessKey key, CompletionsRequest wire)
    {
        ChatCall? first = null;
        var requests = new List<ChatRequest>(wire.Prompts.Count);
        foreach (WireRawPrompt prompt in wire.Prompts)
        {
            (ChatCall? call, PlatformError? error) = chat.Prepare(context, key, wire.For(prompt), "completions");
            if (call is null)
                return (null, error);
            first ??= call;
            requests.Add(call.Request);
        }

        return (first! with { Prompts = requests }, null);
    }

    /// <summary>What stands before the answers of each prompt. Tokens are shown as the model's vocabulary spells them.</summary>
    private static async ValueTask<(IReadOnlyList<string> Echoes, PlatformError? Error)> EchoesAsync(CompletionsRequest wire, ChatCall call, CancellationToken cancel)
    {
        if (!wire.Echo)
            return ([.. wire.Prompts.Select(static _ => "")], null);
        if (wire.Prompts.All(static prompt => prompt.Tokens is null))
            return ([.. wire.Prompts.Select(static prompt => prompt.Text)], null);
        if (call.Offer.Route.Backend is not ITokenizerBackend backend)
            return ([], PlatformError.Unsupported("echo", "echo", $"the backend of {call.Offer.Model.Code} does not show its vocabulary; leave it out, or send the prompt as text"));
        try
        {
            return await backend.UseTokenizerAsync<(IReadOnlyList<string>, PlatformError?)>(
                call.Request.Model,
                (tokenizer, _) => ([.. wire.Prompts.Select(prompt => prompt.Tokens is { } ids ? Spell(ids, tokenizer) : prompt.Text)], null), cancel);
        }
        catch (ChatRequestException refused)
        {
            return ([], refused.Error);
        }
    }

    private static string Spell(IReadOnlyList<int> ids, Dialogue.Tokenization.ITokenizer tokenizer)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Count * 4));
        foreach (int id in ids)
            bytes.Write(tokenizer.BytesOf(id));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
