using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Checks <c>metadata</c>: at most 16 names of at most 64 characters with texts of at most 512.</summary>
internal static class RequestMetadata
{
    private const string Legal = "Send an object of at most 16 names of 64 characters with texts of 512 characters";

    /// <summary>Fails the body when it is wrong.</summary>
    /// <returns>The object, still part of the body; null when absent.</returns>
    public static JsonElement? Check(FieldReader body)
    {
        if (body.Object("metadata", Legal) is not { } metadata)
            return null;
        int count = 0;
        foreach (JsonProperty entry in metadata.Element.EnumerateObject())
        {
            if (++count > 16 || entry.Name.Length > 64)
            {
                metadata.Fail(PlatformError.Invalid("metadata", count > 16 ? "it has more than 16 names" : "a name is longer than 64 characters", Legal));
                return null;
            }

            metadata.Text(entry.Name, max: 512);
        }

        return body.Error is null ? metadata.Element : null;
    }
}
