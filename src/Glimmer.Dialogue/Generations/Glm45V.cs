using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>GLM-4.5V: as 4.5, with media in messages and a generation prompt that ends with a line break.</summary>
internal class Glm45V : Glm45
{
    private static readonly PromptTemplate Answer = new("<|assistant|>\n");
    private static readonly PromptTemplate AnswerNoThought = new("<|assistant|>\n<think></think>\n");

    public Glm45V() : this("glm-4.5v")
    {
    }

    private protected Glm45V(string name)
        : base(name, new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true, LineBreaks = true, Boxes = true })
    {
    }

    private protected override void WriteContent(PromptWriter writer, ChatMessage message, int index) =>
        WriteParts(writer, message, index, bare: true);

    private protected override void WriteUserContent(PromptWriter writer, ChatMessage message, int index) =>
        WriteParts(writer, message, index, bare: false);

    // Its text parts behind the last picture or film.
    private protected override string Ending(ChatMessage message)
    {
        string text = "";
        for (int i = message.Content.Count - 1; i >= 0 && message.Content[i] is not MediaPart { Kind: not MediaKind.Audio }; i--)
        {
            if (message.Content[i] is TextPart part)
                text = part.Text + text;
        }

        return text;
    }

    private static void WriteParts(PromptWriter writer, ChatMessage message, int index, bool bare)
    {
        foreach (ContentPart part in message.Content)
        {
            if (part is TextPart text && (bare || !text.IsBare))
                writer.Content(index, text.Text.AsMemory());
            else if (part is MediaPart { Kind: not MediaKind.Audio } media)
                writer.Media(media);
        }
    }

    private protected override void WriteGenerationPrompt(PromptWriter writer, bool thinks) =>
        writer.Template(thinks ? Answer : AnswerNoThought);
}
