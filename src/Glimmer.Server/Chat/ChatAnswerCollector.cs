using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;
using Names = Glimmer.Server.Chat.CompletionHead.Names;

namespace Glimmer.Server.Chat;

/// <summary>Gathers the events of an answer and writes it as one object (spec: api.md §6.6).</summary>
internal sealed class ChatAnswerCollector(bool showReasoning)
{
    private readonly StringBuilder _content = new();
    private readonly StringBuilder _reasoning = new();
    private readonly SortedDictionary<int, (string Id, string Name, StringBuilder Arguments)> _calls = [];

    /// <summary>Takes the next event.</summary>
    public void Add(in ChatEvent item)
    {
        switch (item.Kind)
        {
            case ChatEventKind.Reasoning when showReasoning:
                _reasoning.Append(item.Text);
                break;
            case ChatEventKind.Content:
                _content.Append(item.Text);
                break;
            case ChatEventKind.ToolCallStart:
                _calls[item.ToolIndex] = (RequestIds.NewCallId(), item.Text, new StringBuilder());
                break;
            case ChatEventKind.ToolCallArguments when _calls.TryGetValue(item.ToolIndex, out (string Id, string Name, StringBuilder Arguments) call):
                call.Arguments.Append(item.Text);
                break;
        }
    }

    /// <summary>Writes the whole answer as UTF-8.</summary>
    public void Write(IBufferWriter<byte> output, CompletionHead head, string finish, in ChatUsage usage)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        head.Write(json, Names.Completion);
        json.WriteStartArray(Names.Choices);
        json.WriteStartObject();
        json.WriteNumber(Names.Index, 0);
        json.WriteString(Names.FinishReason, finish);
        json.WriteStartObject("message"u8);
        json.WriteString(Names.Role, Names.Assistant);
        json.WriteString(Names.Content, _content.ToString());
        if (_reasoning.Length > 0)
            json.WriteString(Names.Reasoning, _reasoning.ToString());
        if (_calls.Count > 0)
            WriteCalls(json);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        CompletionHead.WriteUsage(json, usage);
        json.WriteEndObject();
    }

    private void WriteCalls(Utf8JsonWriter json)
    {
        json.WriteStartArray(Names.ToolCalls);
        foreach ((int index, (string id, string name, StringBuilder arguments)) in _calls)
        {
            json.WriteStartObject();
            json.WriteString(Names.Id, id);
            json.WriteNumber(Names.Index, index);
            json.WriteString(Names.Type, Names.Function);
            json.WriteStartObject(Names.Function);
            json.WriteString(Names.Name, name);
            json.WriteString(Names.Arguments, arguments.ToString());
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }
}
