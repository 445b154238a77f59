using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Matching;

namespace Glimmer.Dialogue.Constraints;

/// <summary>
/// A grammar compiled for one vocabulary: immutable to its users, safe to share, and quicker the more it is used, since states
/// and masks are kept.
/// </summary>
public sealed class CompiledConstraint
{
    internal CompiledConstraint(VocabularyMasks vocabulary, Grammar grammar, IReadOnlyCollection<int> stopTokens)
    {
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
