namespace Glimmer.Inference;

/// <summary>How a request came in: what a backend that stands in for the platform may look at besides the question itself. No backend needs it to answer.</summary>
public sealed record RequestOrigin
{
    private static readonly string[] SecretParts = ["authorization", "api-key", "apikey", "token", "secret", "password", "cookie", "credential"];

    /// <summary>The platform's id of the request.</summary>
    public required string RequestId { get; init; }

    /// <summary>The dialect: <c>native</c>, <c>openai</c>, <c>anthropic</c>, <c>ollama</c> or <c>gemini</c>.</summary>
    public required string Dialect { get; init; }

    /// <summary>Path without its query, in the platform's spelling.</summary>
    public required string Path { get; init; }

    /// <summary>Whether the answer goes out as it is made.</summary>
    public bool Stream { get; init; }

    /// <summary>The client's end user; null when it named none.</summary>
    public string? EndUser { get; init; }

    /// <summary>Looks a header up; valid until the answer has begun. Null where there are none.</summary>
    public Func<string, string?>? Headers { get; init; }

    /// <summary>The value of a header; null when it is not there, or when its name says that it holds a secret.</summary>
    /// <param name="name">Its name, in any case.</param>
    public string? Header(string name) => IsSecret(name) ? null : Headers?.Invoke(name);

    /// <summary>Whether a header of this name is taken to hold a secret and is never shown to a backend: Authorization, x-api-key, Cookie and whatever names a key, a token, a password or the like.</summary>
    /// <param name="name">A header's name, in any case.</param>
    public static bool IsSecret(string name) => Array.Exists(SecretParts, part => name.Contains(part, StringComparison.OrdinalIgnoreCase));
}
