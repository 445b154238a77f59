using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary>
/// Writes an answer as OpenAI streams it: the role in each choice's first chunk, its finish reason in its last, the usage in a chunk without
/// choices when it was asked for, then <c>[DONE]</c>. A fault in the middle is a chunk with an error, which clients raise.
/// </summary>
internal sealed class ChatCompletionStream(SseWriter output, string requestId, OpenAIHead head, ChatCompletionForm form) : IStreamedAnswer
{
    /// <inheritdoc/>
    public void Ping() => output.WritePing();

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        for (int choice = 0; choice < form.Choices; choice++)
        {
            Utf8JsonWriter json = BeginChunk(choice);
            json.WriteString("role"u8, "assistant"u8);
            json.WriteString("content"u8, ""u8);
            json.WriteNull("refusal"u8);
            EndChunk(json, null, null);
        }
    }

    /// <inheritdoc/>
    public void Write(in ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Reasoning when form.ShowsReasoning && said.Text.Length > 0:
                WriteText(said.Choice, "reasoning_content"u8, said.Text, null);
                break;
            case ChatEventKind.Content when said.Text.Length > 0:
                WriteText(said.Choice, "content"u8, said.Text, said.Tokens);
                break;
            case ChatEventKind.ToolCallStart:
                WriteCall(said, RequestIds.NewCallId(), said.Text, "");
                break;
            case ChatEventKind.ToolCallArguments when said.Text.Length > 0:
                WriteCall(said, null, null, said.Text);
                break;
            default:
                break; // reasoning that comes again as content, and marks without a text
        }
    }

    /// <inheritdoc/>
    public void End(AnswerEnd end)
    {
        if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
        {
            PlatformError error = end.ErrorFor(requestId);
            DialectErrorWriter.Write(output.BeginEvent(), WireDialect.OpenAI, error, MessageLanguage.English, requestId);
            output.EndEvent();
            output.WriteDone();
            return;
        }

        for (int choice = 0; choice < form.Choices; choice++)
            EndChunk(BeginChunk(choice), ChatFinishWords.Of(end.FinishOf(choice), form.LegacyFunctions), null);
        if (form.IncludeUsage)
        {
            Utf8JsonWriter json = output.BeginEvent();
            json.WriteStartObject();
            head.Write(json, "chat.completion.chunk"u8);
            json.WriteStartArray("choices"u8);
            json.WriteEndArray();
            OpenAIHead.WriteUsage(json, end.Usage);
            json.WriteEndObject();
            output.EndEvent();
        }

        output.WriteDone();
    }

    private void WriteText(int choice, ReadOnlySpan<byte> name, string text, IReadOnlyList<SaidToken>? tokens)
    {
        Utf8JsonWriter json = BeginChunk(choice);
        json.WriteString(name, text);
        EndChunk(json, null, tokens);
    }

    private void WriteCall(in ChatEvent said, string? id, string? name, string arguments)
    {
        if (form.LegacyFunctions && said.ToolIndex > 0)
            return;
        Utf8JsonWriter json = BeginChunk(said.Choice);
        if (!form.LegacyFunctions)
        {
            json.WriteStartArray("tool_calls"u8);
            json.WriteStartObject();
            json.WriteNumber("index"u8, said.ToolIndex);
            if (id is not null)
            {
                json.WriteString("id"u8, id);
                json.WriteString("type"u8, "function"u8);
            }
        }

        json.WriteStartObject(form.LegacyFunctions ? "function_call"u8 : "function"u8);
        if (name is not null)
            json.WriteString("name"u8, name);
        json.WriteString("arguments"u8, arguments);
        json.WriteEndObject();
        if (!form.LegacyFunctions)
        {
            json.WriteEndObject();
            json.WriteEndArray();
        }

        EndChunk(json, null, null);
    }

    private Utf8JsonWriter BeginChunk(int choice)
    {
        Utf8JsonWriter json = output.BeginEvent();
        json.WriteStartObject();
        head.Write(json, "chat.completion.chunk"u8);
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, choice);
        json.WriteStartObject("delta"u8);
        return json;
    }

    private void EndChunk(Utf8JsonWriter json, string? word, IReadOnlyList<SaidToken>? tokens)
    {
        json.WriteEndObject();
        json.WritePropertyName("logprobs"u8);
        LogProbs.Write(json, tokens);
        json.WriteString("finish_reason"u8, word);
        json.WriteEndObject();
        json.WriteEndArray();
        if (form.IncludeUsage)
            json.WriteNull("usage"u8);
        json.WriteEndObject();
        output.EndEvent();
    }
}
