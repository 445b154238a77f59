using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>GLM-4.1V-Thinking: always thinks, answers between answer tags, knows neither tools nor their results.</summary>
internal sealed class Glm41V() : Generation("glm-4.1v", new OutputGrammar
{
    ToolCalls = ToolCallSyntax.None,
    Reasons = true,
    AnswerTags = true,
    Boxes = true,
    Stops = ["<|endoftext|>", "<|user|>", "<|observation|>", "</answer>"],
})
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate Answer = new("<|assistant|>\n");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        foreach (LegacyTurn turn in LegacyTurns.Of(conversation, writer))
        {
            if (turn.Message.Role == ChatRole.Tool)
                continue;
            writer.Control(turn.Token);
            writer.Text(turn.Metadata + "\n");
            if (turn.Message.Role == ChatRole.User)
                WriteParts(writer, turn);
            else
                writer.Content(turn.Index, turn.Text);
        }

        if (OpensAnswer(conversation))
            writer.Template(Answer);
    }

    private static void WriteParts(PromptWriter writer, LegacyTurn turn)
    {
        foreach (ContentPart part in turn.Message.Content)
        {
            if (part is TextPart text)
                writer.Content(turn.Index, text.Text.AsMemory());
            else if (part is MediaPart { Kind: not MediaKind.Audio } media)
                writer.Media(media);
        }
    }
}
