using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Glimmer.Client;

/// <summary>A chat of this library as the <see cref="IChatClient"/> of Microsoft.Extensions.AI.</summary>
internal sealed class GlimmerChatClient(IGlimmerChat chat, string model, Uri? address) : IChatClient
{
    private readonly ChatClientMetadata _metadata = new("glimmer", address, model);

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        Completion answer = await chat.CompleteAsync(ExtensionMapper.Request(messages, options, model, this), cancellationToken).ConfigureAwait(false);
        var message = new ChatMessage(ChatRole.Assistant, []) { MessageId = answer.Id };
        if (answer.Message is { } said)
        {
            if (!string.IsNullOrEmpty(said.ReasoningContent))
                message.Contents.Add(new TextReasoningContent(said.ReasoningContent));
            if (!string.IsNullOrEmpty(said.Content?.Text))
                message.Contents.Add(new TextContent(said.Content.Text));
            foreach (ToolCall call in said.ToolCalls ?? [])
                message.Contents.Add(ExtensionMapper.Call(call));
        }

        return new ChatResponse(message)
        {
            ResponseId = answer.Id,
            ModelId = answer.Model,
            CreatedAt = DateTimeOffset.FromUnixTimeSeconds(answer.Created),
            FinishReason = ExtensionMapper.Finish(answer.FinishReason),
            Usage = ExtensionMapper.Usage(answer.Usage),
            RawRepresentation = answer,
        };
    }

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var builder = new CompletionBuilder();
        await foreach (CompletionChunk chunk in chat.StreamAsync(ExtensionMapper.Request(messages, options, model, this), cancellationToken).ConfigureAwait(false))
        {
            builder.Add(chunk);
            var contents = new List<AIContent>();
            if (chunk.Reasoning.Length > 0)
                contents.Add(new TextReasoningContent(chunk.Reasoning));
            if (chunk.Content.Length > 0)
                contents.Add(new TextContent(chunk.Content));

            // Calls are told whole: nothing can be done with half of one.
            if (chunk.FinishReason is not null)
                contents.AddRange((builder.Build().Message?.ToolCalls ?? []).Select(ExtensionMapper.Call));
            if (ExtensionMapper.Usage(chunk.Usage) is { } usage)
                contents.Add(new UsageContent(usage));
            if (contents.Count == 0 && chunk.FinishReason is null)
                continue;
            yield return new ChatResponseUpdate(ChatRole.Assistant, contents)
            {
                ResponseId = chunk.Id,
                MessageId = chunk.Id,
                ModelId = chunk.Model,
                CreatedAt = DateTimeOffset.FromUnixTimeSeconds(chunk.Created),
                FinishReason = ExtensionMapper.Finish(chunk.FinishReason),
                RawRepresentation = chunk,
            };
        }
    }

    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        if (serviceKey is not null)
            return null;
        return serviceType == typeof(ChatClientMetadata) ? _metadata : serviceType.IsInstanceOfType(chat) ? chat : serviceType.IsInstanceOfType(this) ? this : null;
    }

    public void Dispose()
    {
        // The chat stays its maker's.
    }
}

/// <summary>From the types of Microsoft.Extensions.AI to the platform's and back.</summary>
internal static class ExtensionMapper
{
    public static CompletionRequest Request(IEnumerable<ChatMessage> messages, ChatOptions? options, string model, IChatClient client)
    {
        var said = new List<Message>();
        if (!string.IsNullOrEmpty(options?.Instructions))
            said.Add(Message.System(options.Instructions));
        foreach (ChatMessage message in messages)
            Add(said, message);
        var start = options?.RawRepresentationFactory?.Invoke(client) as CompletionRequest;
        List<Tool> tools = [.. (options?.Tools ?? []).OfType<AIFunctionDeclaration>().Select(static tool => Tool.OfFunction(
            tool.Name, string.IsNullOrEmpty(tool.Description) ? null : tool.Description, JsonObject.Create(tool.JsonSchema)))];
        return (start ?? new CompletionRequest { Model = options?.ModelId ?? model, Messages = [] }) with
        {
            Messages = said,
            Temperature = options?.Temperature ?? start?.Temperature,
            TopP = options?.TopP ?? start?.TopP,
            MaxTokens = options?.MaxOutputTokens ?? start?.MaxTokens,
            Seed = options?.Seed ?? start?.Seed,
            PresencePenalty = options?.PresencePenalty ?? start?.PresencePenalty,
            FrequencyPenalty = options?.FrequencyPenalty ?? start?.FrequencyPenalty,
            Stop = options?.StopSequences is { Count: > 0 } stops ? [.. stops] : start?.Stop,
            Tools = tools.Count > 0 ? tools : start?.Tools,
            ToolChoice = tools.Count == 0 ? start?.ToolChoice : options?.ToolMode switch
            {
                NoneChatToolMode => ToolChoice.None,
                RequiredChatToolMode { RequiredFunctionName: { } name } => ToolChoice.Function(name),
                RequiredChatToolMode => ToolChoice.Required,
                _ => start?.ToolChoice,
            },
            ParallelToolCalls = options?.AllowMultipleToolCalls ?? start?.ParallelToolCalls,
            ReasoningEffort = options?.Reasoning?.Effort switch
            {
                Microsoft.Extensions.AI.ReasoningEffort.None => "none",
                Microsoft.Extensions.AI.ReasoningEffort.Low => "low",
                Microsoft.Extensions.AI.ReasoningEffort.Medium => "medium",
                Microsoft.Extensions.AI.ReasoningEffort.High => "high",
                Microsoft.Extensions.AI.ReasoningEffort.ExtraHigh => "xhigh",
                _ => start?.ReasoningEffort,
            },
            ResponseFormat = options?.ResponseFormat switch
            {
                ChatResponseFormatJson { Schema: { } schema } json => ResponseFormat.Schema(json.SchemaName ?? "answer", JsonObject.Create(schema) ?? []),
                ChatResponseFormatJson => ResponseFormat.JsonObject,
                _ => start?.ResponseFormat,
            },
        };
    }

