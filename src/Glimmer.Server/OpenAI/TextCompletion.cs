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
/// <param name="form">How the client wants it.</param>
internal sealed class TextCompletion(string requestId, OpenAIHead head, TextCompletionForm form) : IAnswerDialect
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
        int choice = 0;
        foreach (int made in Best(messages))
        {
            string echo = form.EchoOf(made);
            MessageBuilder message = messages[made];
            WriteChoice(json, choice++, echo + message.Content, form.TellsProbabilities ? message.Tokens : null, echo.Length, WordOf(end.FinishOf(made)));
        }

        json.WriteEndArray();
        OpenAIHead.WriteUsage(json, end.Usage);
        json.WriteEndObject();
    }

    /// <summary>
    /// The answers to give: of each prompt's the most likely by the mean over their tokens, in that order, where more were made than are given. A backend that
    /// tells no probabilities ranks none: its first are given.
    /// </summary>
    private IEnumerable<int> Best(IReadOnlyList<MessageBuilder> messages)
    {
        IEnumerable<int> all = Enumerable.Range(0, messages.Count);
        return form.Made == form.Given
            ? all
            : all.GroupBy(made => made / form.Made).SelectMany(prompt => prompt.OrderByDescending(made => Likelihood(messages[made].Tokens)).ThenBy(static made => made).Take(form.Given));
    }

    private static double Likelihood(IReadOnlyList<SaidToken>? tokens) => tokens is { Count: > 0 } ? tokens.Average(static token => (double)token.LogProb) : double.NegativeInfinity;

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
        private readonly int[] _offsets = new int[owner.Form.Echoes.Count * owner.Form.Made];

        public void Ping() => output.WritePing();

        public void Begin(in ChatUsage usage)
        {
            for (int choice = 0; choice < _offsets.Length; choice++)
            {
                if (owner.Form.EchoOf(choice).Length > 0)
                    Write(choice, owner.Form.EchoOf(choice), null, null);
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
            if (owner.Form.IncludesUsage)
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
            if (owner.Form.IncludesUsage)
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

    private TextCompletionForm Form => form;
}

/// <summary>How a client wants its texts.</summary>
/// <param name="Echoes">What stands before the answers of each prompt, empty for nothing.</param>
/// <param name="Given">Answers that are given of each prompt.</param>
/// <param name="Made">Answers that are made of each prompt.</param>
/// <param name="TellsProbabilities">Whether the tokens' probabilities are told.</param>
/// <param name="IncludesUsage">Whether a stream ends with a chunk of usage.</param>
internal sealed record TextCompletionForm(IReadOnlyList<string> Echoes, int Given, int Made, bool TellsProbabilities, bool IncludesUsage)
{
    /// <summary>What stands before an answer.</summary>
    /// <param name="made">Its place among all that are made.</param>
    public string EchoOf(int made) => Echoes[made / Made];
}
