using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>GLM-4-9B-chat: tools hang on a system message of their own, which opens with the model's introduction.</summary>
internal sealed class Glm4Chat() : Generation("glm-4-9b-chat", new OutputGrammar { ToolCalls = ToolCallSyntax.NameAndJson, Reasons = false })
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate Introduction = new(
        "<|system|>\n你是一个名为 ChatGLM 的人工智能助手。你是基于智谱AI训练的语言模型 GLM-4 模型开发的，" +
        "你的任务是针对用户的问题和要求提供适当的答复和支持。\n\n# 可用工具");

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        if (conversation.Tools.Count > 0)
        {
            writer.Template(Introduction);
            writer.Text(LegacyTurns.Tools(conversation.Tools.Where(IsFunction)));
        }

        foreach (LegacyTurn turn in LegacyTurns.Of(conversation, writer))
        {
            if (turn.Text.IsEmpty && !writer.Continues(turn.Index))
                continue;
            writer.Control(turn.Token);
            writer.Text(turn.Metadata);
            writer.Text("\n");
            writer.Content(turn.Index, turn.Text);
        }

        if (OpensAnswer(conversation))
            writer.Control(ControlTokens.Assistant);
    }

    // This template asks every tool for its type and passes over those that do not say "function".
    private static bool IsFunction(ToolDefinition tool) =>
        JsonText.TryGet(tool.Json, "type", out JsonElement type) && type.ValueKind == JsonValueKind.String && JsonText.StringOf(type) == "function";
}
