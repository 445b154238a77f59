using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>Reads the chunks of OpenAI's chat completions, with the platform's and other services' additions.</summary>
internal sealed class CompletionsReader(ChatRequest request) : AnswerReader(request)
{
    private readonly List<(int? Index, string? Id, string? Name, string? Arguments)> _pieces = [];
    private readonly bool _wantsTokens = request.TopLogProbs is not null;
    private bool _failed;

    /// <inheritdoc/>
    protected override void ReadEvent(ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        if (data[0] == (byte)'[' && data.Length >= 6 && Ascii.EqualsIgnoreCase(data[..6], "[DONE]"u8))
        {
            IsOver = Finish is not null ? true : throw new UpstreamFaultException("it ends the stream without a reason for the end of the answer");
            return;
        }

        Utf8JsonReader json = JsonTokens.Open(data);
        if (!json.Read() || json.TokenType != JsonTokenType.StartObject)
            throw JsonTokens.Wrong("event", "an object");
        while (json.NextMember())
        {
            if (json.ValueTextEquals("choices"u8))
                ReadChoices(ref json, data, events);
            else if (json.ValueTextEquals("usage"u8))
                ReadUsage(ref json);
            else if (IsError(ref json))
                Error = UpstreamError.Read(0, data);
        }

        // Throws when more follows.
        json.Read();

        // Not before the usage has been read, which stands behind the choices.
        if (_failed)
            throw new UpstreamFaultException("it says that the answer failed");
    }

    /// <summary>The meaning of a word for the end. Words that nobody knows stand for an ordinary end.</summary>
    internal static FinishReason Meaning(string word) => word switch
    {
        "length" or "max_tokens" => FinishReason.Length,
        "model_context_window_exceeded" or "model_length" => FinishReason.ContextWindow,
        "sensitive" or "content_filter" => FinishReason.Sensitive,
        "network_error" or "error" or "abort" or "insufficient_system_resource" => FinishReason.BackendFault,
        _ => FinishReason.Stop,
    };

    /// <summary>Whether a member says that the event is an error; reads its value.</summary>
    private static bool IsError(ref Utf8JsonReader json)
    {
        bool error = json.ValueTextEquals("error"u8), kind = json.ValueTextEquals("object"u8);
        json.SkipValue();
        return error ? json.TokenType is not (JsonTokenType.Null or JsonTokenType.False) : kind && json.TokenType == JsonTokenType.String && json.ValueTextEquals("error"u8);
    }

    private void ReadChoices(ref Utf8JsonReader json, ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        if (!json.EnterArray("choices"))
            return;
        while (json.NextObject("choices"))
            ReadChoice(ref json, data, events);
    }

    private void ReadChoice(ref Utf8JsonReader json, ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        string? content = null, reasoning = null, word = null, stop = null;
        List<SaidToken>? tokens = null;
        int? index = null;
        _pieces.Clear();
        while (json.NextMember())
        {
            if (json.ValueTextEquals("delta"u8))
                ReadDelta(ref json, data, ref content, ref reasoning);
            else if (json.ValueTextEquals("finish_reason"u8))
                word = json.TextOf("finish_reason");
            else if (json.ValueTextEquals("index"u8))
                index = json.CountOf("index");
            else if (json.ValueTextEquals("logprobs"u8) && _wantsTokens)
                tokens = ReadLogProbs(ref json);
            else if (json.ValueTextEquals("stop_reason"u8) || json.ValueTextEquals("matched_stop"u8))
                stop = ReadStop(ref json);
            else
                json.SkipValue();
        }

        if (index is > 0)
            throw new UpstreamFaultException("it gives more answers than one");
        if (reasoning is not null)
            Think(reasoning, events);
        if (content is not null)
            Say(content, tokens, events);
        foreach ((int? at, string? id, string? name, string? arguments) in _pieces)
            Call(at, id, name, arguments, events);
        StopAt(stop);
        if (string.IsNullOrEmpty(word))
            return;
        FinishReason meaning = Meaning(word);
        if (meaning == FinishReason.BackendFault)
            _failed = true;
        else
            End(meaning, events);
    }

