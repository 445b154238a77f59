using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;
using Names = Glimmer.Server.Chat.CompletionHead.Names;

namespace Glimmer.Server.Chat;

/// <summary>
/// Writes an answer as the native stream (spec: api.md §6.7): reasoning, content and tool calls in chunks, the finish
/// reason and the usage in the last one, then <c>[DONE]</c>. Without <c>tool_stream</c> a call is one chunk, held back until
/// it is complete.
/// </summary>
internal sealed class ChatChunkWriter(SseWriter output, CompletionHead head, bool toolStream, bool showReasoning, int choices = 1) : IStreamedAnswer
{
    private readonly Dictionary<(int Choice, int Index), (string Id, string Name, StringBuilder Arguments)> _calls = [];

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        // The first chunk is the first event's.
    }

    /// <summary>Writes what an event brings; nothing for a call that is held back.</summary>
    public void Write(in ChatEvent item)
    {
        switch (item.Kind)
        {
            case ChatEventKind.Reasoning:
                if (showReasoning && item.Text.Length > 0)
                    WriteText(item.Choice, Names.Reasoning, item.Text, null);
                break;
            case ChatEventKind.Content:
                if (item.Text.Length > 0)
                    WriteText(item.Choice, Names.Content, item.Text, item.Tokens);
                break;
            case ChatEventKind.ToolCallStart:
                string id = RequestIds.NewCallId();
                _calls[(item.Choice, item.ToolIndex)] = (id, item.Text, new StringBuilder());
                if (toolStream)
                    WriteCall(item.Choice, item.ToolIndex, id, item.Text, "");
                break;
            case ChatEventKind.ToolCallArguments:
                if (toolStream)
                    WriteCall(item.Choice, item.ToolIndex, null, null, item.Text);
                else if (_calls.TryGetValue((item.Choice, item.ToolIndex), out (string Id, string Name, StringBuilder Arguments) open))
                    open.Arguments.Append(item.Text);
                break;
            case ChatEventKind.ToolCallAbandoned:
                _calls.Remove((item.Choice, item.ToolIndex)); // its text follows as content; a streamed call cannot be taken back
                break;
            case ChatEventKind.ReasoningWasAnswer:
                break; // the same text follows as content
            default:
                if (!toolStream && _calls.Remove((item.Choice, item.ToolIndex), out (string Id, string Name, StringBuilder Arguments) call))
                    WriteCall(item.Choice, item.ToolIndex, call.Id, call.Name, call.Arguments.ToString());
                break;
        }
    }

    /// <summary>Writes the last chunk and the closing event. Calls that were cut off in the middle go out as far as they came.</summary>
    public void End(AnswerEnd end)
    {
        if (!toolStream)
        {
            foreach (((int choice, int index), (string id, string name, StringBuilder arguments)) in _calls)
                WriteCall(choice, index, id, name, arguments.ToString());
        }

        for (int choice = 0; choice < choices; choice++)
        {
            Utf8JsonWriter json = BeginChunk(choice, FinishWords.Of(end.FinishOf(choice)));
            json.WriteString(Names.Content, "");
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteEndArray();
            if (choice == choices - 1)
                CompletionHead.WriteUsage(json, end.Usage);
            json.WriteEndObject();
            output.EndEvent();
        }

        output.WriteDone();
    }

    private void WriteText(int choice, JsonEncodedText name, string text, IReadOnlyList<SaidToken>? tokens)
    {
        Utf8JsonWriter json = BeginChunk(choice, null);
        json.WriteString(name, text);
        EndChunk(json, tokens);
    }

    private void WriteCall(int choice, int index, string? id, string? name, string arguments)
    {
        Utf8JsonWriter json = BeginChunk(choice, null);
        json.WriteStartArray(Names.ToolCalls);
        json.WriteStartObject();
        json.WriteNumber(Names.Index, index);
        if (id is not null)
        {
            json.WriteString(Names.Id, id);
            json.WriteString(Names.Type, Names.Function);
        }

        json.WriteStartObject(Names.Function);
        if (name is not null)
            json.WriteString(Names.Name, name);
        json.WriteString(Names.Arguments, arguments);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        EndChunk(json);
    }

    private Utf8JsonWriter BeginChunk(int choice, string? word)
    {
        Utf8JsonWriter json = output.BeginEvent();
        json.WriteStartObject();
        head.Write(json, Names.Chunk);
        json.WriteStartArray(Names.Choices);
        json.WriteStartObject();
        json.WriteNumber(Names.Index, choice);
        if (word is not null)
            json.WriteString(Names.FinishReason, word);
        json.WriteStartObject(Names.Delta);
        json.WriteString(Names.Role, Names.Assistant);
        return json;
    }

    private void EndChunk(Utf8JsonWriter json, IReadOnlyList<SaidToken>? tokens = null)
    {
        json.WriteEndObject();
        if (tokens is not null)
        {
            json.WritePropertyName("logprobs"u8);
            LogProbs.Write(json, tokens);
        }

        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
        output.EndEvent();
    }
}
