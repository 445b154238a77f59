using Glimmer.Dialogue.Conversations;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Chat;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Chat;

/// <summary>Turns messages of the wire into those of the dialogue.</summary>
internal static class MessageMapper
{
    /// <summary>All messages, with the persona or the code to complete as instructions before them where the model has such fields.</summary>
    public static IReadOnlyList<ChatMessage> Map(ChatCompletionRequest wire, CatalogModel model)
    {
        var messages = new List<ChatMessage>(wire.Messages.Count + 1);
        if (model.Kind == ModelKind.RolePlay && wire.Meta is { } meta)
            messages.Add(ChatMessage.OfText(ChatRole.System, Persona(meta)));
        if (model.Kind == ModelKind.Code && wire.Extra is { } target)
            messages.Add(ChatMessage.OfText(ChatRole.System, Completion(target)));
        foreach (WireMessage message in wire.Messages)
            messages.Add(Map(message));
        return messages;
    }

    private static ChatMessage Map(WireMessage message) => new()
    {
        Role = message.Role switch
        {
            WireRole.System => ChatRole.System,
            WireRole.User => ChatRole.User,
            WireRole.Assistant => ChatRole.Assistant,
            _ => ChatRole.Tool,
        },
        Content = [.. message.Parts.Select(Map)],
        ReasoningContent = message.ReasoningContent,
        ToolCalls = [.. message.ToolCalls.Select(call => new ToolCall(call.Id.Length > 0 ? call.Id : RequestIds.NewCallId(), call.Name, call.Arguments))],
        ToolCallId = message.ToolCallId,
    };

    private static ContentPart Map(WirePart part) => part.Kind switch
    {
        WirePartKind.Text => new TextPart(part.Value),
        WirePartKind.ToolOutput => new ToolOutputPart(part.Value),
        WirePartKind.ToolReference => new ToolReferencePart(part.Value),
        WirePartKind.Image => new MediaPart(MediaKind.Image, part.Value),
        WirePartKind.Video => new MediaPart(MediaKind.Video, part.Value),
        WirePartKind.Audio => new MediaPart(MediaKind.Audio, part.Value),
        _ => throw new InvalidOperationException($"A part of kind {part.Kind} passed the media check."),
    };

    private static string Persona(WirePersona meta) =>
        $"You are {meta.BotName}. {meta.BotInfo}\nYou talk with {meta.UserName}. {meta.UserInfo}\nStay in this role.";

    private static string Completion(WireCodeTarget target) =>
        $"Complete the {target.Language} code{(target.Path is null ? "" : $" of {target.Path}")}. Answer only with what belongs between the two parts.\nBefore:\n{target.Prefix}\nAfter:\n{target.Suffix}";
}
