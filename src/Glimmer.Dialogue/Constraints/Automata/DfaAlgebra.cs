using System.Text;

namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>Set operations on the languages of automata.</summary>
internal static class DfaAlgebra
{
    /// <summary>The texts that both accept.</summary>
    public static CodePointDfa Intersect(CodePointDfa left, CodePointDfa right) => Product(left, right, (a, b) => a && b);

    /// <summary>The texts that the first accepts and the second does not.</summary>
    public static CodePointDfa Except(CodePointDfa left, CodePointDfa right) => Product(left, right, (a, b) => a && !b);

    /// <summary>The texts that the automaton does not accept.</summary>
    public static CodePointDfa Complement(CodePointDfa dfa) => Except(AnyText, dfa);

    /// <summary>Every text.</summary>
    public static CodePointDfa AnyText { get; } = MakeAny();

    /// <summary>Exactly these texts.</summary>
    public static CodePointDfa OneOf(IEnumerable<string> texts)
    {
        CodePointNfa nfa = new();
        int start = nfa.AddNode();
        int accept = nfa.AddNode();
        Dictionary<(int, int), int> trie = [];
        Dictionary<int, CodePointSet> singles = [];
        foreach (string text in texts)
        {
            int node = start;
            foreach (Rune rune in text.EnumerateRunes())
            {
                if (!trie.TryGetValue((node, rune.Value), out int child))
                {
                    child = nfa.AddNode();
                    trie.Add((node, rune.Value), child);
                    if (!singles.TryGetValue(rune.Value, out CodePointSet? single))
                        singles.Add(rune.Value, single = CodePointSet.Single(rune.Value));
                    nfa.AddEdge(node, single, child);
                }

                node = child;
            }

            nfa.AddEmpty(node, accept);
        }

        return nfa.ToDfa(start, accept);
    }

    private static CodePointDfa MakeAny()
    {
        CodePointNfa nfa = new();
        int node = nfa.AddNode();
        nfa.AddEdge(node, CodePointSet.Any, node);
        return nfa.ToDfa(node, node);
    }

    private static CodePointDfa Product(CodePointDfa left, CodePointDfa right, Func<bool, bool, bool> accept)
    {
        int[] starts = [.. left.IntervalStarts.ToArray().Union(right.IntervalStarts.ToArray()).Order()];
        Dictionary<(int, int), int> classNumbers = [];
        int[] classes = new int[starts.Length];
        List<(int Left, int Right)> pairs = [];
        for (int i = 0; i < starts.Length; i++)
        {
            (int, int) pair = (left.ClassOf(starts[i]), right.ClassOf(starts[i]));
            if (!classNumbers.TryGetValue(pair, out classes[i]))
            {
                classes[i] = pairs.Count;
                classNumbers.Add(pair, classes[i]);
                pairs.Add(pair);
            }
        }

        // −1 stands for "this side can accept no more".
        Dictionary<(int, int), int> numbers = [];
        List<(int Left, int Right)> states = [];
        List<bool> accepting = [];
        List<int> next = [];
        int first = Intern((left.Start, right.Start));
        for (int i = 0; i < states.Count; i++)
        {
            (int l, int r) = states[i];
            foreach ((int leftClass, int rightClass) in pairs)
            {
                int leftNext = l < 0 ? -1 : left.NextByClass(l, leftClass);
                int rightNext = r < 0 ? -1 : right.NextByClass(r, rightClass);
                next.Add(leftNext < 0 ? -1 : Intern((leftNext, rightNext)));
            }
        }

        return CodePointDfa.FromTable(starts, classes, pairs.Count, [.. next], [.. accepting], first);

        int Intern((int Left, int Right) pair)
        {
            if (numbers.TryGetValue(pair, out int number))
                return number;
            if (states.Count >= CodePointDfa.MaxStates)
                throw new AutomatonTooLargeException($"more than {CodePointDfa.MaxStates} states");
            number = states.Count;
            numbers.Add(pair, number);
            states.Add(pair);
            accepting.Add(accept(pair.Left >= 0 && left.IsAccepting(pair.Left), pair.Right >= 0 && right.IsAccepting(pair.Right)));
            return number;
        }
    }
}
