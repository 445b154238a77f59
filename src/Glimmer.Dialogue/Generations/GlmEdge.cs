using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>GLM-Edge: no opening tokens, no tools, no reasoning; the generation prompt ends with a line break.</summary>
internal sealed class GlmEdge() : Generation("glm-edge", new OutputGrammar { ToolCalls = ToolCallSyntax.None, Reasons = false })
{
    private static readonly PromptTemplate Answer = new("<|assistant|>\n");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        foreach (LegacyTurn turn in LegacyTurns.Of(conversation, writer))
        {
            if (turn.Message.Role == ChatRole.Tool)
                continue;
            writer.Control(turn.Token);
            writer.Text("\n");
            writer.Content(turn.Index, turn.Text);
        }

        if (OpensAnswer(conversation))
            writer.Template(Answer);
    }
}
