using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Gemini;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Gemini;

/// <summary>
/// Writes an answer as the Gemini API streams it: pieces in the form of a whole answer, a call in one piece when it is complete, then the reasons and the
/// counts. Events or elements of one array; a fault in the middle is a piece with <c>error</c>, which clients raise.
/// </summary>
internal sealed class GeminiStream(SseWriter output, GeminiAnswer answer, GeminiForm form, string requestId) : IStreamedAnswer
{
    private readonly Dictionary<(int Choice, int Call), (string Name, StringBuilder Arguments)> _open = [];
    private readonly StringBuilder?[] _thoughts = new StringBuilder?[form.Choices];
    private bool _begun;

    /// <inheritdoc/>
    public void Begin(in ChatUsage usage)
    {
        // The first piece is the first event's.
    }

    /// <summary>White space alone: some of these clients take a comment for a broken piece.</summary>
    public void Ping() => output.WriteBlank();

    /// <inheritdoc/>
    public void Write(in ChatEvent said)
    {
        switch (said.Kind)
        {
            case ChatEventKind.Reasoning when form.Thinks && said.Text.Length > 0:
                (_thoughts[said.Choice] ??= new StringBuilder()).Append(said.Text);
                if (form.ShowsThoughts)
                    WriteText(said.Choice, said.Text, isThought: true, null);
                break;
            case ChatEventKind.ReasoningWasAnswer:
                _thoughts[said.Choice] = null;
                break;
            case ChatEventKind.Content when said.Text.Length > 0:
                WriteText(said.Choice, said.Text, isThought: false, said.Tokens);
                break;
            case ChatEventKind.ToolCallStart:
                _open[(said.Choice, said.ToolIndex)] = (said.Text, new StringBuilder());
                break;
            case ChatEventKind.ToolCallArguments:
                _open[(said.Choice, said.ToolIndex)].Arguments.Append(said.Text);
                break;
            case ChatEventKind.ToolCallEnd when _open.Remove((said.Choice, said.ToolIndex), out (string Name, StringBuilder Arguments) call):
                WriteCall(said.Choice, call.Name, call.Arguments.ToString());
                break;
            case ChatEventKind.ToolCallAbandoned:
                _open.Remove((said.Choice, said.ToolIndex)); // its text follows as content
                break;
            default:
                break; // reasoning of a model that was told not to think
        }
    }

    /// <inheritdoc/>
    public void End(AnswerEnd end)
    {
        if (end.Finish is FinishReason.BackendFault or FinishReason.Cancelled)
        {
            PlatformError error = end.ErrorFor(requestId);
            DialectErrorWriter.Write(BeginPiece(), WireDialect.Gemini, error, MessageLanguage.English, requestId);
            EndPiece();
        }
        else
        {
            Utf8JsonWriter json = BeginPiece();
            json.WriteStartObject();
            json.WriteStartArray("candidates"u8);
            for (int choice = 0; choice < form.Choices; choice++)
            {
                // Clients keep no candidate without a part.
                GeminiAnswer.BeginCandidate(json);
                GeminiAnswer.WriteText(json, "", isThought: false, TakeSignature(choice));
                GeminiAnswer.EndCandidate(json, choice, answer.WordOf(end.FinishOf(choice)), null, isEnd: false);
            }

            json.WriteEndArray();
            GeminiAnswer.WriteUsage(json, end.Usage);
            answer.WriteTail(json);
            json.WriteEndObject();
            EndPiece();
        }

        if (!form.Events)
            output.EndArray();
    }

    private void WriteText(int choice, string text, bool isThought, IReadOnlyList<SaidToken>? tokens)
    {
        Utf8JsonWriter json = BeginCandidate();
        GeminiAnswer.WriteText(json, text, isThought, null);
        EndCandidate(json, choice, tokens);
    }

    private void WriteCall(int choice, string name, string arguments)
    {
        Utf8JsonWriter json = BeginCandidate();
        GeminiAnswer.WriteCall(json, name, arguments, TakeSignature(choice));
        EndCandidate(json, choice, null);
    }

    private Utf8JsonWriter BeginCandidate()
    {
        Utf8JsonWriter json = BeginPiece();
        json.WriteStartObject();
        json.WriteStartArray("candidates"u8);
        GeminiAnswer.BeginCandidate(json);
        return json;
    }

    private void EndCandidate(Utf8JsonWriter json, int choice, IReadOnlyList<SaidToken>? tokens)
    {
        GeminiAnswer.EndCandidate(json, choice, null, tokens, isEnd: false);
        json.WriteEndArray();
        answer.WriteTail(json);
        json.WriteEndObject();
        EndPiece();
    }

    private Utf8JsonWriter BeginPiece()
    {
        bool first = !_begun;
        _begun = true;
        return form.Events ? output.BeginEvent() : output.BeginElement(first);
    }

    private void EndPiece()
    {
        if (form.Events)
            output.EndEvent();
        else
            output.EndElement();
    }

    /// <summary>The signature of the reasoning so far; null when there was none, or when it was written.</summary>
    private string? TakeSignature(int choice)
    {
        if (_thoughts[choice] is not { } thought)
            return null;
        _thoughts[choice] = null;
        return GeminiThought.Sign(thought.ToString());
    }
}
