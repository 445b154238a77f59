using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-4-Voice: no opening tokens; the prompt says whether the person speaks or writes and asks for text and audio in turns, and
/// the answer opens with a word of its own. Audio codes are tokens: those of a recording go between its two tags and are put in
/// by the backend; those of the answer are left to whoever plays it, its text is the content.
/// </summary>
internal sealed class Glm4Voice() : Generation("glm-4-voice", new OutputGrammar { ToolCalls = ToolCallSyntax.None, Reasons = false, AudioCodes = true })
{
    private const string Rest = " instruction. Do it step by step. First, think about the instruction and respond in a interleaved manner, with 13 text token followed by 26 audio tokens. ";
    private static readonly PromptTemplate Opening = new("<|system|>\n");
    private static readonly PromptTemplate Answer = new("<|assistant|>streaming_transcription\n");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        ChatMessage? first = conversation.Messages.FirstOrDefault(message => message.Role == ChatRole.User);
        writer.Text((first is not null && first.Content.Any(IsSound) ? "User will provide you with a speech" : "User will provide you with a text") + Rest);
        foreach (LegacyTurn turn in LegacyTurns.Of(conversation, writer))
        {
            // It knows neither calls nor their results.
            if (turn.Message.Role == ChatRole.Tool || turn.Metadata.Length > 0)
                continue;
            if (turn.Message.Role == ChatRole.Assistant)
            {
                writer.Template(Answer);
                writer.Content(turn.Index, turn.Text);
                continue;
            }

            writer.Control(turn.Token);
            writer.Text("\n");
            if (!turn.Message.Content.Any(IsSound))
            {
                writer.Content(turn.Index, turn.Text);
                continue;
            }

            foreach (ContentPart part in turn.Message.Content)
            {
                if (part is TextPart text)
                    writer.Content(turn.Index, text.Text.AsMemory());
                else if (IsSound(part))
                    writer.Media((MediaPart)part);
            }
        }

        if (OpensAnswer(conversation))
            writer.Template(Answer);
    }

    private static bool IsSound(ContentPart part) => part is MediaPart { Kind: MediaKind.Audio };
}
