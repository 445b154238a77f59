using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Inference.Relay.Requests;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>Reads the events of Anthropic's messages.</summary>
internal sealed class MessagesReader(ChatRequest request, SignatureMemory signatures) : AnswerReader(request)
{
    private const int MaxBlocks = 4096;
    private readonly Dictionary<int, Block> _blocks = [];
    private readonly StringBuilder _reasoning = new();
    private readonly List<SignedBlock> _signed = [];
    private bool _answers;
    private bool _thinksLate;
    private int? _fresh;
    private int? _read;
    private int? _written;

    private enum BlockKind
    {
        Other,
        Text,
        Thinking,
        Call,
    }

    /// <inheritdoc/>
    protected override void ReadEvent(ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        EventKind kind = KindOf(data);
        Utf8JsonReader json = JsonTokens.Open(data);
        json.Read();
        switch (kind)
        {
            case EventKind.MessageStart:
                ReadMember(ref json, "message", (ref Utf8JsonReader inner) => ReadMember(ref inner, "usage", ReadUsage));
                break;
            case EventKind.BlockStart:
                StartBlock(ref json, data, events);
                break;
            case EventKind.BlockDelta:
                ContinueBlock(ref json, events);
                break;
            case EventKind.BlockStop:
                StopBlock(ref json, events);
                break;
            case EventKind.MessageDelta:
                ReadEnd(ref json, events);
                break;
            case EventKind.MessageStop:
                IsOver = Finish is not null ? true : throw new UpstreamFaultException("it ends the stream without a reason for the end of the answer");
                Keep();
                break;
            case EventKind.Error:
                Error = UpstreamError.Read(0, data);
                break;
            default:
                break; // ping, and what is yet to be invented
        }
    }

    private enum EventKind
    {
        Other,
        MessageStart,
        BlockStart,
        BlockDelta,
        BlockStop,
        MessageDelta,
        MessageStop,
        Error,
    }

    private delegate void ValueReader(ref Utf8JsonReader json);

    /// <summary>The kind of an event; also checks that it is one JSON object from end to end.</summary>
    private static EventKind KindOf(ReadOnlySpan<byte> data)
    {
        Utf8JsonReader json = JsonTokens.Open(data);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
            throw JsonTokens.Wrong("event", "an object");
        EventKind? kind = null;
        bool error = false;
        while (json.NextMember())
        {
            bool isType = json.ValueTextEquals("type"u8), isError = json.ValueTextEquals("error"u8);
            json.SkipValue();
            if (isType && json.TokenType == JsonTokenType.String)
                kind = KindAt(ref json);
            error |= isError && json.TokenType != JsonTokenType.Null;
        }

        json.Read();
        return kind ?? (error ? EventKind.Error : throw JsonTokens.Wrong("type", "a string"));
    }

    private static EventKind KindAt(ref Utf8JsonReader json) =>
        json.ValueTextEquals("content_block_delta"u8) ? EventKind.BlockDelta
        : json.ValueTextEquals("message_start"u8) ? EventKind.MessageStart
        : json.ValueTextEquals("content_block_start"u8) ? EventKind.BlockStart
        : json.ValueTextEquals("content_block_stop"u8) ? EventKind.BlockStop
        : json.ValueTextEquals("message_delta"u8) ? EventKind.MessageDelta
        : json.ValueTextEquals("message_stop"u8) ? EventKind.MessageStop
        : json.ValueTextEquals("error"u8) ? EventKind.Error
        : EventKind.Other;

    private static void ReadMember(ref Utf8JsonReader json, string name, ValueReader read)
    {
        while (json.NextMember())
        {
            if (!json.ValueTextEquals(name))
                json.SkipValue();
            else if (json.EnterObject(name))
                read(ref json);
        }
    }

