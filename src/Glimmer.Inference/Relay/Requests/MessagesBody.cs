using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Engine;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Writes a request as the body of Anthropic's <c>POST /v1/messages</c>.</summary>
internal sealed class MessagesBody(SignatureMemory signatures)
{
    /// <summary>The limit of an answer that has none: the field is required, and the least of the models that are served takes this.</summary>
    public const int DefaultMaxTokens = 8192;

    /// <summary>Least budget of thinking that the service takes.</summary>
    public const int LeastBudget = 1024;

    private const int MaxStops = 64;

    /// <summary>What the service cannot be asked for; null when it can be asked.</summary>
    public static PlatformError? Check(ChatRequest request)
    {
        switch (request.Format.Kind)
        {
            case AnswerFormatKind.JsonObject:
                return RequestCheck.Unsupported(request, "response_format.type", "json_object", "has no JSON mode without a schema; send json_schema, or leave it out");
            case AnswerFormatKind.Regex or AnswerFormatKind.Grammar:
                return RequestCheck.Unsupported(request, "response_format.type", request.Format.Kind == AnswerFormatKind.Regex ? "regex" : "grammar", "takes neither regular expressions nor grammars; send a JSON schema, or leave it out");
            default:
                break;
        }

        if (request.TopLogProbs is not null)
            return RequestCheck.Unsupported(request, "logprobs", "logprobs", "tells no probabilities; leave it out");
        if (request.Sampling.LogitBias is { Count: > 0 })
            return RequestCheck.Unsupported(request, "logit_bias", "logit_bias", "takes no biases; leave it out");
        return RequestCheck.Stops(request, MaxStops)
            ?? RequestCheck.Media(request, static kind => kind == MediaKind.Image)
            ?? CheckArguments(request);
    }

    /// <summary>Writes a request for a streamed answer.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="model">The service's name of the model.</param>
    /// <param name="identity">Who asks.</param>
    public void Write(IBufferWriter<byte> output, ChatRequest request, string model, in RelayIdentity identity)
    {
        int limit = request.MaxTokens ?? DefaultMaxTokens;
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        bool thinks = WriteConversation(json, request, model, limit);
        json.WriteNumber("max_tokens"u8, limit);
        json.WriteBoolean("stream"u8, true);
        if (!thinks)
            WriteSampling(json, request.Sampling);
        if (request.Stop.Count > 0)
        {
            json.WriteStartArray("stop_sequences"u8);
            foreach (string stop in request.Stop)
                json.WriteStringValue(stop);
            json.WriteEndArray();
        }

        if (identity.UserId is { } user)
        {
            json.WriteStartObject("metadata"u8);
            json.WriteString("user_id"u8, user);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>Writes a request for a count of the prompt's tokens.</summary>
    public void WriteForCount(IBufferWriter<byte> output, ChatRequest request, string model)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        WriteConversation(json, request, model, request.MaxTokens ?? DefaultMaxTokens);
        json.WriteEndObject();
    }

    /// <returns>Whether the model is asked to think.</returns>
    private bool WriteConversation(Utf8JsonWriter json, ChatRequest request, string model, int limit)
    {
        json.WriteString("model"u8, model);
        WriteSystem(json, request.Conversation.Messages);
        WriteMessages(json, request.Conversation);
        WriteTools(json, request);
        bool thinks = WriteThinking(json, request, limit);
        WriteOutput(json, request, thinks);
        return thinks;
    }

    private static PlatformError? CheckArguments(ChatRequest request)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        for (int i = 0; i < messages.Count; i++)
        {
            for (int k = 0; k < messages[i].ToolCalls.Count; k++)
            {
                if (!ArgumentsJson.IsObject(messages[i].ToolCalls[k].Arguments))
                {
                    string field = string.Create(CultureInfo.InvariantCulture, $"messages[{i}].tool_calls[{k}].function.arguments");
                    return PlatformError.Invalid(field, "it is not the JSON text of an object", "Send a JSON string such as \"{\\\"city\\\":\\\"Beijing\\\"}\"");
                }
            }
        }

        return null;
    }

