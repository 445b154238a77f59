using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-4.5, 4.5-Air and 4.6: line breaks after roles and between tags; thinking is switched off by <c>/nothink</c> in the
/// user's messages; the model opens its reasoning itself.
/// </summary>
internal class Glm45 : Generation
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate SystemTurn = new("<|system|>\n");
    private static readonly PromptTemplate UserTurn = new("<|user|>\n");
    private static readonly PromptTemplate NoThought = new("\n<think></think>");
    private static readonly PromptTemplate ThoughtBegin = new("\n<think>");
    private static readonly PromptTemplate ResultBegin = new("\n<tool_response>\n");
    private static readonly PromptTemplate ResultEnd = new("\n</tool_response>");

    private readonly TaggedTools _tools = new(lineBreaks: true);

    public Glm45() : this("glm-4.5", new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true, LineBreaks = true })
    {
    }

    private protected Glm45(string name, OutputGrammar output) : base(name, output)
    {
    }

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        bool thinks = conversation.Options.EnableThinking ?? true;
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
                    writer.Template(SystemTurn);
                    WriteContent(writer, message, i);
                    break;
                case ChatRole.User:
                    WriteUser(writer, message, i, thinks);
                    break;
                case ChatRole.Assistant:
                    WriteAssistant(writer, message, i, i > lastUser);
                    break;
                default:
                    WriteTool(writer, conversation, i);
                    break;
            }
        }

        if (OpensAnswer(conversation))
            WriteGenerationPrompt(writer, thinks);
    }

    /// <summary>Writes the visible content of a system or user message.</summary>
    private protected virtual void WriteContent(PromptWriter writer, ChatMessage message, int index) =>
        writer.Content(index, MessageText.Visible(message));

    /// <summary>Writes the visible content of a user message.</summary>
    private protected virtual void WriteUserContent(PromptWriter writer, ChatMessage message, int index) => WriteContent(writer, message, index);

    /// <summary>The text that a message of the user ends with.</summary>
    private protected virtual string Ending(ChatMessage message) => MessageText.Visible(message).ToString();

    /// <summary>Writes the opening of the model's answer.</summary>
    private protected virtual void WriteGenerationPrompt(PromptWriter writer, bool thinks)
    {
        writer.Control(ControlTokens.Assistant);
        if (!thinks)
            writer.Template(NoThought);
    }

    /// <summary>Writes what follows a tool result.</summary>
    private protected virtual void WriteAfterResult(PromptWriter writer, ChatMessage message)
    {
    }

    /// <summary>Writes the inside of a tool result that is one text.</summary>
    private protected virtual void WriteResultContent(PromptWriter writer, ChatMessage message, int index) =>
        writer.Content(index, MessageText.Visible(message));

    /// <summary>Whether a tool result is written as one block per <c>{"output": …}</c> item.</summary>
    private protected virtual bool SplitsOutputs(ChatMessage message) => message.Content.Any(part => part is ToolOutputPart);

    private void WriteUser(PromptWriter writer, ChatMessage message, int index, bool thinks)
    {
        writer.Template(UserTurn);
        WriteUserContent(writer, message, index);
        if (thinks)
            return;
        // A message that ends with the switch already has it: then that ending is the switch, and no text.
        if (Ending(message).EndsWith(ControlTokens.NoThink, StringComparison.Ordinal))
            writer.MakeControl(ControlTokens.NoThink);
        else
            writer.Control(ControlTokens.NoThink);
    }

    private void WriteAssistant(PromptWriter writer, ChatMessage message, int index, bool afterLastUser)
    {
        (ReadOnlyMemory<char>? reasoning, ReadOnlyMemory<char> answer) = MessageText.Split(message, trimLines: true);
        writer.Control(ControlTokens.Assistant);
        if (afterLastUser && reasoning is { IsEmpty: false } thought)
        {
            writer.Template(ThoughtBegin);
            writer.Text(PythonText.Strip(thought));
            writer.Control(ControlTokens.ThinkEnd);
        }
        else
        {
            writer.Template(NoThought);
        }

        answer = PythonText.Strip(answer);
        if (!answer.IsEmpty)
            writer.Text("\n");
        writer.Content(index, answer, trims: true);

        _tools.Calls(writer, message, index);
    }

    private void WriteTool(PromptWriter writer, Conversation conversation, int index)
    {
        ChatMessage message = conversation.Messages[index];
        if (SplitsOutputs(message))
        {
            writer.Control(ControlTokens.Observation);
            foreach (ContentPart part in message.Content)
            {
                if (part is not (ToolOutputPart or TextPart))
                    continue;
                writer.Template(ResultBegin);
                writer.Text(part is ToolOutputPart output ? output.Output : ((TextPart)part).Text);
                writer.Template(ResultEnd);
            }

            return;
        }

        if (index == 0 || conversation.Messages[index - 1].Role != ChatRole.Tool)
            writer.Control(ControlTokens.Observation);
        writer.Template(ResultBegin);
        WriteResultContent(writer, message, index);
        writer.Template(ResultEnd);
        WriteAfterResult(writer, message);
    }
}
