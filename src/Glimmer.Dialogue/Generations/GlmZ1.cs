using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-Z1-0414: the frame of 0414; every message but the system's is cut to what follows its last <c>&lt;/think&gt;</c>;
/// the prompt opens the reasoning. Its vocabulary has no think tokens: the tags are ordinary text there.
/// </summary>
internal sealed class GlmZ1() : Generation("glm-z1", new OutputGrammar { ToolCalls = ToolCallSyntax.NameAndJson, Reasons = true })
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate Introduction = new(
        "<|system|>\n你是一个名为 ChatGLM 的人工智能助手。你是基于智谱 AI 公司训练的语言模型 GLM-4 模型开发的，" +
        "你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具");
    private static readonly PromptTemplate Answer = new("<|assistant|>\n<think>");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        if (conversation.Tools.Count > 0)
        {
            writer.Template(Introduction);
            writer.Text(LegacyTurns.Tools(conversation.Tools));
        }

        List<LegacyTurn> turns = LegacyTurns.Of(conversation, writer);
        foreach (LegacyTurn turn in turns.OrderBy(turn => turn.Message.Role == ChatRole.System ? 0 : 1))
        {
            writer.Control(turn.Token);
            writer.Text(turn.Metadata + "\n");
            if (turn.Message.Role == ChatRole.System)
                writer.Content(turn.Index, turn.Text);
            else
                writer.Content(turn.Index, PythonText.AfterLast(turn.Text, ControlTokens.ThinkEnd), trims: true);
        }

        if (OpensAnswer(conversation))
            writer.Template(Answer);
    }
}
