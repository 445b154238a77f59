using System.Globalization;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Models;

namespace Glimmer.Server.Chat;

/// <summary>Checks pictures, films, sound and documents of a request against what the model takes (spec: api.md §6.3).</summary>
internal static class MediaCheck
{
    /// <summary>The error of the first part that cannot be taken; null when all can.</summary>
    public static PlatformError? Check(ChatCompletionRequest wire, in ModelOffer offer)
    {
        CatalogModel model = offer.Model;
        int images = 0, videos = 0, files = 0;
        string firstKind = "";
        foreach (WireMessage message in wire.Messages)
        {
            foreach (WirePart part in message.Parts)
            {
                (string kind, int count, int most) = part.Kind switch
                {
                    WirePartKind.Image => ("image_url", ++images, model.MaxImages),
                    WirePartKind.Video => ("video_url", ++videos, model.MaxVideos),
                    WirePartKind.File => ("file", ++files, model.MaxFiles),
                    WirePartKind.Audio => ("input_audio", 1, model.Kind == ModelKind.SpeechChat ? 1 : 0),
                    _ => ("", 0, 0),
                };
                if (kind.Length == 0)
                    continue;
                if (most == 0 || offer.Route.StandIn)
                    return PlatformError.Unsupported(part.Field, kind, $"{model.Code} reads text only; send parts of type text");
                if (part.Kind == WirePartKind.File)
                    return PlatformError.Unsupported(part.Field, kind, "this server reads no documents; send their text");
                if (count > most)
                    return PlatformError.Invalid(part.Field, string.Create(CultureInfo.InvariantCulture, $"it is the {kind} number {count}"), string.Create(CultureInfo.InvariantCulture, $"{model.Code} takes at most {most}"));
                if (firstKind.Length == 0)
                    firstKind = kind;
                else if (firstKind != kind)
                    return PlatformError.Of(BusinessCode.ParametersConflict, firstKind, kind) with { Field = part.Field };
            }
        }

        return null;
    }
}