    /// <summary>Instructions stand before all messages, wherever they came: the service has no other place for them.</summary>
    private static void WriteSystem(Utf8JsonWriter json, IReadOnlyList<ChatMessage> messages)
    {
        bool any = false;
        foreach (ChatMessage message in messages)
        {
            if (message.Role != ChatRole.System || TextOf(message) is not { Length: > 0 } text)
                continue;
            if (!any)
                json.WriteStartArray("system"u8);
            any = true;
            WriteText(json, text);
        }

        if (any)
            json.WriteEndArray();
    }

    /// <summary>Consecutive messages of one side become one, results of tools before what the user says.</summary>
    private void WriteMessages(Utf8JsonWriter json, Conversation conversation)
    {
        IReadOnlyList<ChatMessage> messages = conversation.Messages;
        string?[] results = CallIds.OfResults(messages);
        string open = "";
        json.WriteStartArray("messages"u8);
        for (int i = 0; i < messages.Count; i++)
        {
            ChatMessage message = messages[i];
            if (message.Role == ChatRole.System || !SaysAnything(message))
                continue;
            string side = message.Role == ChatRole.Assistant ? "assistant" : "user";
            if (side != open)
            {
                if (open.Length > 0)
                    EndMessage(json);
                json.WriteStartObject();
                json.WriteString("role"u8, side);
                json.WriteStartArray("content"u8);
                open = side;
            }

            switch (message.Role)
            {
                case ChatRole.Assistant:
                    WriteAssistant(json, message);
                    break;
                case ChatRole.Tool:
                    json.WriteStartObject();
                    json.WriteString("type"u8, "tool_result"u8);
                    json.WriteString("tool_use_id"u8, CallIds.Of(results[i] ?? ""));
                    json.WriteStartArray("content"u8);
                    WriteParts(json, message);
                    json.WriteEndArray();
                    json.WriteEndObject();
                    break;
                default:
                    WriteParts(json, message);
                    break;
            }
        }

        if (open.Length > 0)
            EndMessage(json);
        json.WriteEndArray();
    }

