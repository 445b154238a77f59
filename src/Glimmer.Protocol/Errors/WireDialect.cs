namespace Glimmer.Protocol.Errors;

/// <summary>The dialects in which the platform is spoken to.</summary>
public enum WireDialect
{
    /// <summary>The platform's own (<c>/api/paas/v4</c>, <c>/api/coding/paas/v4</c> and everything else).</summary>
    Native,

    /// <summary>OpenAI's (<c>/v1</c>).</summary>
    OpenAI,

    /// <summary>Anthropic's (<c>/api/anthropic</c>, <c>/v1/messages</c>).</summary>
    Anthropic,

    /// <summary>Ollama's (<c>/api/chat</c>, <c>/api/generate</c> …).</summary>
    Ollama,

    /// <summary>Google's Gemini API (<c>/v1beta</c>, and its methods of models elsewhere).</summary>
    Gemini,
}

/// <summary>Finds the dialect of a path.</summary>
public static class WireDialects
{
    private static readonly string[] OllamaPaths =
    [
        "/api/chat", "/api/generate", "/api/tags", "/api/show", "/api/embed", "/api/embeddings", "/api/version", "/api/ps", "/api/pull", "/api/push", "/api/create", "/api/copy", "/api/delete",
    ];

    private static readonly string[] GeminiMethods = [":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent", ":batchEmbedContents"];

    // llama.cpp's server tells errors as OpenAI does.
    private static readonly string[] OpenAIPaths =
    [
        "/chat/completions", "/models", "/props", "/slots", "/tokenize", "/detokenize", "/apply-template", "/completion", "/completions", "/infill", "/rerank", "/reranking", "/v2/rerank",
    ];

    /// <summary>The dialect that errors on this path are told in.</summary>
    /// <param name="path">Normalised path.</param>
    public static WireDialect Of(string path)
    {
        if (IsUnder(path, "/api/anthropic") || IsUnder(path, "/v1/messages"))
            return WireDialect.Anthropic;
        if (IsUnder(path, "/v1beta") || IsUnder(path, "/v1alpha") || ((IsUnder(path, "/v1/models") || IsUnder(path, "/models")) && Array.Exists(GeminiMethods, method => path.EndsWith(method, StringComparison.Ordinal))))
            return WireDialect.Gemini;
        if (IsUnder(path, "/v1") || IsOneOf(OpenAIPaths, path))
            return WireDialect.OpenAI;
        return IsOneOf(OllamaPaths, path) || IsUnder(path, "/api/blobs") ? WireDialect.Ollama : WireDialect.Native;
    }

    private static bool IsOneOf(string[] paths, string path) => Array.Exists(paths, known => path.Equals(known, StringComparison.OrdinalIgnoreCase));

    private static bool IsUnder(string path, string folder) =>
        path.StartsWith(folder, StringComparison.OrdinalIgnoreCase) && (path.Length == folder.Length || path[folder.Length] == '/');
}
