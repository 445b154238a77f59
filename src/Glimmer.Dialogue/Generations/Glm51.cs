using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>
/// GLM-5.1: as 5, but tools are printed as bare functions, reasoning is not trimmed, a turn without reasoning may show an
/// empty block, and tool results may refer to tools.
/// </summary>
internal class Glm51 : Generation
{
    private static readonly PromptTemplate Opening = new("[gMASK]<sop>");
    private static readonly PromptTemplate ReferencesBegin = new("<tool_response><tools>\n");
    private static readonly PromptTemplate ReferencesEnd = new("</tools></tool_response>");
    private readonly TaggedTools _tools = new(lineBreaks: false);

    public Glm51() : this("glm-5.1", new OutputGrammar { ToolCalls = ToolCallSyntax.Tags, Reasons = true })
    {
    }

    private protected Glm51(string name, OutputGrammar output) : base(name, output)
    {
    }

    private protected override void Write(PromptWriter writer, Conversation conversation)
    {
        writer.Template(Opening);
        WriteEffort(writer, conversation.Options);
        if (conversation.Tools.Count > 0)
            _tools.Offer(writer, FunctionLines.Offered(conversation.Tools));
        int lastUser = MessageText.LastUser(conversation);
        int[] order = ResultOrder(conversation);
        for (int i = 0; i < conversation.Messages.Count; i++)
        {
            ChatMessage message = conversation.Messages[i];
            switch (message.Role)
            {
                case ChatRole.System:
                    writer.Control(ControlTokens.System);
                    WriteContent(writer, message, i);
                    break;
                case ChatRole.User:
                    writer.Control(ControlTokens.User);
                    WriteContent(writer, message, i);
                    break;
                case ChatRole.Assistant:
                    WriteAssistant(writer, conversation, i, lastUser);
                    break;
                default:
                    if (i == 0 || conversation.Messages[i - 1].Role != ChatRole.Tool)
                        writer.Control(ControlTokens.Observation);
                    WriteResult(writer, conversation, order[i]);
                    break;
            }
        }

        if (OpensAnswer(conversation))
        {
            writer.Control(ControlTokens.Assistant);
            WriteGenerationPrompt(writer, conversation.Options);
        }
    }

    /// <summary>Writes the line that sets the effort.</summary>
    private protected virtual void WriteEffort(PromptWriter writer, RenderOptions options)
    {
    }

    /// <summary>Writes what follows the last <c>&lt;|assistant|&gt;</c>.</summary>
    private protected virtual void WriteGenerationPrompt(PromptWriter writer, RenderOptions options) =>
        writer.Control(options.EnableThinking == false ? ControlTokens.ThinkEnd : ControlTokens.Think);

    /// <summary>Writes the content of a system or user message, or of a tool result that is not a special list.</summary>
    private protected virtual void WriteContent(PromptWriter writer, ChatMessage message, int index) =>
        writer.Content(index, MessageText.Visible(message));

    /// <summary>Whether each of several <c>{"output": …}</c> items gets a block of its own; otherwise they are not shown.</summary>
    private protected virtual bool ShowsOutputs => false;

    /// <summary>Whether earlier reasoning is shown.</summary>
    private protected virtual bool KeepsThinking(RenderOptions options) => options.ClearThinking == false;

    /// <summary>Whether a turn without reasoning shows an empty block where reasoning would be shown.</summary>
    private protected virtual bool ShowsEmptyBlock(Conversation conversation, int index, int lastUser) => index > lastUser
        ? conversation.Options.EnableThinking != false
        : SegmentReasons(conversation, index);

    /// <summary>Writes what stands for reasoning that is not shown.</summary>
    private protected virtual void WriteHiddenThinking(PromptWriter writer) => writer.Control(ControlTokens.ThinkEnd);

    /// <summary>For each message the index of the tool result to print in its place.</summary>
    private protected virtual int[] ResultOrder(Conversation conversation) => [.. Enumerable.Range(0, conversation.Messages.Count)];

    // Whether a turn that answers the same message of the user came with a reasoning field.
    private static bool SegmentReasons(Conversation conversation, int index)
    {
        int first = index;
        while (first >= 0 && conversation.Messages[first].Role != ChatRole.User)
            first--;
        if (first < 0)
            return false;
        for (int i = first + 1; i < conversation.Messages.Count && conversation.Messages[i].Role != ChatRole.User; i++)
        {
            if (conversation.Messages[i] is { Role: ChatRole.Assistant, ReasoningContent: not null })
                return true;
        }

        return false;
    }

    private void WriteAssistant(PromptWriter writer, Conversation conversation, int index, int lastUser)
    {
        ChatMessage message = conversation.Messages[index];
        (ReadOnlyMemory<char>? reasoning, ReadOnlyMemory<char> answer) = MessageText.Split(message, trimLines: false);
        if (reasoning is null && ShowsEmptyBlock(conversation, index, lastUser))
            reasoning = ReadOnlyMemory<char>.Empty;
        writer.Control(ControlTokens.Assistant);
        if (reasoning is { } thought && (index > lastUser || KeepsThinking(conversation.Options)))
        {
            writer.Control(ControlTokens.Think);
            writer.Text(thought);
            writer.Control(ControlTokens.ThinkEnd);
        }
        else
        {
            WriteHiddenThinking(writer);
        }

        writer.Content(index, answer, trims: true);
        _tools.Calls(writer, message, index);
    }

    private void WriteResult(PromptWriter writer, Conversation conversation, int index)
    {
        ChatMessage message = conversation.Messages[index];
        if (message.Content.Count > 0 && message.Content.All(part => part is ToolReferencePart))
        {
            writer.Template(ReferencesBegin);
            foreach (ToolReferencePart reference in message.Content.Cast<ToolReferencePart>())
            {
                foreach (ToolDefinition tool in conversation.Tools.Where(tool => string.Equals(tool.Name, reference.Name, StringComparison.Ordinal)))
                    writer.Text(FunctionLines.Of(tool) + "\n");
            }

            writer.Template(ReferencesEnd);
        }
        else if (ShowsOutputs && message.Content.Any(part => part is ToolOutputPart))
        {
            foreach (ContentPart part in message.Content)
            {
                if (part is not (ToolOutputPart or TextPart))
                    continue;
                writer.Control(ControlTokens.ToolResponse);
                writer.Text(part is ToolOutputPart output ? output.Output : ((TextPart)part).Text);
                writer.Control(ControlTokens.ToolResponseEnd);
            }
        }
        else
        {
            writer.Control(ControlTokens.ToolResponse);
            WriteContent(writer, message, index);
            writer.Control(ControlTokens.ToolResponseEnd);
        }
    }
}
