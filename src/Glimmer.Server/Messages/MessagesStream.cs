using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Messages;

/// <summary>
/// Writes an answer as the Messages API streams it (spec: api.md §23.1): the message's start, one block after the other, each begun, continued and
/// ended, then the stop reason with the usage.
/// </summary>
internal sealed class MessagesStream(SseWriter output, MessagesAnswer answer, string requestId, bool showsThinking) : IStreamedAnswer
{
    private readonly StringBuilder _thinking = new();
    private Block _open = Block.None;
    private int _index = -1;

    private enum Block
    {
        None,
        Thinking,
        Text,
        Tool,
    }

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        Utf8JsonWriter json = output.BeginEvent("message_start"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "message_start"u8);
        json.WritePropertyName("message"u8);
        answer.WriteHead(json);
        json.WriteStartArray("content"u8);
        json.WriteEndArray();
        json.WriteNull("stop_reason"u8);
        json.WriteNull("stop_sequence"u8);
        MessagesAnswer.WriteUsage(json, usage with { CompletionTokens = 0 });
        json.WriteEndObject();
        json.WriteEndObject();
        output.EndEvent();
        Ping();
    }

    /// <inheritdoc/>
    public void Ping()
    {
        Utf8JsonWriter json = output.BeginEvent("ping"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "ping"u8);
        json.WriteEndObject();
        output.EndEvent();
    }

    /// <inheritdoc/>
    public void Write(in ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Reasoning when showsThinking && said.Text.Length > 0:
                Open(Block.Thinking);
                _thinking.Append(said.Text);
                WriteDelta("thinking_delta"u8, "thinking"u8, said.Text);
                break;
            case ChatEventKind.Content when said.Text.Length > 0:
                Open(Block.Text);
                WriteDelta("text_delta"u8, "text"u8, said.Text);
                break;
            case ChatEventKind.ToolCallStart:
                Close();
                OpenTool(said.Text);
                break;
            case ChatEventKind.ToolCallArguments when said.Text.Length > 0:
                WriteDelta("input_json_delta"u8, "partial_json"u8, said.Text);
                break;
            case ChatEventKind.ToolCallEnd or ChatEventKind.ToolCallAbandoned:
                Close();
                break;
            default:
                break; // reasoning that is not shown, or that comes again as the answer
        }
    }

    /// <inheritdoc/>
    public void End(AnswerEnd end)
    {
        Close();
        if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
        {
            PlatformError error = end.ErrorFor(requestId);
            DialectErrorWriter.Write(output.BeginEvent("error"u8), WireDialect.Anthropic, error, MessageLanguage.English, requestId);
            output.EndEvent();
            return;
        }

        Utf8JsonWriter json = output.BeginEvent("message_delta"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "message_delta"u8);
        json.WriteStartObject("delta"u8);
        json.WriteString("stop_reason"u8, StopReasons.Of(end.Finish, end.StopText));
        json.WriteString("stop_sequence"u8, end.StopText);
        json.WriteEndObject();
        MessagesAnswer.WriteUsage(json, end.Usage);
        json.WriteEndObject();
        output.EndEvent();
        json = output.BeginEvent("message_stop"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "message_stop"u8);
        json.WriteEndObject();
        output.EndEvent();
    }

    private void Open(Block kind)
    {
        if (_open == kind)
            return;
        Close();
        Utf8JsonWriter json = BeginBlock();
        if (kind == Block.Thinking)
        {
            json.WriteString("type"u8, "thinking"u8);
            json.WriteString("thinking"u8, ""u8);
            json.WriteString("signature"u8, ""u8);
        }
        else
        {
            json.WriteString("type"u8, "text"u8);
            json.WriteString("text"u8, ""u8);
        }

        EndBlock(json, kind);
    }

    private void OpenTool(string name)
    {
        Utf8JsonWriter json = BeginBlock();
        json.WriteString("type"u8, "tool_use"u8);
        json.WriteString("id"u8, ToolUseIds.New());
        json.WriteString("name"u8, name);
        json.WriteStartObject("input"u8);
        json.WriteEndObject();
        EndBlock(json, Block.Tool);
    }

    private Utf8JsonWriter BeginBlock()
    {
        Utf8JsonWriter json = output.BeginEvent("content_block_start"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "content_block_start"u8);
        json.WriteNumber("index"u8, ++_index);
        json.WriteStartObject("content_block"u8);
        return json;
    }

    private void EndBlock(Utf8JsonWriter json, Block kind)
    {
        json.WriteEndObject();
        json.WriteEndObject();
        output.EndEvent();
        _open = kind;
    }

    private void Close()
    {
        if (_open == Block.None)
            return;
        if (_open == Block.Thinking)
        {
            WriteDelta("signature_delta"u8, "signature"u8, ThinkingSignature.Of(_thinking.ToString()));
            _thinking.Clear();
        }

        _open = Block.None;
        Utf8JsonWriter json = output.BeginEvent("content_block_stop"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "content_block_stop"u8);
        json.WriteNumber("index"u8, _index);
        json.WriteEndObject();
        output.EndEvent();
    }

    private void WriteDelta(ReadOnlySpan<byte> type, ReadOnlySpan<byte> field, string text)
    {
        Utf8JsonWriter json = output.BeginEvent("content_block_delta"u8);
        json.WriteStartObject();
        json.WriteString("type"u8, "content_block_delta"u8);
        json.WriteNumber("index"u8, _index);
        json.WriteStartObject("delta"u8);
        json.WriteString("type"u8, type);
        json.WriteString(field, text);
        json.WriteEndObject();
        json.WriteEndObject();
        output.EndEvent();
    }
}
