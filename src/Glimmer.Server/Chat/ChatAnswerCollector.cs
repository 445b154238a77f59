using System.Buffers;
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
    private readonly MessageBuilder _message = new();

    /// <summary>Takes the next event.</summary>
    public void Add(in ChatEvent item)
    {
        // Reasoning that turns out to be the answer comes again as content, so it may be left out here in any case.
        if (item.Kind != ChatEventKind.Reasoning || showReasoning)
            _message.Add(item);
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
        json.WriteString(Names.Content, _message.Content ?? "");
        if (_message.Reasoning is { } reasoning)
            json.WriteString(Names.Reasoning, reasoning);
        if (_message.Calls is { Count: > 0 } calls)
            WriteCalls(json, calls);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        CompletionHead.WriteUsage(json, usage);
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
