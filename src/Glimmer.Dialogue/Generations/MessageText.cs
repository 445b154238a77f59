using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Generations;

/// <summary>What templates take out of messages.</summary>
internal static class MessageText
{
    /// <summary>The text parts of a message, joined without separator.</summary>
    public static ReadOnlyMemory<char> Visible(ChatMessage message)
    {
        if (message.Content is [TextPart only])
            return only.Text.AsMemory();
        string text = "";
        foreach (ContentPart part in message.Content)
        {
            if (part is TextPart piece)
                text += piece.Text;
        }

        return text.AsMemory();
    }

    /// <summary>Index of the last message of the user, −1 when there is none. Tool results do not count.</summary>
    public static int LastUser(Conversation conversation)
    {
        int index = conversation.Messages.Count - 1;
        while (index >= 0 && conversation.Messages[index].Role != ChatRole.User)
            index--;
        return index;
    }

    /// <summary>
    /// Reasoning and answer of a message of the model: the reasoning field when it was given, otherwise what stands between
    /// think tags in the content. Null reasoning means that there is none.
    /// </summary>
    /// <param name="message">The message.</param>
    /// <param name="trimLines">Whether line breaks around the embedded reasoning fall away (up to GLM-5).</param>
    public static (ReadOnlyMemory<char>? Reasoning, ReadOnlyMemory<char> Answer) Split(ChatMessage message, bool trimLines)
    {
        ReadOnlyMemory<char> content = Visible(message);
        if (message.ReasoningContent is { } given)
            return (given.AsMemory(), content);
        if (content.Span.IndexOf(ControlTokens.ThinkEnd, StringComparison.Ordinal) < 0)
            return (null, content);
        ReadOnlyMemory<char> reasoning = PythonText.BeforeFirst(content, ControlTokens.ThinkEnd);
        ReadOnlyMemory<char> answer = PythonText.AfterLast(content, ControlTokens.ThinkEnd);
        if (!trimLines)
            return (PythonText.AfterLast(reasoning, ControlTokens.Think), answer);
        reasoning = PythonText.StripLinesStart(PythonText.AfterLast(PythonText.StripLinesEnd(reasoning), ControlTokens.Think));
        return (reasoning, PythonText.StripLinesStart(answer));
    }
}
