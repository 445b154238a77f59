using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-4.7, 4.7-Flash and GLM-5: no line breaks; the prompt opens the reasoning (or closes it at once); earlier reasoning
/// is kept when <c>clear_thinking</c> is false.
/// </summary>
internal sealed class Glm47(string name)
    : Generation(name, new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true })
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private readonly TaggedTools _tools = new(lineBreaks: false);

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        bool keepsThinking = conversation.Options.ClearThinking == false;
        int lastUser = MessageText.LastUser(conversation);
        writer.Template(Opening);
        if (conversation.Tools.Count > 0)
            _tools.Offer(writer, conversation.Tools.Select(tool => PythonJson.Write(tool.Json)));
        for (int i = 0; i < conversation.Messages.Count; i++)
        {
            ChatMessage message = conversation.Messages[i];
            switch (message.Role)
            {
                case ChatRole.System:
                    writer.Control(ControlTokens.System);
                    writer.Content(i, MessageText.Visible(message));
                    break;
                case ChatRole.User:
                    writer.Control(ControlTokens.User);
                    writer.Content(i, MessageText.Visible(message));
                    break;
                case ChatRole.Assistant:
                    WriteAssistant(writer, message, i, keepsThinking || i > lastUser);
                    break;
                default:
                    WriteTool(writer, conversation, i);
                    break;
            }
        }

        if (OpensAnswer(conversation))
        {
            writer.Control(ControlTokens.Assistant);
            writer.Control(conversation.Options.EnableThinking == false ? ControlTokens.ThinkEnd : ControlTokens.Think);
        }
    }

    private void WriteAssistant(PromptWriter writer, ChatMessage message, int index, bool showsThinking)
    {
        (ReadOnlyMemory<char>? reasoning, ReadOnlyMemory<char> answer) = MessageText.Split(message, trimLines: true);
        writer.Control(ControlTokens.Assistant);
        if (showsThinking && reasoning is { IsEmpty: false } thought)
        {
            writer.Control(ControlTokens.Think);
            writer.Text(PythonText.Strip(thought));
        }

        writer.Control(ControlTokens.ThinkEnd);
        writer.Content(index, answer, trims: true);
        _tools.Calls(writer, message, index);
    }

    private static void WriteTool(PromptWriter writer, Conversation conversation, int index)
    {
        ChatMessage message = conversation.Messages[index];
        if (message.Content.Any(part => part is ToolOutputPart))
        {
            writer.Control(ControlTokens.Observation);
            foreach (ContentPart part in message.Content)
            {
                if (part is not (ToolOutputPart or TextPart))
                    continue;
                writer.Control(ControlTokens.ToolResponse);
                writer.Text(part is ToolOutputPart output ? output.Output : ((TextPart)part).Text);
                writer.Control(ControlTokens.ToolResponseEnd);
            }

            return;
        }

        if (index == 0 || conversation.Messages[index - 1].Role != ChatRole.Tool)
            writer.Control(ControlTokens.Observation);
        writer.Control(ControlTokens.ToolResponse);
        writer.Content(index, MessageText.Visible(message));
        writer.Control(ControlTokens.ToolResponseEnd);
    }
}
