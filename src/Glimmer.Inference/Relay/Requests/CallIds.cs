using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Ids of calls in a form that every service takes: 1 to 40 letters, digits, <c>_</c> and <c>-</c>.</summary>
internal static class CallIds
{
    private const int MaxLength = 40;

    private static readonly SearchValues<char> Characters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    /// <summary>The id itself, or a digest of one that a service may refuse: the same for a call and its result.</summary>
    public static string Of(string id) =>
        id.Length is > 0 and <= MaxLength && !id.AsSpan().ContainsAnyExcept(Characters)
            ? id
            : "call_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 12));

    /// <summary>The id of the call that each message answers, null for messages that are no results. One without an id answers the next call that has no result yet.</summary>
    public static string?[] OfResults(IReadOnlyList<ChatMessage> messages)
    {
        string?[] ids = new string?[messages.Count];
        List<string> open = [];
        for (int i = 0; i < messages.Count; i++)
        {
            ChatMessage message = messages[i];
            if (message.Role == ChatRole.Assistant)
                open = [.. message.ToolCalls.Select(call => call.Id)];
            if (message.Role != ChatRole.Tool)
                continue;
            string id = message.ToolCallId ?? (open.Count > 0 ? open[0] : "");
            open.Remove(id);
            ids[i] = id;
        }

        return ids;
    }
}
