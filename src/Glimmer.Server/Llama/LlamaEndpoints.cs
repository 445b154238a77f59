using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;
using Glimmer.Server.Chat;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Llama;

/// <summary>
/// What tools of llama.cpp's server look for beside OpenAI's dialect: <c>/health</c>, <c>/props</c>, <c>/tokenize</c>, <c>/detokenize</c>, <c>/apply-template</c>. A body may name a
/// <c>model</c>; without one it is the first that is served under its own name.
/// </summary>
internal sealed class LlamaEndpoints(RequestGate gate, ModelOffers offers, IChatBackendProvider backends, GlimmerOptions options)
{
    private const int MaxTokens = 1 << 20;

    /// <summary>Tells whether the model is loaded; needs no key.</summary>
    public async Task HealthAsync(HttpContext context)
    {
        if (backends.Readiness.Phase == BackendPhase.Ready && backends.Backends.Any(static backend => backend.IsReady))
        {
            await RespondAsync(context, static json => json.WriteString("status"u8, "ok"u8));
            return;
        }

        context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        context.Response.Headers.RetryAfter = "1";
        await RespondAsync(context, static json =>
        {
            json.WriteStartObject("error"u8);
            json.WriteNumber("code"u8, 503);
            json.WriteString("message"u8, "Loading model"u8);
            json.WriteString("type"u8, "unavailable_error"u8);
            json.WriteEndObject();
        });
    }

