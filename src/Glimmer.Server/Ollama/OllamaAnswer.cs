using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Ollama;

/// <summary>An answer as Ollama's <c>/api/chat</c> says it, or its <c>/api/generate</c>, which has no messages and no calls.</summary>
/// <param name="record">The request's times.</param>
/// <param name="time">Clock of the times.</param>
/// <param name="model">The model's name as the client sent it.</param>
/// <param name="showsThinking">Whether the reasoning goes out.</param>
/// <param name="isChat">Whether it is <c>/api/chat</c>.</param>
internal sealed class OllamaAnswer(RequestRecord record, TimeProvider time, string model, bool showsThinking, bool isChat) : IAnswerDialect
{
    /// <inheritdoc/>
    public string StreamType => "application/x-ndjson";

    /// <inheritdoc/>
    public bool ShowsReasoning => showsThinking;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => finish switch
    {
        // Calls have no word of their own there.
        FinishReason.Stop or FinishReason.ToolCalls => "stop",
        FinishReason.Length or FinishReason.ContextWindow => "length",
        FinishReason.Sensitive => "content_filter",
        _ => "error",
    };

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new OllamaStream(output, this, record.Id);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        WriteHead(json);
        WriteSaid(json, message.Content ?? "", message.Reasoning, message.Calls, 0);
        WriteChances(json, message.Tokens);
        WriteEnd(json, end);
        json.WriteEndObject();
    }

    /// <summary>Writes the object that says that a model is there, for requests that ask nothing.</summary>
    public void WriteLoaded(IBufferWriter<byte> output, string reason)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        WriteHead(json);
        WriteSaid(json, "", null, [], 0);
        json.WriteString("done_reason"u8, reason);
        json.WriteBoolean("done"u8, true);
        json.WriteEndObject();
    }

    /// <summary>Writes the first members; the object stays open.</summary>
    public void WriteHead(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("model"u8, model);
        json.WriteString("created_at"u8, time.GetUtcNow().ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture));
    }

    /// <summary>Writes what was said.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="text">The answer, or a piece of it.</param>
    /// <param name="thinking">The reasoning; null for none.</param>
    /// <param name="calls">Calls that are complete.</param>
    /// <param name="firstCall">Number of the first of them in the answer.</param>
    public void WriteSaid(Utf8JsonWriter json, string text, string? thinking, IReadOnlyList<SaidCall> calls, int firstCall)
    {
        if (!isChat)
        {
            json.WriteString("response"u8, text);
            if (thinking is not null)
                json.WriteString("thinking"u8, thinking);
            return;
        }

        json.WriteStartObject("message"u8);
        json.WriteString("role"u8, "assistant"u8);
        json.WriteString("content"u8, text);
        if (thinking is not null)
            json.WriteString("thinking"u8, thinking);
        if (calls.Count > 0)
        {
            json.WriteStartArray("tool_calls"u8);
            for (int i = 0; i < calls.Count; i++)
            {
                json.WriteStartObject();
                json.WriteString("id"u8, RequestIds.NewCallId());
                json.WriteStartObject("function"u8);
                json.WriteNumber("index"u8, firstCall + i);
                json.WriteString("name"u8, calls[i].Name);
                json.WritePropertyName("arguments"u8);
                json.WriteRawValue(calls[i].Arguments, skipInputValidation: false);
                json.WriteEndObject();
                json.WriteEndObject();
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    /// <summary>Writes <c>logprobs</c>, where they were asked for and the backend tells them.</summary>
    public static void WriteChances(Utf8JsonWriter json, IReadOnlyList<SaidToken>? tokens)
    {
        if (tokens is null)
            return;
        json.WritePropertyName("logprobs"u8);
        LogProbs.WriteList(json, tokens);
    }

    /// <summary>Writes the last members: why it ended, times in nanoseconds, counts of tokens.</summary>
    public void WriteEnd(Utf8JsonWriter json, in AnswerEnd end)
    {
        long first = record.FirstEvent == 0 ? time.GetTimestamp() : record.FirstEvent;
        json.WriteString("done_reason"u8, WordOf(end.Finish));
        json.WriteBoolean("done"u8, true);
        json.WriteNumber("total_duration"u8, Nanoseconds(time.GetElapsedTime(record.Started)));
        json.WriteNumber("load_duration"u8, 0);
        json.WriteNumber("prompt_eval_count"u8, end.Usage.PromptTokens);
        json.WriteNumber("prompt_eval_duration"u8, Nanoseconds(time.GetElapsedTime(record.Started, first)));
        json.WriteNumber("eval_count"u8, end.Usage.CompletionTokens);
        json.WriteNumber("eval_duration"u8, Nanoseconds(time.GetElapsedTime(first)));
    }

    private static long Nanoseconds(TimeSpan span) => Math.Max(1, span.Ticks) * 100;

    /// <summary>The lines of a stream. A call is one line, when it is complete.</summary>
    private sealed class OllamaStream(SseWriter output, OllamaAnswer answer, string requestId) : IStreamedAnswer
    {
        private readonly Dictionary<int, (string Name, StringBuilder Arguments)> _open = [];
        private int _calls;

        /// <inheritdoc/>
        public void Begin(in Inference.ChatUsage usage)
        {
            // The first line is the first event's.
        }

        /// <inheritdoc/>
        public void Write(in ChatEvent said)
        {
            switch (said.Kind)
            {
                case ChatEventKind.Reasoning when answer.ShowsReasoning && said.Text.Length > 0:
                    WriteLine("", said.Text, []);
                    break;
                case ChatEventKind.Content when said.Text.Length > 0:
                    WriteLine(said.Text, null, [], said.Tokens);
                    break;
                case ChatEventKind.ToolCallStart:
                    _open[said.ToolIndex] = (said.Text, new StringBuilder());
                    break;
                case ChatEventKind.ToolCallArguments:
                    _open[said.ToolIndex].Arguments.Append(said.Text);
                    break;
                case ChatEventKind.ToolCallEnd when _open.Remove(said.ToolIndex, out (string Name, StringBuilder Arguments) call):
                    WriteLine("", null, [new SaidCall(call.Name, call.Arguments.ToString())]);
                    _calls++;
                    break;
                case ChatEventKind.ToolCallAbandoned:
                    _open.Remove(said.ToolIndex); // its text follows as content
                    break;
                default:
                    break; // reasoning that is not shown, or that comes again as the answer
            }
        }

        /// <inheritdoc/>
        public void End(AnswerEnd end)
        {
            Utf8JsonWriter json = output.BeginLine();
            if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
            {
                PlatformError error = end.ErrorFor(requestId);
                DialectErrorWriter.Write(json, WireDialect.Ollama, error, MessageLanguage.English, requestId);
            }
            else
            {
                answer.WriteHead(json);
                answer.WriteSaid(json, "", null, [], 0);
                answer.WriteEnd(json, end);
                json.WriteEndObject();
            }

            output.EndLine();
        }

        private void WriteLine(string text, string? thinking, IReadOnlyList<SaidCall> calls, IReadOnlyList<SaidToken>? tokens = null)
        {
            Utf8JsonWriter json = output.BeginLine();
            answer.WriteHead(json);
            answer.WriteSaid(json, text, thinking, calls, _calls);
            WriteChances(json, tokens);
            json.WriteBoolean("done"u8, false);
            json.WriteEndObject();
            output.EndLine();
        }
    }
}
