using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints;

/// <summary>
/// Makes constraints for one vocabulary. There is one compiler per loaded tokenizer; it keeps the vocabulary's prefix tree and the
/// constraints made last, and is safe for use by several threads.
/// </summary>
public sealed class ConstraintCompiler
{
    /// <summary>Compiled constraints kept for later requests.</summary>
    public const int CachedConstraints = 64;

    private readonly VocabularyMasks _vocabulary;
    private readonly HashSet<int> _stopTokens;
    private readonly ConstraintCache _cache = new(CachedConstraints);

    /// <summary>Reads the vocabulary; takes some tenths of a second for a large one.</summary>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="stopTokens">Ids that end a turn. They are allowed exactly where an answer is complete.</param>
    public ConstraintCompiler(ITokenizer tokenizer, IReadOnlyCollection<int> stopTokens)
    {
        foreach (int stop in stopTokens)
        {
            if (stop < 0 || stop >= tokenizer.VocabularySize)
                throw new ArgumentOutOfRangeException(nameof(stopTokens), stop, $"The vocabulary has ids 0 to {tokenizer.VocabularySize - 1}.");
        }

        if (stopTokens.Count == 0)
            throw new ArgumentException("At least one id must end a turn.", nameof(stopTokens));
        _vocabulary = new VocabularyMasks(tokenizer);
        _stopTokens = [.. stopTokens];
    }

    /// <summary>Words of a mask of this vocabulary.</summary>
    public int MaskWords => _vocabulary.Trie.MaskWords;

    /// <summary>
    /// JSON mode: exactly one JSON object, nested at most <see cref="MaxNesting"/> deep, with bounded white space.
    /// </summary>
    public CompiledConstraint JsonObject(AnswerPreamble preamble) =>
        _cache.GetOrAdd(("json_object", preamble, ""), () => Compile(JsonGrammar.Text(JsonGrammar.Object), preamble));

    /// <summary>Deepest nesting that any constraint can produce.</summary>
    public const int MaxNesting = GrammarMachine.MaxDepth - 8;

    private CompiledConstraint Compile(Expression answer, AnswerPreamble preamble) =>
        new(_vocabulary, Grammar.Compile(TagGrammar.After(preamble, answer)), _stopTokens);
}
