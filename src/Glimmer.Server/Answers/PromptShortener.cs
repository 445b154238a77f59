using Glimmer.Dialogue.Conversations;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Answers;

/// <summary>
/// Leaves the oldest messages out of a prompt that is too long. Instructions stay, and so do the last message of the user and the last message
/// of all; a call and its outputs go together. Where the model's context is known, as few go as must so that the answer asked for has room
/// too, or a quarter of the context where it asks for more; where it is not, ever more go until the backend takes the rest.
/// </summary>
internal static class PromptShortener
{
    /// <summary>Begins the answer to what is left of a conversation.</summary>
    /// <param name="backend">What answers.</param>
    /// <param name="call">The call.</param>
    /// <param name="tooLong">What the backend said of the whole.</param>
    /// <param name="cancel">Ends it.</param>
    /// <returns>The answer with the number of messages left out; or the first error, when nothing that may go helps.</returns>
    public static async ValueTask<(ChatStart Start, int LeftOut)> StartAsync(IChatBackend backend, ChatCall call, PlatformError tooLong, CancellationToken cancel)
    {
        IReadOnlyList<ChatMessage> messages = call.Request.Conversation.Messages;
        List<Range> parts = PartsThatMayGo(messages);
        int from = 1;
        if (tooLong.ContextTokens > 0 && parts.Count > 0)
        {
            int context = tooLong.ContextTokens;
            int most = context - Math.Min(call.Request.MaxTokens ?? context, context / 4) - 1;
            (from, int to) = (1, parts.Count);
            while (from < to)
            {
                int middle = (from + to) / 2;
                if (await backend.CountTokensAsync(Without(call.Request, messages, parts, middle), cancel) <= most)
                    to = middle;
                else
                    from = middle + 1;
            }
        }

        var refused = new ChatStart(null, tooLong);
        for (int gone = from; gone <= parts.Count; gone = gone < parts.Count ? Math.Min(2 * gone, parts.Count) : gone + 1)
        {
            ChatRequest rest = Without(call.Request, messages, parts, gone);
            ChatStart start = await ChoiceSet.StartAsync(backend, call with { Request = rest }, cancel);
            if (start.Error is not { Code: BusinessCode.PromptTooLong })
                return (start, messages.Count - rest.Conversation.Messages.Count);
        }

        return (refused, 0);
    }

    /// <summary>What may go, oldest first: messages, with the outputs of the calls in them.</summary>
    private static List<Range> PartsThatMayGo(IReadOnlyList<ChatMessage> messages)
    {
        var parts = new List<Range>();
        int lastOfUser = -1;
        for (int i = 0; i < messages.Count; i++)
        {
            if (messages[i].Role == ChatRole.User)
                lastOfUser = i;
        }

        for (int i = 0; i < messages.Count;)
        {
            int end = i + 1;
            while (messages[i].Role == ChatRole.Assistant && end < messages.Count && messages[end].Role == ChatRole.Tool)
                end++;
            if (messages[i].Role != ChatRole.System && i != lastOfUser && end < messages.Count)
                parts.Add(i..end);
            i = end;
        }

        return parts;
    }

    private static ChatRequest Without(ChatRequest request, IReadOnlyList<ChatMessage> messages, List<Range> parts, int gone)
    {
        var left = new HashSet<int>(parts.Take(gone).SelectMany(static part => Enumerable.Range(part.Start.Value, part.End.Value - part.Start.Value)));
        return request with { Conversation = request.Conversation with { Messages = [.. messages.Where((_, index) => !left.Contains(index))] } };
    }
}
