using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;

namespace Glimmer.Dialogue.Constraints;

/// <summary>
/// A grammar compiled for one vocabulary: immutable to its users, safe to share, and quicker the more it is used, since states
/// and masks are kept.
/// </summary>
public sealed class CompiledConstraint
{
    private readonly Expression _answer;
    private readonly Lock _exports = new();
    private readonly string?[] _exported = new string?[2];

    /// <param name="vocabulary">The vocabulary.</param>
    /// <param name="preamble">What may come before the answer.</param>
    /// <param name="answer">The answer.</param>
    /// <param name="stopTokens">Ids that end a turn.</param>
    internal CompiledConstraint(VocabularyMasks vocabulary, AnswerPreamble preamble, Expression answer, IReadOnlyCollection<int> stopTokens)
    {
        Grammar grammar = Grammar.Compile(TagGrammar.After(preamble, answer));
        _answer = answer;
        Vocabulary = vocabulary;
        StopTokens = [.. stopTokens];
        Machine = new GrammarMachine(grammar);
        Masks = new MaskBuilder(vocabulary, Machine, StopTokens);
    }

    internal VocabularyMasks Vocabulary { get; }

    internal IReadOnlySet<int> StopTokenSet => StopTokens;

    internal GrammarMachine Machine { get; }

    internal MaskBuilder Masks { get; }

    private HashSet<int> StopTokens { get; }

    /// <summary>A constraint for one generation, before its first token.</summary>
    public GrammarConstraint Start() => new(this);

    /// <summary>
    /// The grammar of the answer, without what may come before it, in GBNF notation for another engine; null when it would be longer
    /// than <see cref="GbnfWriter.MaxLength"/>. It allows what this constraint allows, white space included, with these differences: arguments of tools
    /// with more than <see cref="GbnfWriter.MaxFreeProperties"/> properties come in the order of their schema; a bound above
    /// <see cref="GbnfWriter.MaxRepeat"/> is left out, so is a length beside a pattern that would take more than <see cref="GbnfTerminals.MaxPairs"/>
    /// rules; sets of very many ranges of characters are not spelled by digits in JSON strings; for xgrammar a set that is not all of the characters beyond
    /// ASCII is taken for all. So its texts are checked by this constraint.
    /// </summary>
    /// <param name="dialect">Who reads it.</param>
    public string? ToGbnf(GbnfDialect dialect)
    {
        lock (_exports)
        {
            ref string? known = ref _exported[(int)dialect];
            known ??= GbnfWriter.Write(_answer, Vocabulary.Tokenizer, StopTokens, dialect) ?? "";
            return known.Length == 0 ? null : known;
        }
    }

    /// <summary>Whether a text is complete under the grammar; for tests and tools. Control tokens cannot be given as text.</summary>
    /// <param name="text">UTF-8.</param>
    public bool AcceptsText(ReadOnlySpan<byte> text)
    {
        MatchState state = Machine.Start;
        foreach (byte b in text)
        {
            state = state.Next(b);
            if (state.IsDead)
                return false;
        }

        return state.CanEnd;
    }
}