    private void StartBlock(ref Utf8JsonReader json, ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        int? index = null;
        string? type = null, text = null, thinking = null, signature = null, hidden = null, id = null, name = null, input = null;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("index"u8))
            {
                index = json.CountOf("index");
            }
            else if (!json.ValueTextEquals("content_block"u8))
            {
                json.SkipValue();
            }
            else if (json.EnterObject("content_block"))
            {
                while (json.NextMember())
                {
                    if (json.ValueTextEquals("type"u8))
                        type = json.TextOf("content_block.type");
                    else if (json.ValueTextEquals("text"u8))
                        text = json.TextOf("text");
                    else if (json.ValueTextEquals("thinking"u8))
                        thinking = json.TextOf("thinking");
                    else if (json.ValueTextEquals("signature"u8))
                        signature = json.TextOf("signature");
                    else if (json.ValueTextEquals("data"u8))
                        hidden = json.TextOf("data");
                    else if (json.ValueTextEquals("id"u8))
                        id = json.TextOf("id");
                    else if (json.ValueTextEquals("name"u8))
                        name = json.TextOf("name");
                    else if (json.ValueTextEquals("input"u8))
                        input = ReadInput(ref json, data);
                    else
                        json.SkipValue();
                }
            }
        }

        if (index is not { } at || type is null)
            throw new UpstreamFaultException("it begins a block without a number or a type");
        if (Finish is not null)
            throw new UpstreamFaultException("it goes on after the end of the answer");
        Block block = new(type switch
        {
            "text" => BlockKind.Text,
            "thinking" => BlockKind.Thinking,
            "tool_use" => BlockKind.Call,
            _ => BlockKind.Other,
        });
        if (_blocks.Count == MaxBlocks || !_blocks.TryAdd(at, block))
            throw new UpstreamFaultException(_blocks.Count == MaxBlocks ? $"its answer has more than {MaxBlocks} blocks" : "it begins a block twice");
        switch (block.Kind)
        {
            case BlockKind.Text:
                _answers = true;
                Say(text ?? "", null, events);
                break;
            case BlockKind.Thinking:
                _thinksLate |= _answers;
                block.Signature.Append(signature);
                ThinkIn(block, thinking ?? "", events);
                break;
            case BlockKind.Call:
                _answers = true;
                if (string.IsNullOrEmpty(name))
                    throw new UpstreamFaultException("a call has no function");
                block.Place = Call(at, id, name, null, events);
                block.Input = input;
                break;
            default:
                if (type == "redacted_thinking" && hidden is not null)
                    _signed.Add(new SignedBlock(0, hidden, true));
                break;
        }
    }

    /// <summary>The arguments, where they come with the beginning: an empty object stands for those that follow.</summary>
    private static string? ReadInput(ref Utf8JsonReader json, ReadOnlySpan<byte> data)
    {
        JsonTokens.Read(ref json);
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return null;
        }

        int start = (int)json.TokenStartIndex;
        json.Skip();
        ReadOnlySpan<byte> raw = data[start..(int)json.BytesConsumed];
        return raw[1..^1].Trim(" \t\r\n"u8).IsEmpty ? null : Encoding.UTF8.GetString(raw);
    }

    private void ContinueBlock(ref Utf8JsonReader json, List<ChatEvent> events)
    {
        int? index = null;
        string? text = null, thinking = null, signature = null, input = null;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("index"u8))
            {
                index = json.CountOf("index");
            }
            else if (!json.ValueTextEquals("delta"u8))
            {
                json.SkipValue();
            }
            else if (json.EnterObject("delta"))
            {
                while (json.NextMember())
                {
                    if (json.ValueTextEquals("text"u8))
                        text = json.PieceOf("text");
                    else if (json.ValueTextEquals("thinking"u8))
                        thinking = json.PieceOf("thinking");
                    else if (json.ValueTextEquals("signature"u8))
                        signature = json.TextOf("signature");
                    else if (json.ValueTextEquals("partial_json"u8))
                        input = json.PieceOf("partial_json");
                    else
                        json.SkipValue();
                }
            }
        }

        if (index is not { } at || !_blocks.TryGetValue(at, out Block? block) || block.IsOver)
            throw new UpstreamFaultException("it goes on with a block that is not open");
        switch (block.Kind)
        {
            case BlockKind.Text:
                Say(text ?? "", null, events);
                break;
            case BlockKind.Thinking:
                block.Signature.Append(signature);
                ThinkIn(block, thinking ?? "", events);
                break;
            case BlockKind.Call when !string.IsNullOrEmpty(input):
                block.Input = null;
                Call(at, null, null, input, events);
                break;
            default:
                break;
        }
    }

    private void ThinkIn(Block block, string text, List<ChatEvent> events)
    {
        block.Length += text.Length;
        _reasoning.Append(text);
        Think(text, events);
    }

    private void StopBlock(ref Utf8JsonReader json, List<ChatEvent> events)
    {
        int? index = null;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("index"u8))
                index = json.CountOf("index");
            else
                json.SkipValue();
        }

        if (index is not { } at || !_blocks.TryGetValue(at, out Block? block) || block.IsOver)
            throw new UpstreamFaultException("it ends a block that is not open");
        block.IsOver = true;
        if (block.Kind == BlockKind.Call)
        {
            if (block.Input is { } input)
                Call(at, null, null, input, events);
            Calls.End(block.Place, events);
        }
        else if (block.Kind == BlockKind.Thinking)
        {
            _signed.Add(new SignedBlock(block.Length, block.Signature.ToString(), false));
        }
    }

    private void ReadEnd(ref Utf8JsonReader json, List<ChatEvent> events)
    {
        string? word = null, stop = null;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("usage"u8))
            {
                if (json.EnterObject("usage"))
                    ReadUsage(ref json);
            }
            else if (!json.ValueTextEquals("delta"u8))
            {
                json.SkipValue();
            }
            else if (json.EnterObject("delta"))
            {
                while (json.NextMember())
                {
                    if (json.ValueTextEquals("stop_reason"u8))
                        word = json.TextOf("stop_reason");
                    else if (json.ValueTextEquals("stop_sequence"u8))
                        stop = json.TextOf("stop_sequence");
                    else
                        json.SkipValue();
                }
            }
        }

        StopAt(stop);
        if (word is not null)
            End(Meaning(word), events);
    }

    /// <summary>The meaning of a word for the end. Words that nobody knows stand for an ordinary end.</summary>
    private static FinishReason Meaning(string word) => word switch
    {
        "max_tokens" => FinishReason.Length,
        "model_context_window_exceeded" => FinishReason.ContextWindow,
        "refusal" => FinishReason.Sensitive,
        "error" => FinishReason.BackendFault,
        _ => FinishReason.Stop,
    };

    /// <summary>The counts at the end replace those at the beginning, unless they are nothing: some services say one and some the other.</summary>
    private void ReadUsage(ref Utf8JsonReader json)
    {
        while (json.NextMember())
        {
            if (json.ValueTextEquals("input_tokens"u8))
                Put(ref _fresh, json.CostOf("input_tokens"));
            else if (json.ValueTextEquals("cache_read_input_tokens"u8))
                Put(ref _read, json.CostOf("cache_read_input_tokens"));
            else if (json.ValueTextEquals("cache_creation_input_tokens"u8))
                Put(ref _written, json.CostOf("cache_creation_input_tokens"));
            else if (json.ValueTextEquals("output_tokens"u8))
                Put(ref Tally.Completion, json.CostOf("output_tokens"));
            else
                json.SkipValue();
        }

        if (_fresh is null && _read is null)
            return;
        long prompt = (long)(_fresh ?? 0) + (_read ?? 0) + (_written ?? 0);
        Tally.Prompt = (int)Math.Min(prompt, int.MaxValue);
        Tally.Cached = _read ?? 0;
    }

    private static void Put(ref int? known, int? said)
    {
        if (said is > 0 || known is null)
            known = said ?? known;
    }

    /// <summary>Remembers signed thinking that stands before the answer: there it can go back.</summary>
    private void Keep()
    {
        if (_reasoning.Length > 0 && !_thinksLate && _signed.TrueForAll(static block => block.Seal.Length > 0) && _signed.Sum(static block => block.Length) == _reasoning.Length)
            signatures.Keep(_reasoning.ToString(), [.. _signed]);
    }

    private sealed class Block(BlockKind kind)
    {
        public BlockKind Kind { get; } = kind;

        public bool IsOver { get; set; }

        public int Place { get; set; }

        public string? Input { get; set; }

        public int Length { get; set; }

        public StringBuilder Signature { get; } = new();
    }
}
