using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;

namespace Glimmer.Server.OpenAI;

/// <summary>Writes the probabilities of tokens. A token that is part of a character shows U+FFFD; its bytes are exact.</summary>
internal static class LogProbs
{
    /// <summary>Least logarithm that is written: JSON knows no infinity.</summary>
    private const float Least = -9999;

    /// <summary>Writes <c>{"content":[…],"refusal":null}</c>, or null when there are none.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyList<SaidToken>? tokens)
    {
        if (tokens is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WritePropertyName("content"u8);
        WriteList(json, tokens);
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
    }

    /// <summary>Writes the list alone.</summary>
    public static void WriteList(Utf8JsonWriter json, IReadOnlyList<SaidToken> tokens)
    {
        json.WriteStartArray();
        foreach (SaidToken token in tokens)
        {
            json.WriteStartObject();
            WriteOne(json, token.Bytes.Span, token.LogProb);
            json.WriteStartArray("top_logprobs"u8);
            foreach (TokenChance chance in token.Top)
            {
                json.WriteStartObject();
                WriteOne(json, chance.Bytes.Span, chance.LogProb);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    /// <summary>Reads what <see cref="WriteList"/> wrote.</summary>
    public static IReadOnlyList<SaidToken> ReadList(JsonElement list) => [.. list.EnumerateArray().Select(static token => new SaidToken(
        BytesOf(token), token.GetProperty("logprob").GetSingle(),
        [.. token.GetProperty("top_logprobs").EnumerateArray().Select(static chance => new TokenChance(BytesOf(chance), chance.GetProperty("logprob").GetSingle()))]))];

    /// <summary>Writes the form of the older completions: parallel lists.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="tokens">The tokens; null writes null.</param>
    /// <param name="offset">Where the first one begins in the text.</param>
    public static void WriteLists(Utf8JsonWriter json, IReadOnlyList<SaidToken>? tokens, int offset)
    {
        if (tokens is null)
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteStartArray("tokens"u8);
        foreach (SaidToken token in tokens)
            json.WriteStringValue(Encoding.UTF8.GetString(token.Bytes.Span));
        json.WriteEndArray();
        json.WriteStartArray("token_logprobs"u8);
        foreach (SaidToken token in tokens)
            json.WriteNumberValue(Math.Max(token.LogProb, Least));
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs"u8);
        foreach (SaidToken token in tokens)
        {
            json.WriteStartObject();
            var known = new HashSet<string>(StringComparer.Ordinal);
            foreach (TokenChance chance in token.Top)
            {
                string text = Encoding.UTF8.GetString(chance.Bytes.Span);
                if (known.Add(text))
                    json.WriteNumber(text, Math.Max(chance.LogProb, Least));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("text_offset"u8);
        foreach (SaidToken token in tokens)
        {
            json.WriteNumberValue(offset);
            offset += Encoding.UTF8.GetCharCount(token.Bytes.Span);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static byte[] BytesOf(JsonElement token) => [.. token.GetProperty("bytes").EnumerateArray().Select(static one => one.GetByte())];

    private static void WriteOne(Utf8JsonWriter json, ReadOnlySpan<byte> bytes, float logProb)
    {
        json.WriteString("token"u8, Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logprob"u8, Math.Max(logProb, Least));
        json.WriteStartArray("bytes"u8);
        foreach (byte one in bytes)
            json.WriteNumberValue(one);
        json.WriteEndArray();
    }
}
