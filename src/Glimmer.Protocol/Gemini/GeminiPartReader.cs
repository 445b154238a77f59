using System.Collections.Frozen;
using System.Text;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>Reads parts that hold text or media.</summary>
internal static class GeminiPartReader
{
    /// <summary>Members of a part.</summary>
    public static readonly FrozenSet<string> Names = FrozenSet.Create(
        StringComparer.Ordinal,
        "text", "inlineData", "fileData", "functionCall", "functionResponse", "thought", "thoughtSignature", "executableCode", "codeExecutionResult", "videoMetadata", "mediaResolution",
        "partMetadata", "mediaProcessing", "speechMetadata", "audioTranscription", "toolCall", "toolResponse");

    /// <summary>Members of <c>functionCall</c>.</summary>
    public static readonly FrozenSet<string> CallNames = FrozenSet.Create(StringComparer.Ordinal, "id", "name", "args", "partialArgs", "willContinue");

    /// <summary>Members of <c>functionResponse</c>.</summary>
    public static readonly FrozenSet<string> ResultNames = FrozenSet.Create(StringComparer.Ordinal, "id", "name", "response", "parts", "willContinue", "scheduling");

    private static readonly FrozenSet<string> _blobNames = FrozenSet.Create(StringComparer.Ordinal, "mimeType", "data", "displayName");
    private static readonly FrozenSet<string> _fileNames = FrozenSet.Create(StringComparer.Ordinal, "mimeType", "fileUri", "displayName");

    /// <summary>The part; null when it says nothing to this model, or is wrong.</summary>
    public static WirePart? Read(FieldReader part)
    {
        if (part.Text("text") is { } text)
            return text.Length > 0 ? new WirePart(WirePartKind.Text, text) : null;
        string inline = part.Spelt("inlineData"), file = part.Spelt("fileData");
        if (part.Object(inline, "Send an object such as {\"mimeType\":\"image/png\",\"data\":\"…\"}") is { } blob)
            return ReadBlob(blob);
        if (part.Object(file, "Send an object such as {\"mimeType\":\"image/png\",\"fileUri\":\"…\"}") is { } named)
            return ReadFile(named);
        if (part.Error is not null)
            return null;

        // Work of that vendor's own tools says nothing to this model.
        foreach (string other in (string[])["executableCode", "codeExecutionResult", "toolCall", "toolResponse", "audioTranscription", "thoughtSignature"])
        {
            if (part.Has(part.Spelt(other)))
                return null;
        }

        part.Fail(PlatformError.Invalid(part.Path, "it holds nothing", "Send text, inlineData, fileData, functionCall or functionResponse"));
        return null;
    }

    private static WirePart? ReadBlob(FieldReader blob)
    {
        blob.Know(_blobNames);
        string? media = blob.Text(blob.Spelt("mimeType"), required: true, min: 1, max: 256);
        string? data = blob.Text("data", required: true, min: 1);
        if (media is null || data is null)
            return null;
        data = GeminiThought.Plain(data);
        if (!media.StartsWith("text/", StringComparison.OrdinalIgnoreCase))
            return new WirePart(KindOf(media), $"data:{media};base64,{data}", blob.Path);
        byte[] bytes = new byte[(data.Length / 4 * 3) + 3];
        if (Convert.TryFromBase64String(data, bytes, out int length))
            return new WirePart(WirePartKind.Text, Encoding.UTF8.GetString(bytes, 0, length));
        blob.Fail(PlatformError.Invalid(blob.PathOf("data"), "it is no base64", "Send the bytes in base64"));
        return null;
    }

    private static WirePart? ReadFile(FieldReader file)
    {
        file.Know(_fileNames);
        string? address = file.Text(file.Spelt("fileUri"), required: true, min: 1, max: 8192);
        string media = file.Text(file.Spelt("mimeType"), max: 256) ?? "";
        return address is null ? null : new WirePart(KindOf(media), address, file.Path);
    }

    private static WirePartKind KindOf(string media) => media.Split('/')[0].ToLowerInvariant() switch
    {
        "image" => WirePartKind.Image,
        "video" => WirePartKind.Video,
        "audio" => WirePartKind.Audio,
        _ => WirePartKind.File,
    };
}
