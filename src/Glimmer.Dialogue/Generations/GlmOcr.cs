using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-OCR and, by all signs, GLM-4.6V: as 4.5V, with media in tool results too; a result that is one text is followed by
/// a stray line break, which the models have been trained with.
/// </summary>
internal sealed class GlmOcr() : Glm45V("glm-ocr")
{
    private protected override void WriteResultContent(PromptWriter writer, ChatMessage message, int index) =>
        WriteContent(writer, message, index);

    private protected override void WriteAfterResult(PromptWriter writer, ChatMessage message)
    {
        if (!message.IsPartList)
            writer.Text("\n");
    }
}
