using System.Buffers;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary>How one chat completion is to be said.</summary>
/// <param name="ShowsReasoning">Whether the reasoning goes out, as <c>reasoning_content</c>.</param>
/// <param name="Choices">Answers asked for.</param>
/// <param name="IncludeUsage">Whether a stream ends with a chunk of usage.</param>
/// <param name="LegacyFunctions">Whether calls are answered in OpenAI's first form.</param>
internal sealed record ChatCompletionForm(bool ShowsReasoning, int Choices, bool IncludeUsage, bool LegacyFunctions);

/// <summary>An answer as OpenAI's chat completions say it. Reasoning stands beside the content in <c>reasoning_content</c>, an extension that clients of open models know.</summary>
internal sealed class ChatCompletion(string requestId, OpenAIHead head, ChatCompletionForm form) : IAnswerDialect
{
    /// <inheritdoc/>
    public bool ShowsReasoning => form.ShowsReasoning;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => ChatFinishWords.Of(finish, form.LegacyFunctions);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new ChatCompletionStream(output, requestId, head, form);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end) => WriteWhole(output, [message], end);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<MessageBuilder> messages, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        head.Write(json, "chat.completion"u8);
        json.WriteStartArray("choices"u8);
        for (int choice = 0; choice < messages.Count; choice++)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, choice);
            WriteMessage(json, messages[choice]);
            json.WritePropertyName("logprobs"u8);
            LogProbs.Write(json, messages[choice].Tokens);
            json.WriteString("finish_reason"u8, WordOf(end.FinishOf(choice)));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        OpenAIHead.WriteUsage(json, end.Usage);
        json.WriteEndObject();
    }

    private void WriteMessage(Utf8JsonWriter json, MessageBuilder message)
    {
        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        IReadOnlyList<SaidCall> calls = message.Calls;

        // Nothing at all is an empty text; null says that there are calls instead.
        json.WriteString("content"u8, message.Content ?? (calls.Count > 0 ? null : ""));
        json.WriteNull("refusal"u8);
        json.WriteStartArray("annotations"u8);
        json.WriteEndArray();
        if (message.Reasoning is { } reasoning)
            json.WriteString("reasoning_content"u8, reasoning);
        if (calls.Count > 0 && form.LegacyFunctions)
        {
            json.WriteStartObject("function_call"u8);
            json.WriteString("name"u8, calls[0].Name);
            json.WriteString("arguments"u8, calls[0].Arguments);
            json.WriteEndObject();
        }
        else if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls"u8);
            foreach (SaidCall call in calls)
            {
                json.WriteStartObject();
                json.WriteString("id"u8, RequestIds.NewCallId());
                json.WriteString("type"u8, "function"u8);
                json.WriteStartObject("function"u8);
                json.WriteString("name"u8, call.Name);
                json.WriteString("arguments"u8, call.Arguments);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