    /// <summary>Tells what the server is.</summary>
    public async Task PropsAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        (ModelOffer? found, PlatformError? error) = Find(context.Request.Query["model"].ToString());
        if (found is not { } offer)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        // An engine of this process knows what it really takes, also where it stands in for a larger model.
        int size = offer.Route.Backend is IEngineReport { EngineStatistics: { ContextLength: > 0 and var real } } ? real : offer.Model.Context;
        await RespondAsync(context, json =>
        {
            json.WriteStartObject("default_generation_settings"u8);
            if (size > 0)
                json.WriteNumber("n_ctx"u8, size);
            json.WriteStartObject("params"u8);
            json.WriteNumber("temperature"u8, offer.Model.Temperature);
            json.WriteNumber("top_p"u8, offer.Model.TopP);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteNumber("total_slots"u8, options.MaxOpenRequests);
            json.WriteString("model_alias"u8, offer.Model.Code);
            json.WriteString("model_path"u8, offer.Route.Model);
            json.WriteStartObject("modalities"u8);
            json.WriteBoolean("vision"u8, offer.Model.MaxImages > 0 && !offer.Route.StandIn);
            json.WriteBoolean("audio"u8, false);
            json.WriteEndObject();
            json.WriteBoolean("is_sleeping"u8, false);
        });
    }

    /// <summary>Refuses to show what others ask, as llama.cpp's server does that was started without it.</summary>
    public async Task SlotsAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        context.Response.StatusCode = StatusCodes.Status501NotImplemented;
        await RespondAsync(context, static json =>
        {
            json.WriteStartObject("error"u8);
            json.WriteNumber("code"u8, 501);
            json.WriteString("message"u8, "This server does not show its slots: they hold other callers' prompts."u8);
            json.WriteString("type"u8, "not_supported_error"u8);
            json.WriteEndObject();
        });
    }

    /// <summary>Turns a text into tokens.</summary>
    public async Task TokenizeAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        await AnswerAsync(context, static body => new TokenizeRequest(
            body.Text("model", max: 256) ?? "", body.Text("content", required: true) ?? "", body.Flag("add_special") ?? false, body.Flag("parse_special") ?? true, body.Flag("with_pieces") ?? false),
            static request => request.Model,
            static (request, tokenizer, _) => Tokenize(request, tokenizer),
            static (json, tokens) =>
            {
                json.WriteStartArray("tokens"u8);
                foreach ((int id, byte[]? piece) in tokens)
                    WriteToken(json, id, piece);
                json.WriteEndArray();
            });
    }

    /// <summary>Turns tokens into text.</summary>
    public async Task DetokenizeAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        await AnswerAsync(
            context,
            static body => new DetokenizeRequest(body.Text("model", max: 256) ?? "", ReadIds(body)),
            static request => request.Model,
            static (request, tokenizer, _) =>
            {
                var bytes = new ArrayBufferWriter<byte>(Math.Max(16, request.Ids.Count * 4));
                foreach (int id in request.Ids)
                    bytes.Write(tokenizer.BytesOf(id));
                return Encoding.UTF8.GetString(bytes.WrittenSpan);
            },
            static (json, text) => json.WriteString("content"u8, text));
    }

    /// <summary>Writes a conversation as the prompt that the model would read.</summary>
    public async Task ApplyTemplateAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        Wrapped<Conversation>? conversation = null;
        (ChatCompletionRequest? wire, PlatformError? error) = await ReadChatAsync(context);
        ModelOffer? found = null;
        if (wire is not null)
            (found, error) = Find(wire.Model);
        if (found is { } offer)
        {
            (ChatRequest? request, error) = ChatRequestMapper.Map(wire!, offer, preserveThinking: false, key.Id);
            if (request is not null)
                conversation = new Wrapped<Conversation>(request.ToolChoice.Mode == ToolChoiceMode.None ? request.Conversation with { Tools = [] } : request.Conversation);
        }

        if (conversation is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        (Wrapped<RenderedText>? rendered, error) = await UseAsync(found!.Value, (_, generation) => generation.RenderText(conversation.Value), context.RequestAborted);
        if (rendered is { Value.Fault: { } fault })
            error = new PlatformError(BusinessCode.ParameterInvalid, fault.ToString());
        if (error is not null)
            await ErrorResponse.WriteAsync(context, error);
        else
            await RespondAsync(context, json => json.WriteString("prompt"u8, rendered!.Value.Text));
    }

    /// <summary>Reads a chat request that may leave its model out.</summary>
    private async ValueTask<(ChatCompletionRequest? Request, PlatformError? Error)> ReadChatAsync(HttpContext context)
    {
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes);
        using RequestBody body = raw;
        if (error is not null)
            return (null, error);
        (JsonBody? json, error) = JsonBody.Parse(body.Memory);
        using (json)
        {
            if (json is null)
                return (null, error);
            if (json.Root.Has("model"))
                return CompletionsChatReader.Read(json.Root);
            JsonObject named = JsonObject.Create(json.Root.Element)!;
            named["model"] = FirstModel();
            (JsonBody? filled, error) = JsonBody.Parse(Encoding.UTF8.GetBytes(named.ToJsonString()));
            using (filled)
                return filled is null ? (null, error) : CompletionsChatReader.Read(filled.Root);
        }
    }

    private string FirstModel() => backends.Backends.SelectMany(static backend => backend.Models).FirstOrDefault() ?? "none";

    private static List<(int Id, byte[]? Piece)> Tokenize(TokenizeRequest request, ITokenizer tokenizer)
    {
        List<int> ids = [];
        if (request.AddSpecial && tokenizer is Tokenizer { Prefix: { } prefix })
            ids.AddRange(prefix);
        tokenizer.Encode(request.Content, request.ParseSpecial, ids);
        return [.. ids.Select(id => (id, request.WithPieces ? tokenizer.BytesOf(id).ToArray() : null))];
    }

    /// <summary>A piece is a text where it is one, else its bytes.</summary>
    private static void WriteToken(Utf8JsonWriter json, int id, byte[]? piece)
    {
        if (piece is null)
        {
            json.WriteNumberValue(id);
            return;
        }

        json.WriteStartObject();
        json.WriteNumber("id"u8, id);
        if (System.Text.Unicode.Utf8.IsValid(piece))
        {
            json.WriteString("piece"u8, piece);
        }
        else
        {
            json.WriteStartArray("piece"u8);
            foreach (byte part in piece)
                json.WriteNumberValue(part);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static List<int> ReadIds(FieldReader body)
    {
        const string Legal = "Send a list of token ids such as [1,2,3]";
        List<int> ids = [];
        if (!body.TryGet("tokens", out JsonElement tokens))
        {
            body.Fail(PlatformError.Missing("tokens", Legal));
            return ids;
        }

        if (tokens.ValueKind != JsonValueKind.Array || tokens.GetArrayLength() > MaxTokens)
        {
            body.Fail(PlatformError.Invalid("tokens", $"it is {FieldReader.Describe(tokens)}", $"{Legal}, at most {MaxTokens}"));
            return ids;
        }

        foreach (JsonElement item in tokens.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id) || id < 0)
            {
                body.Fail(PlatformError.Invalid($"tokens[{ids.Count}]", $"it is {FieldReader.Describe(item)}", Legal));
                return ids;
            }

            ids.Add(id);
        }

        return ids;
    }

    private async Task AnswerAsync<TRequest, TResult>(
        HttpContext context, Func<FieldReader, TRequest> read, Func<TRequest, string> model, Func<TRequest, ITokenizer, Generation, TResult> make, Action<Utf8JsonWriter, TResult> write)
        where TRequest : class
    {
        (TRequest? request, PlatformError? error) = await BodyReader.ReadAsync<TRequest>(context, options.MaxBodyBytes, body =>
        {
            TRequest said = read(body);
            return body.Error is { } wrong ? (null, wrong) : (said, null);
        });
        ModelOffer? found = null;
        if (request is not null)
            (found, error) = Find(model(request));
        Wrapped<TResult>? result = null;
        if (found is { } offer && error is null)
            (result, error) = await UseAsync(offer, (tokenizer, generation) => make(request!, tokenizer, generation), context.RequestAborted);
        if (result is null)
            await ErrorResponse.WriteAsync(context, error!);
        else
            await RespondAsync(context, json => write(json, result.Value));
    }

    private (ModelOffer? Offer, PlatformError? Error) Find(string name)
    {
        if (name.Length == 0)
            name = FirstModel();
        (ModelOffer? offer, PlatformError? error) = offers.FindChat(name, "model", "tokenize");
        return error is null ? (offer, null) : (null, error);
    }

    private static async ValueTask<(Wrapped<T>? Result, PlatformError? Error)> UseAsync<T>(ModelOffer offer, Func<ITokenizer, Generation, T> use, CancellationToken cancel)
    {
        if (offer.Route.Backend is not ITokenizerBackend backend)
            return (null, PlatformError.Unsupported("model", "tokenize", $"the backend of {offer.Model.Code} does not show its vocabulary"));
        try
        {
            return (new Wrapped<T>(await backend.UseTokenizerAsync(offer.Route.Model, use, cancel)), null);
        }
        catch (ChatRequestException refused)
        {
            return (null, refused.Error);
        }
    }

    private static async Task RespondAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        await JsonResponse.WriteAsync(context, body);
    }

    private sealed record TokenizeRequest(string Model, string Content, bool AddSpecial, bool ParseSpecial, bool WithPieces);

    private sealed record DetokenizeRequest(string Model, List<int> Ids);

    private sealed record Wrapped<T>(T Value);
}
