using System.Globalization;
using System.Runtime.InteropServices;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Prompting;

/// <summary>Turns raw prompts into tokens.</summary>
internal static class RawPrompts
{
    private const string Before = "<|code_prefix|>";
    private const string After = "<|code_suffix|>";
    private const string Gap = "<|code_middle|>";

    /// <summary>The tokens of a prompt.</summary>
    /// <param name="raw">The prompt.</param>
    /// <param name="tokenizer">The model's vocabulary.</param>
    /// <param name="model">The model's code, for errors.</param>
    /// <param name="error">Why there are none.</param>
    public static RenderedPrompt? Encode(RawPrompt raw, ITokenizer tokenizer, string model, out PlatformError? error)
    {
        List<int> ids = [];
        error = raw.Suffix is { } suffix ? Fill(raw, suffix, tokenizer, model, ids) : raw.Tokens is { } tokens ? Check(tokens, tokenizer, model, ids) : null;
        if (error is null && raw is { Suffix: null, Tokens: null })
        {
            tokenizer.Encode(raw.Text, recogniseAdded: true, ids);

            // What the vocabulary's own file puts before a text that is no conversation.
            if (tokenizer is Tokenizer { Prefix: { Count: > 0 } prefix } && !CollectionsMarshal.AsSpan(ids).StartsWith([.. prefix]))
                ids.InsertRange(0, prefix);
        }

        if (error is null && ids.Count == 0)
            error = PlatformError.Invalid("prompt", "it is empty", "Send some text");
        return error is null ? new RenderedPrompt([.. ids], OutputStart.Content, []) : null;
    }

    private static PlatformError? Check(IReadOnlyList<int> tokens, ITokenizer tokenizer, string model, List<int> ids)
    {
        for (int i = 0; i < tokens.Count; i++)
        {
            if (tokenizer.KindOf(tokens[i]) == TokenKind.Unused)
            {
                return PlatformError.Invalid(
                    "prompt", string.Create(CultureInfo.InvariantCulture, $"token {i} is {tokens[i]}, which means nothing to {model}"), string.Create(CultureInfo.InvariantCulture, $"Send ids of its vocabulary, below {tokenizer.VocabularySize}"));
            }
        }

        ids.AddRange(tokens);
        return null;
    }

    /// <summary>Before, after, gap: the order in which other servers of these vocabularies write it.</summary>
    private static PlatformError? Fill(RawPrompt raw, string suffix, ITokenizer tokenizer, string model, List<int> ids)
    {
        if (!tokenizer.TryGetAdded(Before, out int before) || !tokenizer.TryGetAdded(After, out int after) || !tokenizer.TryGetAdded(Gap, out int gap))
            return PlatformError.Invalid("suffix", $"the vocabulary of {model} has no tokens for gaps", $"Leave it out, or use a model with {Before}, {After} and {Gap}");
        ids.Add(before);
        if (raw.Tokens is { } tokens)
        {
            List<int> known = [];
            if (Check(tokens, tokenizer, model, known) is { } error)
                return error;
            ids.AddRange(known);
        }
        else
        {
            tokenizer.Encode(raw.Text, recogniseAdded: false, ids);
        }

        ids.Add(after);
        tokenizer.Encode(suffix, recogniseAdded: false, ids);
        ids.Add(gap);
        return null;
    }
}
