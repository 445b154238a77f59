namespace Glimmer.Dialogue.Tokenization;

/// <summary>How the vocabulary spells its text tokens.</summary>
public enum TokenSpelling
{
    /// <summary>In the byte-level alphabet, as <c>tokenizer.json</c> and GGUF do (<c>Ġthe</c>).</summary>
    ByteAlphabet,

    /// <summary>As the bytes themselves, as ranks files do.</summary>
    Bytes,
}

/// <summary>
/// Everything a byte-level BPE tokenizer is made of, whatever file it came from. For GGUF: <c>tokenizer.ggml.tokens</c>,
/// <c>token_type</c> and <c>merges</c> as they stand.
/// </summary>
public sealed class TokenizerData
{
    /// <summary>Name for error messages: the file's path.</summary>
    public required string Source { get; init; }

    /// <summary>
    /// Tokens in order of id. An entry whose <see cref="Kinds"/> is not <see cref="TokenKind.Text"/> gives its spelling as plain
    /// UTF-8; an empty entry is unused.
    /// </summary>
    public required Utf8StringList Tokens { get; init; }

    /// <summary>How text tokens are spelt.</summary>
    public TokenSpelling Spelling { get; init; }

    /// <summary>
    /// What each entry of <see cref="Tokens"/> is; empty when all are text. GGUF's types map: 1 → text, 3 → special,
    /// 4 → added, 5 → unused.
    /// </summary>
    public IReadOnlyList<TokenKind> Kinds { get; init; } = [];

    /// <summary>
    /// Added tokens with flags. They may repeat an entry of <see cref="Tokens"/> (same id, same spelling), which then is an added
    /// token, or lie beyond them.
    /// </summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>
    /// Merges in order of rank, each <c>left right</c> in the tokens' spelling with one space between. Null: the id of a text token is its rank and
    /// any two neighbours whose bytes together are a token may merge (ranks files).
    /// </summary>
    public Utf8StringList? Merges { get; init; }

    /// <summary>Whether a piece that is a token is taken at once, without merging. All GLM vocabularies do.</summary>
    public bool IgnoreMerges { get; init; } = true;

    /// <summary>The pre-tokenizer's expression; null for GLM's.</summary>
    public string? PieceExpression { get; init; }

    /// <summary>Whether text is split by GLM's expression.</summary>
    public bool SplitsAsGlm => PieceExpression is null or GlmPieceScanner.Pattern;

    /// <summary>What the reference puts before a text when asked to add special tokens: ids.</summary>
    public IReadOnlyList<int> Prefix { get; init; } = [];

    /// <summary>What the reference puts after a text when asked to add special tokens: ids.</summary>
    public IReadOnlyList<int> Suffix { get; init; } = [];

    /// <summary>
    /// Whether an added token must not be spelt as a text token of another id. The reference gives such a token the id of the
    /// vocabulary, whatever the file says, so a <c>tokenizer.json</c> like that contradicts itself.
    /// </summary>
    internal bool RefuseShadowed { get; init; }
}
