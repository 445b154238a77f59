using System.Text.Json;

namespace Glimmer.Protocol.Json;

/// <summary>How every dialect reads and writes JSON.</summary>
public static class WireJson
{
    /// <summary>Deepest nesting of objects and arrays in a request.</summary>
    public const int MaxDepth = 64;

    /// <summary>
    /// One line, non-ASCII as it is. Line separators (U+0085, U+2028, U+2029) are still escaped, because some clients
    /// split an event stream there.
    /// </summary>
    public static JsonWriterOptions WriterOptions { get; } = new()
    {
        Encoder = WireEncoder.Instance,
        SkipValidation = true,
    };

    /// <summary>Strict JSON of bounded depth; of keys that come twice the last one counts.</summary>
    public static JsonDocumentOptions ReaderOptions { get; } = new() { MaxDepth = MaxDepth };
}
