using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-5.2: as 5.1, but the prompt opens with the reasoning effort, reasoning that is not shown is always an empty block,
/// and media that the model cannot read become a sentence.
/// </summary>
internal class Glm52 : Glm51
{
    public Glm52() : this("glm-5.2", new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true })
    {
    }

    private protected Glm52(string name, OutputGrammar output) : base(name, output)
    {
    }

    private protected override bool ShowsOutputs => true;

    private protected override void WriteEffort(PromptWriter writer, RenderOptions options)
    {
        if (options.EnableThinking == false)
            return;
        writer.Control(ControlTokens.System);
        writer.Text(options.ReasoningEffort == "high" ? "Reasoning Effort: High" : "Reasoning Effort: Max");
    }

    private protected override void WriteGenerationPrompt(PromptWriter writer, RenderOptions options)
    {
        writer.Control(ControlTokens.Think);
        if (options.EnableThinking == false)
            writer.Control(ControlTokens.ThinkEnd);
    }

    private protected override void WriteContent(PromptWriter writer, ChatMessage message, int index)
    {
        foreach (ContentPart part in message.Content)
        {
            if (part is TextPart text)
                writer.Content(index, text.Text.AsMemory());
            else if (part is MediaPart media)
                WriteMedia(writer, media);
        }
    }

    /// <summary>Writes what stands for a medium.</summary>
    private protected virtual void WriteMedia(PromptWriter writer, MediaPart media)
    {
        string kind = media.Kind switch { MediaKind.Image => "image", MediaKind.Video => "video", _ => "audio" };
        writer.Text($"<reminder>You are unable to process this {kind} because you don't have multi-modal input ability. Try different methods.</reminder>");
    }

    private protected override bool ShowsEmptyBlock(Conversation conversation, int index, int lastUser) => true;

    private protected override void WriteHiddenThinking(PromptWriter writer)
    {
        writer.Control(ControlTokens.Think);
        writer.Control(ControlTokens.ThinkEnd);
    }
}
