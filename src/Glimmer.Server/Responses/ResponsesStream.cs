using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Responses;

/// <summary>
/// Writes an answer as the Responses API streams it: the response created and in progress, one item after the other, each begun, continued part by
/// part and ended, then the whole response. Every event is numbered.
/// </summary>
internal sealed class ResponsesStream(SseWriter output, ResponsesAnswer answer) : IStreamedAnswer
{
    private readonly StringBuilder _text = new();
    private readonly List<SaidToken> _tokens = [];
    private readonly List<OutputItem> _items = [];
    private OutputItem? _open;
    private int _sequence;

    /// <inheritdoc/>
    public void Ping() => output.WritePing();

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        WriteResponse("response.created"u8, new ResponseState("in_progress"));
        WriteResponse("response.in_progress"u8, new ResponseState("in_progress"));
    }

    /// <inheritdoc/>
    public void Write(in ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Reasoning when answer.ShowsReasoning && said.Text.Length > 0:
                if (_open is not ReasoningOutput)
                    OpenReasoning();
                WriteDelta(SummaryOr("response.reasoning_summary_text.delta"u8, "response.reasoning_text.delta"u8), said.Text, null);
                break;
            case ChatEventKind.Content when said.Text.Length > 0:
                if (_open is not MessageOutput)
                    OpenMessage();
                WriteDelta("response.output_text.delta"u8, said.Text, said.Tokens ?? []);
                if (said.Tokens is not null)
                    _tokens.AddRange(said.Tokens);
                break;
            case ChatEventKind.ToolCallStart:
                Close(complete: true);
                CallOutput call = answer.Call(ResponseIds.New("fc"), RequestIds.NewCallId(), said.Text, "");
                WriteItem("response.output_item.added"u8, call, call.WriteBegun);
                break;
            case ChatEventKind.ToolCallArguments when said.Text.Length > 0:
                WriteDelta("response.function_call_arguments.delta"u8, said.Text, null);
                break;
            case ChatEventKind.ToolCallEnd or ChatEventKind.ToolCallAbandoned:
                Close(said.Kind == ChatEventKind.ToolCallEnd);
                break;
            default:
                break; // reasoning that is not shown, or that comes again as the answer
        }
    }

    /// <inheritdoc/>
    public void End(AnswerEnd end)
    {
        bool complete = ResponsesAnswer.IsComplete(end.Finish);
        bool failed = end.Finish is FinishReason.BackendFault or FinishReason.Cancelled;
        Close(complete);
        if (!failed && !_items.Exists(static item => item is MessageOutput or CallOutput))
        {
            OpenMessage();
            Close(complete);
        }

        answer.Finish(_items, end);
        WriteResponse(answer.State.Status switch { "completed" => "response.completed"u8, "incomplete" => "response.incomplete"u8, _ => "response.failed"u8 }, answer.State);
    }

    private void OpenReasoning()
    {
        Close(complete: true);
        var item = new ReasoningOutput(ResponseIds.New("rs"), "", answer.Head.Request.ReasoningAsSummary, null);
        WriteItem("response.output_item.added"u8, item, item.WriteBegun);
        WritePart(SummaryOr("response.reasoning_summary_part.added"u8, "response.content_part.added"u8), json => ReasoningOutput.WritePart(json, PartType(item), ""));
    }

    private void OpenMessage()
    {
        Close(complete: true);
        var item = new MessageOutput(ResponseIds.New("msg"), "", null);
        WriteItem("response.output_item.added"u8, item, item.WriteBegun);
        WritePart("response.content_part.added"u8, static json => MessageOutput.WritePart(json, "", null));
    }

    /// <summary>Ends the item that is open.</summary>
    private void Close(bool complete)
    {
        if (_open is not { } open)
            return;
        string text = _text.ToString();
        switch (open)
        {
            case ReasoningOutput reasoning:
                WriteText(SummaryOr("response.reasoning_summary_text.done"u8, "response.reasoning_text.done"u8), "text"u8, text, null);
                WritePart(SummaryOr("response.reasoning_summary_part.done"u8, "response.content_part.done"u8), json => ReasoningOutput.WritePart(json, PartType(reasoning), text));
                open = answer.Reasoning(reasoning.Id, text, complete);
                break;
            case MessageOutput message:
                IReadOnlyList<SaidToken>? tokens = _tokens.Count > 0 ? [.. _tokens] : null;
                WriteText("response.output_text.done"u8, "text"u8, text, tokens ?? []);
                WritePart("response.content_part.done"u8, json => MessageOutput.WritePart(json, text, tokens));
                open = message with { Text = text, Tokens = tokens, Complete = complete };
                break;
            case CallOutput call:
                WriteText("response.function_call_arguments.done"u8, "arguments"u8, text, null, call.Place?.Name ?? call.Name);
                open = call with { Arguments = text, Complete = complete };
                break;
        }

        WriteItem("response.output_item.done"u8, open, open.Write);
        _items.Add(open);
        _open = null;
        _text.Clear();
        _tokens.Clear();
    }

    private ReadOnlySpan<byte> SummaryOr(ReadOnlySpan<byte> summary, ReadOnlySpan<byte> content) => answer.Head.Request.ReasoningAsSummary ? summary : content;

    private static ReadOnlySpan<byte> PartType(ReasoningOutput item) => item.AsSummary ? "summary_text"u8 : "reasoning_text"u8;

    private void WriteResponse(ReadOnlySpan<byte> type, ResponseState state)
    {
        Utf8JsonWriter json = Begin(type);
        json.WritePropertyName("response"u8);
        answer.Head.Write(json, state);
        End(json);
    }

    private void WriteItem(ReadOnlySpan<byte> type, OutputItem item, Action<Utf8JsonWriter> write)
    {
        _open = item;
        Utf8JsonWriter json = Begin(type);
        json.WriteNumber("output_index"u8, _items.Count);
        json.WritePropertyName("item"u8);
        write(json);
        End(json);
    }

    private void WritePart(ReadOnlySpan<byte> type, Action<Utf8JsonWriter> write)
    {
        Utf8JsonWriter json = Begin(type);
        WritePlace(json);
        json.WritePropertyName("part"u8);
        write(json);
        End(json);
    }

    private void WriteDelta(ReadOnlySpan<byte> type, string text, IReadOnlyList<SaidToken>? tokens)
    {
        _text.Append(text);
        WriteText(type, "delta"u8, text, tokens);
    }

    private void WriteText(ReadOnlySpan<byte> type, ReadOnlySpan<byte> member, string text, IReadOnlyList<SaidToken>? tokens, string? name = null)
    {
        Utf8JsonWriter json = Begin(type);
        WritePlace(json);
        if (name is not null)
            json.WriteString("name"u8, name);
        json.WriteString(member, text);
        if (tokens is not null)
        {
            json.WritePropertyName("logprobs"u8);
            LogProbs.WriteList(json, tokens);
        }

        End(json);
    }

    private void WritePlace(Utf8JsonWriter json)
    {
        json.WriteString("item_id"u8, _open!.Id);
        json.WriteNumber("output_index"u8, _items.Count);
        if (_open is ReasoningOutput { AsSummary: true })
            json.WriteNumber("summary_index"u8, 0);
        else if (_open is not CallOutput)
            json.WriteNumber("content_index"u8, 0);
    }

    private Utf8JsonWriter Begin(ReadOnlySpan<byte> type)
    {
        Utf8JsonWriter json = output.BeginEvent(type);
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        json.WriteNumber("sequence_number"u8, _sequence++);
        return json;
    }

    private void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        output.EndEvent();
    }
}
