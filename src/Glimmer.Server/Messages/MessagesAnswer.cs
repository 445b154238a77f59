using System.Buffers;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Messages;

/// <summary>An answer as the Messages API says it.</summary>
internal sealed class MessagesAnswer(string requestId, string model, bool showsThinking) : IAnswerDialect
{
    private readonly string _id = "msg_" + requestId;

    /// <inheritdoc/>
    public bool ShowsReasoning => showsThinking;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => StopReasons.Of(finish, null);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new MessagesStream(output, this, requestId, showsThinking);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        WriteHead(json);
        json.WriteStartArray("content"u8);
        if (message.Reasoning is { } thinking)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "thinking"u8);
            json.WriteString("thinking"u8, thinking);
            json.WriteString("signature"u8, ThinkingSignature.Of(thinking));
            json.WriteEndObject();
        }

        if (message.Content is { } text)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "text"u8);
            json.WriteString("text"u8, text);
            json.WriteEndObject();
        }

        foreach (SaidCall call in message.Calls)
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "tool_use"u8);
            json.WriteString("id"u8, ToolUseIds.New());
            json.WriteString("name"u8, call.Name);
            json.WritePropertyName("input"u8);
            json.WriteRawValue(call.Arguments, skipInputValidation: false);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("stop_reason"u8, StopReasons.Of(end.Finish, end.StopText));
        json.WriteString("stop_sequence"u8, end.StopText);
        WriteUsage(json, end.Usage);
        json.WriteEndObject();
    }

    /// <summary>Writes the first members of the message; the object stays open.</summary>
    public void WriteHead(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, _id);
        json.WriteString("type"u8, "message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("model"u8, model);
    }

    /// <summary>
    /// Writes <c>usage</c>. In this dialect the tokens found in the cache are no part of <c>input_tokens</c>; our cache is filled without being asked and
    /// costs nothing to fill, so none are told as created.
    /// </summary>
    public static void WriteUsage(Utf8JsonWriter json, in ChatUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, usage.PromptTokens - usage.CachedTokens);
        json.WriteNumber("cache_creation_input_tokens"u8, 0);
        json.WriteNumber("cache_read_input_tokens"u8, usage.CachedTokens);
        json.WriteNumber("output_tokens"u8, usage.CompletionTokens);
        json.WriteEndObject();
    }
}
