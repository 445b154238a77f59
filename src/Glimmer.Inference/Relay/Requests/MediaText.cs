namespace Glimmer.Inference.Relay.Requests;

/// <summary>Reads how a medium was given: an address, a data URI or bare base64.</summary>
internal static class MediaText
{
    private const int MaxScheme = 64;

    /// <summary>Whether it is an address that the service fetches itself.</summary>
    public static bool IsAddress(string source) =>
        source.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || source.StartsWith("https://", StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether it is a data URI.</summary>
    public static bool IsDataUri(string source) => source.StartsWith("data:", StringComparison.OrdinalIgnoreCase);

    /// <summary>The scheme of an address in lower case, also of one with blanks before it; null for base64, which has no colon.</summary>
    public static string? SchemeOf(string source)
    {
        ReadOnlySpan<char> text = source.AsSpan().TrimStart();
        int colon = text[..Math.Min(text.Length, MaxScheme)].IndexOf(':');
        return colon < 0 ? null : text[..colon].ToString().ToLowerInvariant();
    }

    /// <summary>The type and the base64 of a picture that is no address; the type of bare base64 is told from its first bytes.</summary>
    public static (string Type, string Data) Picture(string source)
    {
        if (IsDataUri(source))
        {
            int comma = source.IndexOf(',', StringComparison.Ordinal);
            int end = source.IndexOf(';', StringComparison.Ordinal);
            if (comma > 0 && end > 5 && end < comma)
                return (source[5..end], source[(comma + 1)..]);
        }

        string type = source switch
        {
            _ when source.StartsWith("iVBOR", StringComparison.Ordinal) => "image/png",
            _ when source.StartsWith("R0lGOD", StringComparison.Ordinal) => "image/gif",
            _ when source.StartsWith("UklGR", StringComparison.Ordinal) => "image/webp",
            _ => "image/jpeg",
        };
        return (type, source);
    }

    /// <summary>The format of sound as base64: a RIFF header is <c>wav</c>, anything else <c>mp3</c>.</summary>
    public static string SoundFormat(string data) => data.StartsWith("UklGR", StringComparison.Ordinal) ? "wav" : "mp3";
}