    public static FunctionCallContent Call(ToolCall call) => FunctionCallContent.CreateFromParsedArguments(
        call.Function?.Arguments ?? "", call.Id, call.Function?.Name ?? "", static text =>
        {
            if (string.IsNullOrWhiteSpace(text))
                return new Dictionary<string, object?>(StringComparer.Ordinal);
            using JsonDocument document = JsonDocument.Parse(text);
            return document.RootElement.EnumerateObject().ToDictionary(static member => member.Name, static member => (object?)member.Value.Clone(), StringComparer.Ordinal);
        });

    public static ChatFinishReason? Finish(string? word) => word switch
    {
        null => null,
        "stop" => ChatFinishReason.Stop,
        "tool_calls" => ChatFinishReason.ToolCalls,
        "length" or "model_context_window_exceeded" => ChatFinishReason.Length,
        "sensitive" => ChatFinishReason.ContentFilter,
        _ => new ChatFinishReason(word),
    };

    public static UsageDetails? Usage(Usage? usage) => usage is null ? null : new UsageDetails
    {
        InputTokenCount = usage.PromptTokens,
        OutputTokenCount = usage.CompletionTokens,
        TotalTokenCount = usage.TotalTokens,
        CachedInputTokenCount = usage.PromptTokensDetails?.CachedTokens,
        ReasoningTokenCount = usage.CompletionTokensDetails?.ReasoningTokens,
    };

    private static void Add(List<Message> said, ChatMessage message)
    {
        List<FunctionResultContent> results = [.. message.Contents.OfType<FunctionResultContent>()];
        foreach (FunctionResultContent result in results)
            said.Add(Message.Tool(result.CallId, Text(result.Result)));
        if (results.Count > 0)
            return;
        List<ToolCall> calls = [.. message.Contents.OfType<FunctionCallContent>().Select(static call => new ToolCall
        {
            Id = call.CallId,
            Function = new FunctionCall { Name = call.Name, Arguments = Arguments(call.Arguments) },
        })];
        string reasoning = string.Concat(message.Contents.OfType<TextReasoningContent>().Select(static part => part.Text));
        said.Add(new Message
        {
            Role = message.Role.Value,
            Content = Content(message),
            ReasoningContent = reasoning.Length == 0 ? null : reasoning,
            ToolCalls = calls.Count == 0 ? null : calls,
        });
    }

    private static MessageContent Content(ChatMessage message)
    {
        var parts = new List<ContentPart>();
        foreach (AIContent content in message.Contents)
        {
            switch (content)
            {
                case TextContent text:
                    parts.Add(ContentPart.OfText(text.Text));
                    break;
                case UriContent media:
                    parts.Add(Medium(media.MediaType, media.Uri.AbsoluteUri));
                    break;
                case DataContent data:
                    parts.Add(Medium(data.MediaType, data.Uri));
                    break;
                default:
                    break; // calls, results and reasoning have places of their own
            }
        }

        return parts.TrueForAll(static part => part.Type == "text") ? new MessageContent(string.Concat(parts.Select(static part => part.Text))) : new MessageContent(parts);
    }

    private static ContentPart Medium(string type, string address) =>
        type.StartsWith("image/", StringComparison.OrdinalIgnoreCase) ? ContentPart.OfImage(address)
        : type.StartsWith("video/", StringComparison.OrdinalIgnoreCase) ? ContentPart.OfVideo(address)
        : ContentPart.OfFile(address);

    private static string Arguments(IDictionary<string, object?>? arguments) => arguments is null
        ? "{}"
        : JsonSerializer.Serialize(arguments, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(IDictionary<string, object?>)));

    private static string Text(object? result) => result switch
    {
        null => "",
        string text => text,
        JsonElement { ValueKind: JsonValueKind.String } text => text.GetString()!,
        _ => JsonSerializer.Serialize(result, AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(object))),
    };
}
