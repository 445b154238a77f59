using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-OCR and, by all signs, GLM-4.6V: as 4.5V, with media in tool results too; a result that is one text is followed by
/// a stray line break, which the models have been trained with.
/// </summary>
internal sealed class GlmOcr() : Glm45V("glm-ocr")
{
    // Its template puts every item of a list into one block, outputs too.
    private protected override bool SplitsOutputs(ChatMessage message) => false;

    private protected override void WriteResultContent(PromptWriter writer, ChatMessage message, int index)
    {
        foreach (ContentPart part in message.Content)
        {
            if (part is TextPart text)
                writer.Content(index, text.Text.AsMemory());
            else if (part is ToolOutputPart output)
                writer.Text(output.Output);
            else if (part is MediaPart { Kind: not MediaKind.Audio } media)
                writer.Media(media);
        }
    }

    private protected override void WriteAfterResult(PromptWriter writer, ChatMessage message)
    {
        if (!message.IsPartList)
            writer.Text("\n");
    }
}
