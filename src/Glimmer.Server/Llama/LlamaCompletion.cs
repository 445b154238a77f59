using System.Buffers;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Llama;

/// <summary>An answer as llama.cpp's <c>/completion</c> says it. Its streams end with the object whose <c>stop</c> is true; there is no <c>[DONE]</c>.</summary>
/// <param name="record">The request's times.</param>
/// <param name="time">Clock of the times.</param>
/// <param name="model">Code of the catalogue.</param>
/// <param name="prompt">The prompt, which is told at the end.</param>
/// <param name="isSilent">Whether nothing is to be said: the one token that a model cannot but make is left out.</param>
internal sealed class LlamaCompletion(RequestRecord record, TimeProvider time, string model, string prompt, bool isSilent) : IAnswerDialect
{
    /// <inheritdoc/>
    public bool ShowsReasoning => false;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => finish is FinishReason.Length or FinishReason.ContextWindow ? "limit" : "eos";

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new Pieces(output, this);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        WriteEnd(json, isSilent ? "" : message.Content ?? "", isSilent ? null : message.Tokens, end);
    }

    private void WriteEnd(Utf8JsonWriter json, string text, IReadOnlyList<SaidToken>? tokens, in AnswerEnd end)
    {
        ChatUsage usage = isSilent ? end.Usage with { CompletionTokens = 0 } : end.Usage;
        json.WriteStartObject();
        WriteText(json, text, tokens, isEnd: true, usage);
        json.WriteString("model"u8, model);
        json.WriteString("prompt"u8, prompt);
        json.WriteBoolean("truncated"u8, false);
        json.WriteString("stop_type"u8, isSilent ? "limit" : end.StopText is null ? WordOf(end.Finish) : "word");
        json.WriteString("stopping_word"u8, isSilent ? "" : end.StopText ?? "");
        json.WriteNumber("tokens_cached"u8, usage.CachedTokens);
        WriteTimings(json, usage);
        json.WriteEndObject();
    }

    private static void WriteText(Utf8JsonWriter json, string text, IReadOnlyList<SaidToken>? tokens, bool isEnd, in ChatUsage usage)
    {
        json.WriteNumber("index"u8, 0);
        json.WriteString("content"u8, text);
        json.WriteStartArray("tokens"u8);
        json.WriteEndArray();
        json.WriteNumber("id_slot"u8, 0);
        json.WriteBoolean("stop"u8, isEnd);
        json.WriteNumber("tokens_predicted"u8, usage.CompletionTokens);
        json.WriteNumber("tokens_evaluated"u8, usage.PromptTokens);
        if (tokens is null)
            return;
        json.WritePropertyName("completion_probabilities"u8);
        LogProbs.WriteList(json, tokens);
    }

    private void WriteTimings(Utf8JsonWriter json, in ChatUsage usage)
    {
        long first = record.FirstEvent == 0 ? time.GetTimestamp() : record.FirstEvent;
        int read = usage.PromptTokens - usage.CachedTokens;
        json.WriteStartObject("timings"u8);
        Write("prompt", read, time.GetElapsedTime(record.Started, first));
        Write("predicted", usage.CompletionTokens, time.GetElapsedTime(first));
        json.WriteEndObject();

        void Write(string what, int tokens, TimeSpan elapsed)
        {
            double milliseconds = Math.Max(elapsed.TotalMilliseconds, 0.001);
            json.WriteNumber($"{what}_n", tokens);
            json.WriteNumber($"{what}_ms", Math.Round(milliseconds, 3));
            json.WriteNumber($"{what}_per_token_ms", tokens == 0 ? 0 : Math.Round(milliseconds / tokens, 3));
            json.WriteNumber($"{what}_per_second", Math.Round(tokens / milliseconds * 1000, 3));
        }
    }

    private sealed class Pieces(SseWriter output, LlamaCompletion owner) : IStreamedAnswer
    {
        private ChatUsage _usage;

        public void Ping() => output.WritePing();

        public void Begin(in ChatUsage usage) => _usage = usage;

        public void Write(in ChatEvent said)
        {
            if (owner.IsSilent || said.Kind != ChatEventKind.Content || said.Text.Length == 0)
                return;
            Utf8JsonWriter json = output.BeginEvent();
            json.WriteStartObject();
            WriteText(json, said.Text, said.Tokens, isEnd: false, _usage);
            json.WriteEndObject();
            output.EndEvent();
        }

        public void End(AnswerEnd end)
        {
            Utf8JsonWriter json = output.BeginEvent();
            if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
                DialectErrorWriter.Write(json, WireDialect.OpenAI, end.ErrorFor(owner.RequestId), MessageLanguage.English, owner.RequestId);
            else
                owner.WriteEnd(json, "", null, end);
            output.EndEvent();
        }
    }

    private string RequestId => record.Id;

    private bool IsSilent => isSilent;
}