    private static void EndMessage(Utf8JsonWriter json)
    {
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Whether a message has a block: the service refuses empty ones.</summary>
    private static bool SaysAnything(ChatMessage message) =>
        message.Role == ChatRole.Tool || message.ToolCalls.Count > 0 || message.Content.Any(static part => part is not TextPart { Text.Length: 0 });

    private void WriteAssistant(Utf8JsonWriter json, ChatMessage message)
    {
        if (signatures.Find(message.ReasoningContent) is { } blocks)
        {
            int at = 0;
            foreach (SignedBlock block in blocks)
            {
                json.WriteStartObject();
                json.WriteString("type"u8, block.IsRedacted ? "redacted_thinking"u8 : "thinking"u8);
                if (block.IsRedacted)
                {
                    json.WriteString("data"u8, block.Seal);
                }
                else
                {
                    json.WriteString("thinking"u8, message.ReasoningContent.AsSpan(at, block.Length));
                    json.WriteString("signature"u8, block.Seal);
                    at += block.Length;
                }

                json.WriteEndObject();
            }
        }

        WriteParts(json, message);
        foreach (ToolCall call in message.ToolCalls)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "tool_use"u8);
            json.WriteString("id"u8, CallIds.Of(call.Id));
            json.WriteString("name"u8, call.Name);
            json.WritePropertyName("input"u8);
            json.WriteRawValue(call.Arguments, skipInputValidation: true);
            json.WriteEndObject();
        }
    }

    private static void WriteParts(Utf8JsonWriter json, ChatMessage message)
    {
        foreach (ContentPart part in message.Content)
        {
            if (part is MediaPart media)
                WriteImage(json, media.Source);
            else if (TextOf(part) is { Length: > 0 } text)
                WriteText(json, text);
        }
    }

    private static void WriteText(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "text"u8);
        json.WriteString("text"u8, text);
        json.WriteEndObject();
    }

    private static void WriteImage(Utf8JsonWriter json, string source)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "image"u8);
        json.WriteStartObject("source"u8);
        if (MediaText.IsAddress(source))
        {
            json.WriteString("type"u8, "url"u8);
            json.WriteString("url"u8, source);
        }
        else
        {
            (string type, string data) = MediaText.Picture(source);
            json.WriteString("type"u8, "base64"u8);
            json.WriteString("media_type"u8, type);
            json.WriteString("data"u8, data);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static string TextOf(ChatMessage message) => string.Concat(message.Content.Select(TextOf));

    private static string TextOf(ContentPart part) => part switch
    {
        TextPart text => text.Text,
        ToolOutputPart output => output.Output,
        ToolReferencePart reference => reference.Name,
        _ => "",
    };

    /// <summary>Tools are told even when none may be called: the service refuses a history of calls without them.</summary>
    private static void WriteTools(Utf8JsonWriter json, ChatRequest request)
    {
        if (request.Conversation.Tools.Count == 0)
            return;
        json.WriteStartArray("tools"u8);
        foreach (ToolDefinition tool in request.Conversation.Tools)
            ToolText.WriteFlat(json, tool);
        json.WriteEndArray();
        if (request.ToolChoice.Mode == ToolChoiceMode.Auto && request.ParallelToolCalls)
            return;
        json.WriteStartObject("tool_choice"u8);
        json.WriteString("type"u8, request.ToolChoice.Mode switch
        {
            ToolChoiceMode.None => "none"u8,
            ToolChoiceMode.Required => "any"u8,
            ToolChoiceMode.Named => "tool"u8,
            _ => "auto"u8,
        });
        if (request.ToolChoice.Mode == ToolChoiceMode.Named)
            json.WriteString("name"u8, request.ToolChoice.Name);
        if (!request.ParallelToolCalls && request.ToolChoice.Mode != ToolChoiceMode.None)
            json.WriteBoolean("disable_parallel_tool_use"u8, true);
        json.WriteEndObject();
    }

    /// <summary>
    /// A client's budget is a budget; without one, or without the room for the least one, the model decides itself. A turn that goes on after calls has a budget only
    /// if its thinking goes back signed, and a demanded call allows no thinking at all: the service refuses both.
    /// </summary>
    private bool WriteThinking(Utf8JsonWriter json, ChatRequest request, int limit)
    {
        if (request.Conversation.Options.EnableThinking is not { } wanted)
            return false;
        bool thinks = wanted && request.ToolChoice.Mode is ToolChoiceMode.Auto or ToolChoiceMode.None;
        json.WriteStartObject("thinking"u8);
        if (!wanted || !thinks)
        {
            json.WriteString("type"u8, "disabled"u8);
            thinks = false;
        }
        else if (request.ThinkingBudget is { } budget && limit > LeastBudget && !GoesOnUnsigned(request.Conversation.Messages))
        {
            json.WriteString("type"u8, "enabled"u8);
            json.WriteNumber("budget_tokens"u8, Math.Clamp(budget, LeastBudget, limit - 1));
        }
        else
        {
            json.WriteString("type"u8, "adaptive"u8);
        }

        json.WriteEndObject();
        return thinks;
    }

    private bool GoesOnUnsigned(IReadOnlyList<ChatMessage> messages)
    {
        if (messages is not [.., { Role: ChatRole.Tool }])
            return false;
        ChatMessage? caller = messages.LastOrDefault(static message => message.Role == ChatRole.Assistant);
        return caller is not null && signatures.Find(caller.ReasoningContent) is null;
    }

    private static void WriteOutput(Utf8JsonWriter json, ChatRequest request, bool thinks)
    {
        string? effort = thinks ? request.Conversation.Options.ReasoningEffort : null;
        JsonElement? schema = request.Format.Kind == AnswerFormatKind.JsonSchema ? request.Format.Schema : null;
        if (effort is null && schema is null)
            return;
        json.WriteStartObject("output_config"u8);
        if (effort is not null)
            json.WriteString("effort"u8, effort);
        if (schema is { } demanded)
        {
            json.WriteStartObject("format"u8);
            json.WriteString("type"u8, "json_schema"u8);
            json.WritePropertyName("schema"u8);
            demanded.WriteTo(json);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }

    /// <summary>One of temperature and top_p, because newer models refuse both: the temperature where it says something.</summary>
    private static void WriteSampling(Utf8JsonWriter json, SamplingOptions sampling)
    {
        if (sampling.Greedy || sampling.Temperature <= 0)
        {
            json.WriteNumber("temperature"u8, 0);
            return;
        }

        if (sampling.Temperature != 1)
            json.WriteNumber("temperature"u8, Math.Min(sampling.Temperature, 1));
        else if (sampling.TopP < 1)
            json.WriteNumber("top_p"u8, sampling.TopP);
        if (sampling.TopK > 0)
            json.WriteNumber("top_k"u8, sampling.TopK);
    }
}
