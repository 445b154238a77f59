using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>Automata for texts in which another text does not occur.</summary>
internal static class ForbiddenText
{
    /// <summary>Every text that does not contain the given one.</summary>
    public static CodePointDfa Without(string forbidden) =>
        DfaAlgebra.Complement(RegexCompiler.Search(RegexNode.Literal(forbidden)));

    /// <summary>Every text that ends with the given one and does not contain it before.</summary>
    public static CodePointDfa UpTo(string closing)
    {
        // Some text without the closing one, then one more character such that the closing one stands at the end for the first time.
        CodePointNfa nfa = new();
        int start = nfa.AddNode();
        nfa.AddEdge(start, CodePointSet.Any, start);
        int at = start;
        foreach (System.Text.Rune rune in closing.EnumerateRunes())
        {
            int next = nfa.AddNode();
            nfa.AddEdge(at, CodePointSet.Single(rune.Value), next);
            at = next;
        }

        CodePointDfa endsWith = nfa.ToDfa(start, at);

        // A text that contains it before its own last character: the closing text, then at least one more.
        RegexNode earlier = new RegexSequence([RegexNode.Literal(closing), new RegexChar(CodePointSet.Any)]);
        return DfaAlgebra.Except(endsWith, RegexCompiler.Search(earlier));
    }
}
