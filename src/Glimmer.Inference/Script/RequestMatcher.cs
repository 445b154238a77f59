using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Script;

/// <summary>Compares requests with patterns.</summary>
internal static class RequestMatcher
{
    /// <summary>Compares a request with a pattern.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="request">The request.</param>
    /// <param name="groups">What expressions matched, for the reply's text; empty for none.</param>
    /// <returns>How many conditions held before one did not, and that one; null when all held.</returns>
    public static (int Held, string? Failed) Compare(RequestPattern pattern, ChatRequest request, out IReadOnlyList<string> groups)
    {
        int held = 0;
        groups = [];
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        ChatMessage? last = messages.Count > 0 ? messages[^1] : null;
        if (pattern.Models is { } models && !Holds(models.Contains(request.Model, StringComparer.OrdinalIgnoreCase)))
            return (held, $"model is {request.Model}, not {string.Join(" or ", models)}");
        if (pattern.Turn is { } turn && !Holds(turn == CountAnswers(messages)))
            return (held, $"turn is {CountAnswers(messages)}, not {turn}");
        if (pattern.Tool is { } tool && !Holds(Offers(request, tool)))
            return (held, $"the tool {tool} is not offered");
        if (pattern.ResultOf is { } of && !Holds(string.Equals(of, CalledBy(messages), StringComparison.Ordinal)))
            return (held, CalledBy(messages) is { } other ? $"the last message is the result of {other}, not of {of}" : $"the last message is no result of {of}");
        if (pattern.Thinking is { } thinking && !Holds(thinking == (request.Conversation.Options.EnableThinking != false)))
            return (held, thinking ? "thinking is switched off" : "thinking is not switched off");
        return Text(pattern.System, SystemText(messages), "the system text", ref groups)
            ?? Text(pattern.User, messages.LastOrDefault(message => message.Role == ChatRole.User) is { } user ? VisibleText(user) : "", "the user's last text", ref groups)
            ?? Text(pattern.Last, last is null ? "" : VisibleText(last), "the last message", ref groups)
            ?? (held, null);

        bool Holds(bool condition)
        {
            if (condition)
                held++;
            return condition;
        }

        (int, string?)? Text(TextPattern? wanted, string text, string what, ref IReadOnlyList<string> groups)
        {
            if (wanted is null)
                return null;
            if (!wanted.Matches(text, out IReadOnlyList<string>? found))
                return (held, $"{what} does not match {wanted}: {Shorten(text)}");
            held++;
            if (found.Count > 0)
                groups = found;
            return null;
        }
    }

    /// <summary>The text parts of a message.</summary>
    public static string VisibleText(ChatMessage message) =>
        message.Content is [TextPart only] ? only.Text : string.Concat(message.Content.Select(part => part switch
        {
            TextPart text => text.Text,
            ToolOutputPart output => output.Output,
            _ => "",
        }));

    private static string SystemText(IReadOnlyList<ChatMessage> messages) =>
        string.Join('\n', messages.Where(message => message.Role == ChatRole.System).Select(VisibleText));

    private static bool Offers(ChatRequest request, string tool)
    {
        foreach (ToolDefinition offered in request.Conversation.Tools)
        {
            if (string.Equals(offered.Name, tool, StringComparison.Ordinal))
                return true;
        }

        return false;
    }

    private static int CountAnswers(IReadOnlyList<ChatMessage> messages)
    {
        int count = 0;
        foreach (ChatMessage message in messages)
            count += message.Role == ChatRole.Assistant ? 1 : 0;
        return count;
    }

    /// <summary>The function whose result the last message is: found by the id of the call, else the last call made.</summary>
    private static string? CalledBy(IReadOnlyList<ChatMessage> messages)
    {
        if (messages is not [.., { Role: ChatRole.Tool } result])
            return null;
        for (int i = messages.Count - 2; i >= 0; i--)
        {
            if (messages[i].Role != ChatRole.Assistant)
                continue;
            ToolCall? call = messages[i].ToolCalls.FirstOrDefault(call => string.Equals(call.Id, result.ToolCallId, StringComparison.Ordinal));
            return (call ?? (messages[i].ToolCalls is [.., { } last] ? last : null))?.Name;
        }

        return null;
    }

    private static string Shorten(string text) => text.Length <= 80 ? $"\"{text}\"" : $"\"{text[..80]}…\"";
}
