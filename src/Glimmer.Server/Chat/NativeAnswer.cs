using System.Buffers;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;
using Names = Glimmer.Server.Chat.CompletionHead.Names;

namespace Glimmer.Server.Chat;

/// <summary>An answer as the native bases say it: one object (spec: api.md §6.6) or chunks (§6.7).</summary>
internal sealed class NativeAnswer(CompletionHead head, bool toolStream, bool showReasoning, int choices = 1) : IAnswerDialect
{
    /// <inheritdoc/>
    public bool ShowsReasoning => showReasoning;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => FinishWords.Of(finish);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new ChatChunkWriter(output, head, toolStream, showReasoning, choices);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end) => WriteWhole(output, [message], end);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<MessageBuilder> messages, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        head.Write(json, Names.Completion);
        json.WriteStartArray(Names.Choices);
        for (int choice = 0; choice < messages.Count; choice++)
            WriteChoice(json, choice, messages[choice], end.FinishOf(choice));
        json.WriteEndArray();
        CompletionHead.WriteUsage(json, end.Usage);
        json.WriteEndObject();
    }

    private void WriteChoice(Utf8JsonWriter json, int choice, MessageBuilder message, FinishReason finish)
    {
        json.WriteStartObject();
        json.WriteNumber(Names.Index, choice);
        json.WriteString(Names.FinishReason, WordOf(finish));
        json.WriteStartObject("message"u8);
        json.WriteString(Names.Role, Names.Assistant);
        json.WriteString(Names.Content, message.Content ?? "");
        if (message.Reasoning is { } reasoning)
            json.WriteString(Names.Reasoning, reasoning);
        if (message.Calls is { Count: > 0 } calls)
            WriteCalls(json, calls);
        json.WriteEndObject();
        if (message.Tokens is { } tokens)
        {
            json.WritePropertyName("logprobs"u8);
            LogProbs.Write(json, tokens);
        }

        json.WriteEndObject();
    }

    private static void WriteCalls(Utf8JsonWriter json, IReadOnlyList<SaidCall> calls)
    {
        json.WriteStartArray(Names.ToolCalls);
        for (int index = 0; index < calls.Count; index++)
        {
            json.WriteStartObject();
            json.WriteString(Names.Id, RequestIds.NewCallId());
            json.WriteNumber(Names.Index, index);
            json.WriteString(Names.Type, Names.Function);
            json.WriteStartObject(Names.Function);
            json.WriteString(Names.Name, calls[index].Name);
            json.WriteString(Names.Arguments, calls[index].Arguments);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
