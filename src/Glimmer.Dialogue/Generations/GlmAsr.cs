using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-ASR: no opening tokens; a recording stands in the user's turn and closes it with a <c>&lt;|user|&gt;</c> of its own, the
/// wish follows. The answer is the transcript, without white space around it. The audio encoder's filler tokens go between the
/// recording's two tags and are put in by the backend.
/// </summary>
internal sealed class GlmAsr() : Generation("glm-asr", new OutputGrammar { ToolCalls = ToolCallSyntax.None, Reasons = false, TrimsAnswer = true })
{
    private const string Wish = "Please transcribe this audio into text";
    private static readonly PromptTemplate AfterRecording = new("<|user|>\n");
    private static readonly PromptTemplate Answer = new("<|assistant|>\n");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        foreach (LegacyTurn turn in LegacyTurns.Of(conversation, writer))
        {
            // It knows neither calls nor their results.
            if (turn.Message.Role == ChatRole.Tool || turn.Metadata.Length > 0)
                continue;
            writer.Control(turn.Token);
            writer.Text("\n");
            bool hears = false;
            foreach (ContentPart part in turn.Message.Content)
            {
                if (part is not MediaPart { Kind: MediaKind.Audio } sound)
                    continue;
                writer.Media(sound);
                writer.Template(AfterRecording);
                hears = true;
            }

            ReadOnlyMemory<char> text = turn.Text;
            bool silent = hears && PythonText.Strip(text).IsEmpty && !writer.Continues(turn.Index);
            writer.Content(turn.Index, silent ? Wish.AsMemory() : text, trims: true);
        }

        if (OpensAnswer(conversation))
            writer.Template(Answer);
    }
}
