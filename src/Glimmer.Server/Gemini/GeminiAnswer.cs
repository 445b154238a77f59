using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Gemini;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Gemini;

/// <summary>How one answer is to be said.</summary>
/// <param name="Thinks">Whether the model thinks.</param>
/// <param name="ShowsThoughts">Whether the reasoning goes out as parts; its signature does in any case.</param>
/// <param name="Choices">Candidates asked for.</param>
/// <param name="Events">Whether a stream is one of events; else it is a JSON array.</param>
internal sealed record GeminiForm(bool Thinks, bool ShowsThoughts, int Choices, bool Events);

/// <summary>An answer as the Gemini API says it.</summary>
internal sealed class GeminiAnswer(string requestId, string model, GeminiForm form) : IAnswerDialect
{
    /// <summary>Least logarithm that is written: JSON knows no infinity.</summary>
    private const float LeastLogProb = -9999;

    /// <inheritdoc/>
    public string StreamType => form.Events ? "text/event-stream" : "application/json";

    /// <summary>The signature needs the reasoning also where it is not shown.</summary>
    public bool ShowsReasoning => form.Thinks;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => finish switch
    {
        // Calls have no word of their own there.
        FinishReason.Stop or FinishReason.ToolCalls => "STOP",
        FinishReason.Length or FinishReason.ContextWindow => "MAX_TOKENS",
        FinishReason.Sensitive => "SAFETY",
        _ => "OTHER",
    };

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new GeminiStream(output, this, form, requestId);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end) => WriteWhole(output, [message], end);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<MessageBuilder> messages, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteStartArray("candidates"u8);
        for (int choice = 0; choice < messages.Count; choice++)
            WriteCandidate(json, messages[choice], choice, end.FinishOf(choice));
        json.WriteEndArray();
        WriteUsage(json, end.Usage);
        WriteTail(json);
        json.WriteEndObject();
    }

    private void WriteCandidate(Utf8JsonWriter json, MessageBuilder message, int choice, FinishReason finish)
    {
        BeginCandidate(json);
        string? signature = message.Reasoning is { } reasoning ? GeminiThought.Sign(reasoning) : null;
        if (form.ShowsThoughts && message.Reasoning is { } thought)
            WriteText(json, thought, isThought: true, null);
        IReadOnlyList<SaidCall> calls = message.Calls;

        // The signature stands with the first call, or else with the text.
        if (message.Content is { } content)
            WriteText(json, content, isThought: false, calls.Count == 0 ? signature : null);
        else if (calls.Count == 0)
            WriteText(json, "", isThought: false, signature);
        for (int i = 0; i < calls.Count; i++)
            WriteCall(json, calls[i].Name, calls[i].Arguments, i == 0 ? signature : null);
        EndCandidate(json, choice, WordOf(finish), message.Tokens, isEnd: true);
    }

    /// <summary>Begins a candidate up to its parts.</summary>
    public static void BeginCandidate(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteStartObject("content"u8);
        json.WriteStartArray("parts"u8);
    }

    /// <summary>Writes a part with text.</summary>
    public static void WriteText(Utf8JsonWriter json, string text, bool isThought, string? signature)
    {
        json.WriteStartObject();
        json.WriteString("text"u8, text);
        if (isThought)
            json.WriteBoolean("thought"u8, true);
        if (signature is not null)
            json.WriteString("thoughtSignature"u8, signature);
        json.WriteEndObject();
    }

    /// <summary>Writes a part with a call.</summary>
    public static void WriteCall(Utf8JsonWriter json, string name, string arguments, string? signature)
    {
        json.WriteStartObject();
        json.WriteStartObject("functionCall"u8);
        json.WriteString("id"u8, RequestIds.NewCallId());
        json.WriteString("name"u8, name);
        json.WritePropertyName("args"u8);
        json.WriteRawValue(arguments, skipInputValidation: false);
        json.WriteEndObject();
        if (signature is not null)
            json.WriteString("thoughtSignature"u8, signature);
        json.WriteEndObject();
    }

    /// <summary>Ends a candidate.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="choice">Its number.</param>
    /// <param name="word">Why it ended; null while it has not.</param>
    /// <param name="tokens">Tokens with their probabilities; null for none.</param>
    /// <param name="isEnd">Whether the tokens are all of the answer's, whose mean is told.</param>
    public static void EndCandidate(Utf8JsonWriter json, int choice, string? word, IReadOnlyList<SaidToken>? tokens, bool isEnd)
    {
        json.WriteEndArray();
        json.WriteString("role"u8, "model"u8);
        json.WriteEndObject();
        if (word is not null)
            json.WriteString("finishReason"u8, word);
        json.WriteNumber("index"u8, choice);
        if (tokens is { Count: > 0 })
        {
            if (isEnd)
                json.WriteNumber("avgLogprobs"u8, tokens.Average(token => Math.Max(token.LogProb, LeastLogProb)));
            WriteLogProbs(json, tokens);
        }

        json.WriteEndObject();
    }

    /// <summary>Writes <c>usageMetadata</c>. In this dialect candidates do not count thoughts, and cached tokens are part of the prompt's.</summary>
    public static void WriteUsage(Utf8JsonWriter json, in ChatUsage usage)
    {
        json.WriteStartObject("usageMetadata"u8);
        json.WriteNumber("promptTokenCount"u8, usage.PromptTokens);
        json.WriteNumber("candidatesTokenCount"u8, usage.CompletionTokens - usage.ReasoningTokens);
        json.WriteNumber("totalTokenCount"u8, usage.PromptTokens + usage.CompletionTokens);
        if (usage.CachedTokens > 0)
            json.WriteNumber("cachedContentTokenCount"u8, usage.CachedTokens);
        WriteDetails(json, "promptTokensDetails"u8, usage.PromptTokens);
        if (usage.ReasoningTokens > 0)
            json.WriteNumber("thoughtsTokenCount"u8, usage.ReasoningTokens);
        json.WriteEndObject();
    }

    /// <summary>Writes counts by modality: pictures are counted with the text.</summary>
    public static void WriteDetails(Utf8JsonWriter json, ReadOnlySpan<byte> name, int tokens)
    {
        json.WriteStartArray(name);
        json.WriteStartObject();
        json.WriteString("modality"u8, "TEXT"u8);
        json.WriteNumber("tokenCount"u8, tokens);
        json.WriteEndObject();
        json.WriteEndArray();
    }

    /// <summary>Writes the members that every piece of an answer has.</summary>
    public void WriteTail(Utf8JsonWriter json)
    {
        json.WriteString("modelVersion"u8, model);
        json.WriteString("responseId"u8, requestId);
    }

    private static void WriteLogProbs(Utf8JsonWriter json, IReadOnlyList<SaidToken> tokens)
    {
        json.WriteStartObject("logprobsResult"u8);
        json.WriteStartArray("topCandidates"u8);
        foreach (SaidToken token in tokens)
        {
            json.WriteStartObject();
            json.WriteStartArray("candidates"u8);
            foreach (TokenChance chance in token.Top)
                WriteLogProb(json, chance.Bytes.Span, chance.LogProb);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("chosenCandidates"u8);
        foreach (SaidToken token in tokens)
            WriteLogProb(json, token.Bytes.Span, token.LogProb);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteLogProb(Utf8JsonWriter json, ReadOnlySpan<byte> bytes, float logProb)
    {
        json.WriteStartObject();
        json.WriteString("token"u8, Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logProbability"u8, Math.Max(logProb, LeastLogProb));
        json.WriteEndObject();
    }
}
