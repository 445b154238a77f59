using System.Buffers;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;

namespace Glimmer.Server.OpenAI;

/// <summary>An answer as OpenAI's older completions say it: texts, whole or in pieces.</summary>
/// <param name="requestId">Id of the request.</param>
/// <param name="head">What every object begins with.</param>
/// <param name="echoes">What stands before each answer, empty for nothing; as many as there are answers.</param>
/// <param name="includeUsage">Whether a stream ends with a chunk of usage.</param>
internal sealed class TextCompletion(string requestId, OpenAIHead head, IReadOnlyList<string> echoes, bool includeUsage) : IAnswerDialect
{
    /// <inheritdoc/>
    public bool ShowsReasoning => false;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => ChatFinishWords.Of(finish);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(SseWriter output) => new Pieces(output, this);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end) => WriteWhole(output, [message], end);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, IReadOnlyList<MessageBuilder> messages, AnswerEnd end)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        head.Write(json, "text_completion"u8);
        json.WriteStartArray("choices"u8);
        for (int choice = 0; choice < messages.Count; choice++)
            WriteChoice(json, choice, echoes[choice] + messages[choice].Content, messages[choice].Tokens, echoes[choice].Length, WordOf(end.FinishOf(choice)));
        json.WriteEndArray();
        OpenAIHead.WriteUsage(json, end.Usage);
        json.WriteEndObject();
    }

    private static void WriteChoice(Utf8JsonWriter json, int choice, string text, IReadOnlyList<SaidToken>? tokens, int offset, string? word)
    {
        json.WriteStartObject();
        json.WriteString("text"u8, text);
        json.WriteNumber("index"u8, choice);
        json.WritePropertyName("logprobs"u8);
        LogProbs.WriteLists(json, tokens, offset);
        json.WriteString("finish_reason"u8, word);
        json.WriteEndObject();
    }

    private sealed class Pieces(SseWriter output, TextCompletion owner) : IStreamedAnswer
    {
        private readonly int[] _offsets = new int[owner.Echoes.Count];

        public void Begin(in ChatUsage usage)
        {
            for (int choice = 0; choice < owner.Echoes.Count; choice++)
            {
                if (owner.Echoes[choice].Length > 0)
                    Write(choice, owner.Echoes[choice], null, null);
            }
        }

        public void Write(in ChatEvent said)
        {
            if (said.Kind == ChatEventKind.Content && said.Text.Length > 0)
                Write(said.Choice, said.Text, said.Tokens, null);
        }

        public void End(AnswerEnd end)
        {
            if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
            {
                PlatformError error = end.ErrorFor(owner.RequestId);
                DialectErrorWriter.Write(output.BeginEvent(), WireDialect.OpenAI, error, MessageLanguage.English, owner.RequestId);
                output.EndEvent();
                output.WriteDone();
                return;
            }

            for (int choice = 0; choice < _offsets.Length; choice++)
                Write(choice, "", null, owner.WordOf(end.FinishOf(choice)));
            if (owner.IncludesUsage)
            {
                Utf8JsonWriter json = Start();
                json.WriteStartArray("choices"u8);
                json.WriteEndArray();
                OpenAIHead.WriteUsage(json, end.Usage);
                json.WriteEndObject();
                output.EndEvent();
            }

            output.WriteDone();
        }

        private void Write(int choice, string text, IReadOnlyList<SaidToken>? tokens, string? word)
        {
            Utf8JsonWriter json = Start();
            json.WriteStartArray("choices"u8);
            WriteChoice(json, choice, text, tokens, _offsets[choice], word);
            _offsets[choice] += text.Length;
            json.WriteEndArray();
            if (owner.IncludesUsage)
                json.WriteNull("usage"u8);
            json.WriteEndObject();
            output.EndEvent();
        }

        private Utf8JsonWriter Start()
        {
            Utf8JsonWriter json = output.BeginEvent();
            json.WriteStartObject();
            owner.Head.Write(json, "text_completion"u8);
            return json;
        }
    }

    private OpenAIHead Head => head;

    private string RequestId => requestId;

    private IReadOnlyList<string> Echoes => echoes;

    private bool IncludesUsage => includeUsage;
}