    private void ReadDelta(ref Utf8JsonReader json, ReadOnlySpan<byte> data, ref string? content, ref string? reasoning)
    {
        if (!json.EnterObject("delta"))
            return;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("content"u8))
                content += ReadContent(ref json);
            else if (json.ValueTextEquals("reasoning_content"u8) || json.ValueTextEquals("reasoning"u8))
                reasoning = json.PieceOf("reasoning_content") is { Length: > 0 } said ? said : reasoning; // services that have both say the same in both
            else if (json.ValueTextEquals("refusal"u8))
                content += json.PieceOf("refusal");
            else if (json.ValueTextEquals("tool_calls"u8))
                ReadCalls(ref json, data);
            else
                json.SkipValue();
        }
    }

    /// <summary>A string, or a list of parts of which those of text count.</summary>
    private static string? ReadContent(ref Utf8JsonReader json)
    {
        JsonTokens.Read(ref json);
        switch (json.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                return TextPieces.Read(ref json);
            case JsonTokenType.StartArray:
                string text = "";
                while (json.NextObject("content"))
                {
                    while (json.NextMember())
                    {
                        if (json.ValueTextEquals("text"u8))
                            text += json.PieceOf("text");
                        else
                            json.SkipValue();
                    }
                }

                return text;
            default:
                throw JsonTokens.Wrong("content", "a string");
        }
    }

    private void ReadCalls(ref Utf8JsonReader json, ReadOnlySpan<byte> data)
    {
        if (!json.EnterArray("tool_calls"))
            return;
        while (json.NextObject("tool_calls"))
        {
            int? index = null;
            string? id = null, name = null, arguments = null;
            while (json.NextMember())
            {
                if (json.ValueTextEquals("index"u8))
                    index = json.CountOf("tool_calls.index");
                else if (json.ValueTextEquals("id"u8))
                    id = json.TextOf("tool_calls.id");
                else if (json.ValueTextEquals("function"u8))
                    ReadFunction(ref json, data, ref name, ref arguments);
                else
                    json.SkipValue();
            }

            _pieces.Add((index, id, name, arguments));
        }
    }

    private static void ReadFunction(ref Utf8JsonReader json, ReadOnlySpan<byte> data, ref string? name, ref string? arguments)
    {
        if (!json.EnterObject("function"))
            return;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("name"u8))
                name = json.TextOf("function.name");
            else if (json.ValueTextEquals("arguments"u8))
                arguments = ReadArguments(ref json, data);
            else
                json.SkipValue();
        }
    }

    /// <summary>A string; some services send the object itself.</summary>
    private static string? ReadArguments(ref Utf8JsonReader json, ReadOnlySpan<byte> data)
    {
        JsonTokens.Read(ref json);
        switch (json.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.String:
                return TextPieces.Read(ref json);
            case JsonTokenType.StartObject:
                int start = (int)json.TokenStartIndex;
                json.Skip();
                return Encoding.UTF8.GetString(data[start..(int)json.BytesConsumed]);
            default:
                throw JsonTokens.Wrong("function.arguments", "a string");
        }
    }

    /// <summary>A stop text, the number of a stop token, or nothing.</summary>
    private static string? ReadStop(ref Utf8JsonReader json)
    {
        json.SkipValue();
        return json.TokenType == JsonTokenType.String ? json.GetString() : null;
    }

    private static List<SaidToken>? ReadLogProbs(ref Utf8JsonReader json)
    {
        if (!json.EnterObject("logprobs"))
            return null;
        List<SaidToken>? tokens = null;
        while (json.NextMember())
        {
            if (!json.ValueTextEquals("content"u8))
            {
                json.SkipValue();
                continue;
            }

            if (!json.EnterArray("logprobs.content"))
                continue;
            tokens ??= [];
            while (json.NextObject("logprobs.content"))
            {
                List<TokenChance> top = [];
                TokenChance said = ReadChance(ref json, top);
                tokens.Add(new SaidToken(said.Bytes, said.LogProb, top));
            }
        }

        return tokens;
    }

    /// <summary>A token: its text, its probability, its bytes where it is a part of a character.</summary>
    private static TokenChance ReadChance(ref Utf8JsonReader json, List<TokenChance>? top)
    {
        string text = "";
        byte[]? bytes = null;
        float probability = 0;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("token"u8))
            {
                text = json.TextOf("token") ?? "";
            }
            else if (json.ValueTextEquals("logprob"u8))
            {
                JsonTokens.Read(ref json);
                if (json.TokenType != JsonTokenType.Number || !json.TryGetSingle(out probability) || !float.IsFinite(probability))
                    throw JsonTokens.Wrong("logprob", "a number");
            }
            else if (json.ValueTextEquals("bytes"u8))
            {
                bytes = ReadBytes(ref json);
            }
            else if (json.ValueTextEquals("top_logprobs"u8) && top is not null)
            {
                if (!json.EnterArray("top_logprobs"))
                    continue;
                while (json.NextObject("top_logprobs"))
                    top.Add(ReadChance(ref json, null));
            }
            else
            {
                json.SkipValue();
            }
        }

        return new TokenChance(bytes ?? Encoding.UTF8.GetBytes(text), probability);
    }

    private static byte[]? ReadBytes(ref Utf8JsonReader json)
    {
        if (!json.EnterArray("bytes"))
            return null;
        List<byte> bytes = [];
        while (JsonTokens.Read(ref json) && json.TokenType != JsonTokenType.EndArray)
            bytes.Add(json.TokenType == JsonTokenType.Number && json.TryGetByte(out byte one) ? one : throw JsonTokens.Wrong("bytes", "a list of bytes"));
        return [.. bytes];
    }

    private void ReadUsage(ref Utf8JsonReader json)
    {
        if (!json.EnterObject("usage"))
            return;
        while (json.NextMember())
        {
            if (json.ValueTextEquals("prompt_tokens"u8))
                Tally.Prompt = json.CostOf("prompt_tokens") ?? Tally.Prompt;
            else if (json.ValueTextEquals("completion_tokens"u8))
                Tally.Completion = json.CostOf("completion_tokens") ?? Tally.Completion;
            else if (json.ValueTextEquals("prompt_cache_hit_tokens"u8))
                Tally.Cached = json.CostOf("prompt_cache_hit_tokens") ?? Tally.Cached;
            else if (json.ValueTextEquals("prompt_tokens_details"u8))
                ReadDetail(ref json, "cached_tokens", ref Tally.Cached);
            else if (json.ValueTextEquals("completion_tokens_details"u8))
                ReadDetail(ref json, "reasoning_tokens", ref Tally.Reasoning);
            else
                json.SkipValue();
        }
    }

    private static void ReadDetail(ref Utf8JsonReader json, string name, ref int? count)
    {
        if (!json.EnterObject("usage"))
            return;
        while (json.NextMember())
        {
            if (json.ValueTextEquals(name))
                count = json.CostOf(name) ?? count;
            else
                json.SkipValue();
        }
    }
}
