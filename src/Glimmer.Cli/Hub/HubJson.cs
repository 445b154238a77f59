using System.Text.Json;

namespace Glimmer.Cli.Hub;

/// <summary>Reads a hub's answers: bounded in size, and no field is trusted to have its type.</summary>
internal static class HubJson
{
    private const int LargestAnswer = 32 << 20;

    /// <summary>The body as JSON.</summary>
    public static async Task<JsonDocument> ReadAsync(HttpResponseMessage response, string hub, CancellationToken cancel)
    {
        if (response.Content.Headers.ContentLength > LargestAnswer)
            throw new HubException($"{hub} answers with {response.Content.Headers.ContentLength} bytes where a list of files was expected.");
        await using Stream body = await response.Content.ReadAsStreamAsync(cancel);
        using MemoryStream copy = new();
        byte[] buffer = new byte[64 << 10];
        for (int read; (read = await body.ReadAsync(buffer, cancel)) > 0;)
        {
            copy.Write(buffer, 0, read);
            if (copy.Length > LargestAnswer)
                throw new HubException($"{hub} answers with more than {LargestAnswer} bytes where a list of files was expected.");
        }

        try
        {
            return JsonDocument.Parse(copy.GetBuffer().AsMemory(0, (int)copy.Length), new JsonDocumentOptions { MaxDepth = 16 });
        }
        catch (JsonException fault)
        {
            throw new HubException($"{hub} answered with something that is not JSON; is the address that of a hub?", fault);
        }
    }

    /// <summary>A string field, or null.</summary>
    public static string? Text(JsonElement entry, string name) =>
        entry.ValueKind == JsonValueKind.Object && entry.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The size of a file.</summary>
    public static long Size(JsonElement entry, string path, string hub)
    {
        string name = entry.TryGetProperty("size", out _) ? "size" : "Size";
        if (entry.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long size) && size >= 0)
            return size;
        throw new HubException($"{hub} lists {path} without a usable size.");
    }

    /// <summary>A digest of the right length, or null.</summary>
    public static string? Digest(JsonElement entry, string name, int digits)
    {
        string? text = Text(entry, name);
        if (text is not null && text.StartsWith("sha256:", StringComparison.Ordinal))
            text = text["sha256:".Length..];
        return text is not null && text.Length == digits && text.All(char.IsAsciiHexDigit) ? text.ToLowerInvariant() : null;
    }
}
