using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Patterns;

/// <summary>A regular expression as a tree.</summary>
internal abstract record RegexNode
{
    public static RegexNode Empty { get; } = new RegexSequence([]);

    /// <summary>The characters of a text, one after the other.</summary>
    public static RegexNode Literal(string text) =>
        new RegexSequence([.. text.EnumerateRunes().Select(r => new RegexChar(CodePointSet.Single(r.Value)))]);
}

/// <summary>One code point of a set.</summary>
internal sealed record RegexChar(CodePointSet Set) : RegexNode;

/// <summary>One after the other.</summary>
internal sealed record RegexSequence(IReadOnlyList<RegexNode> Items) : RegexNode;

/// <summary>One of several.</summary>
internal sealed record RegexChoice(IReadOnlyList<RegexNode> Items) : RegexNode;

/// <summary>As often as the bounds say; no maximum means any number.</summary>
internal sealed record RegexRepeat(RegexNode Item, int Minimum, int? Maximum) : RegexNode;

/// <summary><c>^</c> or <c>$</c>, of the whole text.</summary>
internal sealed record RegexAnchor(bool AtStart) : RegexNode;

/// <summary>From trees to automata.</summary>
internal static class RegexCompiler
{
    /// <summary>The texts that the expression matches from end to end.</summary>
    /// <exception cref="AutomatonTooLargeException">Too many states.</exception>
    public static CodePointDfa WholeText(RegexNode root)
    {
        CodePointNfa nfa = new();
        int start = nfa.AddNode();
        int accept = nfa.AddNode();
        Add(nfa, root, start, accept);
        return nfa.ToDfa(start, accept);
    }

    /// <summary>The texts in which the expression is found somewhere, as JSON Schema reads <c>pattern</c>.</summary>
    /// <exception cref="AutomatonTooLargeException">Too many states.</exception>
    public static CodePointDfa Search(RegexNode root)
    {
        CodePointNfa nfa = new();
        int outer = nfa.AddNode();
        int start = nfa.AddNode();
        int end = nfa.AddNode();
        int accept = nfa.AddNode();
        nfa.AddEmpty(outer, start);
        nfa.AddEdge(outer, CodePointSet.Any, outer);
        Add(nfa, root, start, end);
        nfa.AddEmpty(end, accept);
        nfa.AddEdge(end, CodePointSet.Any, end);
        return nfa.ToDfa(outer, accept);
    }

    private static void Add(CodePointNfa nfa, RegexNode node, int from, int to)
    {
        switch (node)
        {
            case RegexChar single:
                nfa.AddEdge(from, single.Set, to);
                break;
            case RegexAnchor anchor:
                nfa.AddEmpty(from, to, anchor.AtStart ? EmptyEdge.AtStart : EmptyEdge.AtEnd);
                break;
            case RegexSequence sequence:
                int at = from;
                foreach (RegexNode item in sequence.Items)
                {
                    int after = nfa.AddNode();
                    Add(nfa, item, at, after);
                    at = after;
                }

                nfa.AddEmpty(at, to);
                break;
            case RegexChoice choice:
                foreach (RegexNode item in choice.Items)
                    Add(nfa, item, from, to);
                break;
            case RegexRepeat repeat:
                AddRepeat(nfa, repeat, from, to);
                break;
            default:
                throw new InvalidOperationException($"No automaton for {node.GetType().Name}.");
        }
    }

    private static void AddRepeat(CodePointNfa nfa, RegexRepeat repeat, int from, int to)
    {
        int at = nfa.AddNode();
        nfa.AddEmpty(from, at);
        for (int i = 0; i < repeat.Minimum; i++)
        {
            int after = nfa.AddNode();
            Add(nfa, repeat.Item, at, after);
            at = after;
        }

        if (repeat.Maximum is not { } maximum)
        {
            int loop = nfa.AddNode();
            nfa.AddEmpty(at, loop);
            int after = nfa.AddNode();
            Add(nfa, repeat.Item, loop, after);
            nfa.AddEmpty(after, loop);
            nfa.AddEmpty(loop, to);
            return;
        }

        for (int i = repeat.Minimum; i < maximum; i++)
        {
            nfa.AddEmpty(at, to);
            int after = nfa.AddNode();
            Add(nfa, repeat.Item, at, after);
            at = after;
        }

        nfa.AddEmpty(at, to);
    }
}
