namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Kinds of edges.</summary>
internal enum EdgeKind
{
    /// <summary>Costs nothing; may be guarded.</summary>
    Empty,

    /// <summary>A text of a terminal.</summary>
    Terminal,

    /// <summary>A control token.</summary>
    Control,

    /// <summary>A rule, in a new frame.</summary>
    Call,
}

/// <summary>An edge of a rule's automaton.</summary>
/// <param name="Kind">What passes it.</param>
/// <param name="Target">Node it leads to.</param>
/// <param name="Guard">Condition of an empty edge.</param>
/// <param name="Terminal">For <see cref="EdgeKind.Terminal"/>.</param>
/// <param name="Tokens">For <see cref="EdgeKind.Control"/>.</param>
/// <param name="Entry">For <see cref="EdgeKind.Call"/>: first node of the rule.</param>
internal sealed record GrammarEdge(EdgeKind Kind, int Target, Guard Guard, Terminal? Terminal, int[]? Tokens, int Entry);

/// <summary>
/// A grammar as a recursive transition network: one automaton per rule over shared node numbers. Edges that cannot lead to a
/// complete text are gone, and every node knows how many frames it still needs, so that a matcher with a bounded stack never
/// runs into a dead end.
/// </summary>
internal sealed class Grammar
{
    /// <summary>Most nodes of a grammar.</summary>
    public const int MaxNodes = 200_000;

    internal const int Unreachable = int.MaxValue;

    private Grammar(GrammarEdge[][] edges, bool[] final, int[] height, int start)
    {
        Edges = edges;
        Final = final;
        Height = height;
        Start = start;
        GreatestHeight = height.Where(h => h != Unreachable).DefaultIfEmpty(0).Max();
    }

    /// <summary>Greatest of the heights.</summary>
    public int GreatestHeight { get; }

    /// <summary>Outgoing edges per node.</summary>
    public GrammarEdge[][] Edges { get; }

    /// <summary>Whether a node ends its rule.</summary>
    public bool[] Final { get; }

    /// <summary>Frames that the way from a node to the end of its rule needs at least.</summary>
    public int[] Height { get; }

    /// <summary>First node.</summary>
    public int Start { get; }

    /// <summary>Whether no text is accepted.</summary>
    public bool IsEmpty => Height[Start] == Unreachable;

    /// <summary>Compiles the tree and every rule it refers to.</summary>
    /// <exception cref="GrammarException">Left recursion, or too many nodes.</exception>
    public static Grammar Compile(Expression root) => new GrammarCompiler().Compile(root);

    /// <summary>Whether any text matches the expression (guards are taken to pass).</summary>
    public static bool Accepts(Expression root) => !Compile(root).IsEmpty;

    internal static Grammar Of(List<List<GrammarEdge>> edges, bool[] final, int start)
    {
        int[] height = FindHeights(edges, final);
        GrammarEdge[][] kept = new GrammarEdge[edges.Count][];
        for (int n = 0; n < edges.Count; n++)
        {
            kept[n] = [.. edges[n].Where(e => height[e.Target] != Unreachable
                && (e.Kind != EdgeKind.Call || height[e.Entry] != Unreachable))];
        }

        return new(kept, final, height, start);
    }

    private static int[] FindHeights(List<List<GrammarEdge>> edges, bool[] final)
    {
        List<int>[] dependants = new List<int>[edges.Count];
        for (int n = 0; n < edges.Count; n++)
            dependants[n] = [];
        int[] height = new int[edges.Count];
        Queue<int> work = new();
        for (int n = 0; n < edges.Count; n++)
        {
            height[n] = Unreachable;
            foreach (GrammarEdge edge in edges[n])
            {
                dependants[edge.Target].Add(n);
                if (edge.Kind == EdgeKind.Call)
                    dependants[edge.Entry].Add(n);
            }

            if (final[n])
            {
                height[n] = 0;
                work.Enqueue(n);
            }
        }

        while (work.TryDequeue(out int changed))
        {
            foreach (int n in dependants[changed])
            {
                int best = height[n];
                foreach (GrammarEdge edge in edges[n])
                {
                    int need = height[edge.Target];
                    if (need == Unreachable)
                        continue;
                    if (edge.Kind == EdgeKind.Call)
                    {
                        if (height[edge.Entry] == Unreachable)
                            continue;
                        need = Math.Max(need, height[edge.Entry] + 1);
                    }

                    best = Math.Min(best, need);
                }

                if (best < height[n])
                {
                    height[n] = best;
                    work.Enqueue(n);
                }
            }
        }

        return height;
    }
}

/// <summary>A grammar that cannot be compiled.</summary>
internal sealed class GrammarException(string message) : Exception(message);
