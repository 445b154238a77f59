using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Sse;
using Glimmer.Server.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>Where events of a response go.</summary>
internal interface IResponseEventOutput
{
    /// <summary>Begins an event; write one JSON object to the result, then call <see cref="End"/>.</summary>
    Utf8JsonWriter Begin(ReadOnlySpan<byte> type);

    /// <summary>Ends the event begun last.</summary>
    void End();
}

/// <summary>Events that go out at once.</summary>
internal sealed class SseEventOutput(SseWriter output) : IResponseEventOutput
{
    /// <inheritdoc/>
    public Utf8JsonWriter Begin(ReadOnlySpan<byte> type) => output.BeginEvent(type);

    /// <inheritdoc/>
    public void End() => output.EndEvent();
}

/// <summary>
/// Writes the events of a response, each with its number: states of the whole, and items one after the other, each begun, continued piece by
/// piece and ended. The same for an answer that is being made and for one that is told again.
/// </summary>
/// <param name="output">Where to.</param>
/// <param name="after">Events up to this number are counted and not written.</param>
internal sealed class ResponseEvents(IResponseEventOutput output, long after = -1)
{
    private readonly StringBuilder _text = new();
    private readonly List<SaidToken> _tokens = [];
    private readonly List<OutputItem> _items = [];
    private OutputItem? _open;

    /// <summary>Number of the next event.</summary>
    public long Next { get; set; }

    /// <summary>Remembers where texts were cut; null for nobody.</summary>
    public StreamMarks? Marks { get; init; }

    /// <summary>The items that have ended.</summary>
    public IReadOnlyList<OutputItem> Items => _items;

    /// <summary>The item that has begun and not ended.</summary>
    public OutputItem? Current => _open;

    /// <summary>What the open item says so far.</summary>
    public string Text => _text.ToString();

    /// <summary>The tokens of what it says; null when there are none.</summary>
    public IReadOnlyList<SaidToken>? Tokens => _tokens.Count > 0 ? [.. _tokens] : null;

    /// <summary>Writes the whole response in a state.</summary>
    public void State(ReadOnlySpan<byte> type, Action<Utf8JsonWriter> write)
    {
        if (Begin(type) is not { } json)
            return;
        json.WritePropertyName("response"u8);
        write(json);
        End(json);
    }

    /// <summary>Begins an item.</summary>
    public void Open(OutputItem item)
    {
        _open = item;
        WriteItem("response.output_item.added"u8, item.WriteBegun);
        if (item is ReasoningOutput reasoning)
            WritePart(reasoning.AsSummary ? "response.reasoning_summary_part.added"u8 : "response.content_part.added"u8, "", null);
        else if (item is MessageOutput)
            WritePart("response.content_part.added"u8, "", null);
    }

    /// <summary>Goes on with the open item.</summary>
    /// <param name="text">A piece of what it says.</param>
    /// <param name="tokens">Its tokens with their probabilities, of a message.</param>
    public void Continue(string text, IReadOnlyList<SaidToken>? tokens)
    {
        _text.Append(text);
        if (tokens is not null)
            _tokens.AddRange(tokens);
        Marks?.Add(text.Length, tokens?.Count ?? 0);
        WriteText(_open switch
        {
            ReasoningOutput { AsSummary: true } => "response.reasoning_summary_text.delta"u8,
            ReasoningOutput => "response.reasoning_text.delta"u8,
            MessageOutput => "response.output_text.delta"u8,
            CallOutput { IsCustom: true } => "response.custom_tool_call_input.delta"u8,
            _ => "response.function_call_arguments.delta"u8,
        }, "delta"u8, text, _open is MessageOutput ? tokens ?? [] : null);
    }

    /// <summary>Ends the open item.</summary>
    /// <param name="item">What it is now.</param>
    public void Close(OutputItem item)
    {
        string text = _text.ToString();
        IReadOnlyList<SaidToken>? tokens = Tokens;
        switch (item)
        {
            case ReasoningOutput { AsSummary: true }:
                WriteText("response.reasoning_summary_text.done"u8, "text"u8, text, null);
                WritePart("response.reasoning_summary_part.done"u8, text, null);
                break;
            case ReasoningOutput:
                WriteText("response.reasoning_text.done"u8, "text"u8, text, null);
                WritePart("response.content_part.done"u8, text, null);
                break;
            case MessageOutput:
                WriteText("response.output_text.done"u8, "text"u8, text, tokens ?? []);
                WritePart("response.content_part.done"u8, text, tokens);
                break;
            case CallOutput { IsCustom: true }:
                WriteText("response.custom_tool_call_input.done"u8, "input"u8, text, null);
                break;
            case CallOutput call:
                WriteText("response.function_call_arguments.done"u8, "arguments"u8, text, null, call.Place?.Name ?? call.Name);
                break;
        }

        WriteItem("response.output_item.done"u8, item.Write);
        _items.Add(item);
        _open = null;
        _text.Clear();
        _tokens.Clear();
    }

    private void WriteItem(ReadOnlySpan<byte> type, Action<Utf8JsonWriter> write)
    {
        if (Begin(type) is not { } json)
            return;
        json.WriteNumber("output_index"u8, _items.Count);
        json.WritePropertyName("item"u8);
        write(json);
        End(json);
    }

    private void WritePart(ReadOnlySpan<byte> type, string text, IReadOnlyList<SaidToken>? tokens)
    {
        if (Begin(type) is not { } json)
            return;
        WritePlace(json);
        json.WritePropertyName("part"u8);
        if (_open is ReasoningOutput { AsSummary: var summary })
            ReasoningOutput.WritePart(json, summary ? "summary_text"u8 : "reasoning_text"u8, text);
        else
            MessageOutput.WritePart(json, text, tokens);
        End(json);
    }

    private void WriteText(ReadOnlySpan<byte> type, ReadOnlySpan<byte> member, string text, IReadOnlyList<SaidToken>? tokens, string? name = null)
    {
        if (Begin(type) is not { } json)
            return;
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
        else if (_open is ReasoningOutput or MessageOutput)
            json.WriteNumber("content_index"u8, 0);
    }

    private Utf8JsonWriter? Begin(ReadOnlySpan<byte> type)
    {
        long number = Next++;
        if (number <= after)
            return null;
        Utf8JsonWriter json = output.Begin(type);
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        json.WriteNumber("sequence_number"u8, number);
        return json;
    }

    private void End(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        output.End();
    }
}
