using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Embeddings;

/// <summary>How much text the platform's embedding models take (spec: api.md §12.1), whoever makes their vectors.</summary>
internal static class EmbeddingLimits
{
    /// <summary>Most tokens of a text, of every model that is not named here.</summary>
    public const int TextTokens = 3072;

    private const string Older = "embedding-2";
    private const int OlderTextTokens = 512;
    private const int OlderTokens = 8192;

    /// <summary>Most tokens of a text.</summary>
    public static int TextTokensOf(string model) => string.Equals(model, Older, StringComparison.OrdinalIgnoreCase) ? OlderTextTokens : TextTokens;

    /// <summary>The error when a text is too long, or all of them are together.</summary>
    /// <param name="model">Code of the model.</param>
    /// <param name="index">Place of the text in the request.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="all">Tokens of all texts up to it.</param>
    public static PlatformError? Check(string model, int index, int tokens, int all)
    {
        if (tokens > TextTokensOf(model))
            return TooLong(model, string.Create(CultureInfo.InvariantCulture, $"input[{index}]"), tokens, TextTokensOf(model));
        return all > OlderTokens && string.Equals(model, Older, StringComparison.OrdinalIgnoreCase) ? TooLong(model, "input", all, OlderTokens) : null;
    }

    /// <summary>1261: more tokens than the model reads.</summary>
    public static PlatformError TooLong(string model, string field, int tokens, int most) => PlatformError.Of(BusinessCode.PromptTooLong) with
    {
        Message = string.Create(CultureInfo.InvariantCulture, $"The parameter {field} has {tokens} tokens; {model} reads at most {most}."),
        Field = field,
    };
}
