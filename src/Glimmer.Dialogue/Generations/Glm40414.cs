using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>GLM-4-0414: tools first, then every system message, then the rest; a space follows a called function's name.</summary>
internal sealed class Glm40414() : Generation("glm-4-0414", new OutputGrammar { ToolCalls = ToolCallSyntax.NameAndJson, Reasons = false })
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate ToolsHead = new("<|system|>\n# 可用工具\n");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        if (conversation.Tools.Count > 0)
        {
            writer.Template(ToolsHead);
            writer.Text(LegacyTurns.Tools(conversation.Tools));
        }

        List<LegacyTurn> turns = LegacyTurns.Of(conversation, writer);
        foreach (LegacyTurn turn in turns.OrderBy(turn => turn.Message.Role == ChatRole.System ? 0 : 1))
        {
            writer.Control(turn.Token);
            writer.Text(turn.Metadata.Length > 0 ? turn.Metadata + " \n" : "\n");
            writer.Content(turn.Index, turn.Text);
        }

        if (OpensAnswer(conversation))
            writer.Control(ControlTokens.Assistant);
    }
}
