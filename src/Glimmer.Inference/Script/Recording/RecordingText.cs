using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>Writes recordings as items of a scenario's list <c>recordings</c>.</summary>
internal static class RecordingText
{
    /// <summary>Words of the kinds of events in files.</summary>
    public static readonly (string Word, ChatEventKind Kind)[] Kinds =
    [
        ("reasoning", ChatEventKind.Reasoning), ("content", ChatEventKind.Content), ("call", ChatEventKind.ToolCallStart), ("arguments", ChatEventKind.ToolCallArguments),
        ("call_end", ChatEventKind.ToolCallEnd), ("call_abandoned", ChatEventKind.ToolCallAbandoned), ("reasoning_was_answer", ChatEventKind.ReasoningWasAnswer),
    ];

    /// <summary>Words of the ends in files.</summary>
    public static readonly (string Word, FinishReason Finish)[] Ends =
    [
        ("stop", FinishReason.Stop), ("length", FinishReason.Length), ("tool_calls", FinishReason.ToolCalls), ("context_window", FinishReason.ContextWindow),
        ("sensitive", FinishReason.Sensitive), ("fault", FinishReason.BackendFault), ("cancelled", FinishReason.Cancelled),
    ];

    /// <summary>Words of the faults in files.</summary>
    public static readonly (string Word, StartFault Fault)[] Faults = [("request", StartFault.Request), ("busy", StartFault.Busy), ("backend", StartFault.Backend)];

    /// <summary>The item of a recording, indented by two.</summary>
    public static string Write(Recording recording)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"  - fingerprint: {recording.Fingerprint}\n");
        text.Append(CultureInfo.InvariantCulture, $"    summary: {Quote(recording.Summary)}\n");
        if (recording.Embedding is { } embedding)
            text.Append(CultureInfo.InvariantCulture, $"    embedding: {Write(embedding)}\n");
        if (recording.Refused is { } refused)
        {
            text.Append(CultureInfo.InvariantCulture, $"    refused: {Write(refused)}\n");
            text.Append(CultureInfo.InvariantCulture, $"    fault: {Array.Find(Faults, pair => pair.Fault == recording.Fault).Word}\n");
            return text.ToString();
        }

        if (recording.Embedding is not null)
            return text.ToString();
        text.Append(CultureInfo.InvariantCulture, $"    finish: {Array.Find(Ends, pair => pair.Finish == recording.Finish).Word}\n");
        ChatUsage usage = recording.Usage;
        text.Append(CultureInfo.InvariantCulture, $"    usage: {{ prompt: {usage.PromptTokens}, cached: {usage.CachedTokens}, completion: {usage.CompletionTokens}, reasoning: {usage.ReasoningTokens} }}\n");
        if (recording.StopText is { } stop)
            text.Append(CultureInfo.InvariantCulture, $"    stop_text: {Quote(stop)}\n");
        if (recording.Error is { } error)
            text.Append(CultureInfo.InvariantCulture, $"    error: {Write(error)}\n");
        text.Append(recording.Events.Count > 0 ? "    events:\n" : "    events: []\n");
        foreach ((ChatEvent said, int milliseconds) in recording.Events)
        {
            text.Append(CultureInfo.InvariantCulture, $"      - {{ {Array.Find(Kinds, pair => pair.Kind == said.Kind).Word}: {Quote(said.Text)}, at: {milliseconds}");
            if (said.ToolIndex >= 0)
                text.Append(CultureInfo.InvariantCulture, $", index: {said.ToolIndex}");
            if (said.Tokens is { } tokens)
                text.Append(CultureInfo.InvariantCulture, $", tokens: [{string.Join(", ", tokens.Select(Write))}]");
            text.Append(" }\n");
        }

        return text.ToString();
    }

    /// <summary>A text between double quotes, as YAML reads it back: control signs and what YAML does not print are escaped, lone surrogates become U+FFFD.</summary>
    public static string Quote(string text)
    {
        StringBuilder quoted = new(text.Length + 2);
        quoted.Append('"');
        foreach (Rune rune in text.EnumerateRunes())
        {
            switch (rune.Value)
            {
                case '"':
                    quoted.Append("\\\"");
                    break;
                case '\\':
                    quoted.Append("\\\\");
                    break;
                case '\n':
                    quoted.Append("\\n");
                    break;
                case '\t':
                    quoted.Append("\\t");
                    break;
                case < 0x20 or (>= 0x7F and <= 0x9F) or 0xA0 or 0xFEFF or 0x2028 or 0x2029 or 0xFFFE or 0xFFFF:
                    quoted.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:X4}");
                    break;
                case > 0xFFFF:
                    quoted.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:X8}");
                    break;
                default:
                    quoted.Append(rune.ToString());
                    break;
            }
        }

        return quoted.Append('"').ToString();
    }

    /// <summary>The vectors: a list of base64 of their numbers as IEEE 754, four bytes each, the lowest first. Every bit comes back.</summary>
    private static string Write(RecordedVectors embedding) => embedding.Vectors.Count == 0
        ? $"{{ model: {Quote(embedding.Model)} }}"
        : string.Create(CultureInfo.InvariantCulture, $"{{ model: {Quote(embedding.Model)}, tokens: {embedding.Tokens}, vectors: [{string.Join(", ", embedding.Vectors.Select(static vector => Quote(Base64(vector))))}] }}");

    private static string Base64(float[] vector)
    {
        byte[] bytes = new byte[vector.Length * sizeof(float)];
        for (int i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), vector[i]);
        return Convert.ToBase64String(bytes);
    }

    private static string Write(PlatformError error)
    {
        StringBuilder text = new();
        text.Append(CultureInfo.InvariantCulture, $"{{ code: {(int)error.Code}, message: {Quote(error.Message)}");
        if (error.StatusIsFinal || error.Status != error.Code.HttpStatus())
            text.Append(CultureInfo.InvariantCulture, $", status: {error.Status}");
        if (error.StatusIsFinal)
            text.Append(", status_is_final: true");
        if (error.Chinese is { } chinese)
            text.Append(CultureInfo.InvariantCulture, $", chinese: {Quote(chinese)}");
        if (error.Field is { } field)
            text.Append(CultureInfo.InvariantCulture, $", field: {Quote(field)}");
        if (error.RetryAfter is { } wait)
            text.Append(CultureInfo.InvariantCulture, $", retry_after: {wait.TotalSeconds:R}");
        return text.Append(" }").ToString();
    }

    private static string Write(SaidToken token) =>
        $"[{Quote(Convert.ToBase64String(token.Bytes.Span))}, {Number(token.LogProb)}, [{string.Join(", ", token.Top.Select(top => $"[{Quote(Convert.ToBase64String(top.Bytes.Span))}, {Number(top.LogProb)}]"))}]]";

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
