using System.Globalization;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference.Backends;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Finds what a service cannot be asked for, before it is asked.</summary>
internal static class RequestCheck
{
    /// <summary>More stop texts than a service takes.</summary>
    public static PlatformError? Stops(ChatRequest request, int most) => request.Stop.Count > most
        ? PlatformError.Invalid("stop", string.Create(CultureInfo.InvariantCulture, $"it has {request.Stop.Count} texts"), string.Create(CultureInfo.InvariantCulture, $"The service behind {request.Model} takes at most {most}"))
        : null;

    /// <summary>A medium of a kind that a service has no part for.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="takes">Kinds that it has.</param>
    public static PlatformError? Media(ChatRequest request, Func<MediaKind, bool> takes)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        for (int i = 0; i < messages.Count; i++)
        {
            for (int k = 0; k < messages[i].Content.Count; k++)
            {
                if (messages[i].Content[k] is MediaPart media && !takes(media.Kind))
                {
                    string method = media.Kind switch { MediaKind.Image => "image_url", MediaKind.Video => "video_url", _ => "input_audio" };
                    return Unsupported(request, string.Create(CultureInfo.InvariantCulture, $"messages[{i}].content[{k}]"), method, "has no such parts; leave it out");
                }
            }
        }

        return null;
    }

    /// <summary>An address of a medium that the service may not be handed: it would fetch it from where it stands.</summary>
    public static PlatformError? Addresses(ChatRequest request, MediaAddresses allowed)
    {
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        for (int i = 0; i < messages.Count; i++)
        {
            for (int k = 0; k < messages[i].Content.Count; k++)
            {
                if (messages[i].Content[k] is not MediaPart media || MediaText.SchemeOf(media.Source) is null or "data")
                    continue;
                string? problem = allowed switch
                {
                    MediaAddresses.None => $"the service behind {request.Model} is handed no addresses to fetch",
                    MediaAddresses.Any => MediaText.IsAddress(media.Source) ? null : "it is no http or https address",
                    _ => PublicAddress.ProblemOf(media.Source),
                };
                if (problem is not null)
                    return PlatformError.Invalid(string.Create(CultureInfo.InvariantCulture, $"messages[{i}].content[{k}]"), problem, "Send the medium itself as a data URI (data:image/png;base64,…)");
            }
        }

        return null;
    }

    /// <summary>Something that the service behind a model does not do.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="field">Path of the field that asks for it.</param>
    /// <param name="method">What it asks for.</param>
    /// <param name="detail">The rest of the sentence that begins with the service.</param>
    public static PlatformError Unsupported(ChatRequest request, string field, string method, string detail) =>
        PlatformError.Unsupported(field, method, $"the service behind {request.Model} {detail}");
}
