namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Refuses rules that call themselves before anything is read: a stack of rules would grow without end.</summary>
internal static class LeftRecursion
{
    /// <exception cref="GrammarException">A rule is left-recursive; the message names it.</exception>
    public static void Check(List<List<GrammarEdge>> edges, List<bool> final, IReadOnlyList<(int Entry, string Name)> rules)
    {
        HashSet<int> nullable = FindNullable(edges, final, rules);
        Dictionary<int, List<int>> calls = [];
        foreach ((int entry, _) in rules)
        {
            List<int> called = [];
            foreach (int node in ReachableFree(edges, entry, nullable))
            {
                foreach (GrammarEdge edge in edges[node])
                {
                    if (edge.Kind == EdgeKind.Call)
                        called.Add(edge.Entry);
                }
            }

            calls.Add(entry, called);
        }

        // Depth-first search with colours, without recursion: 1 is on the path, 2 is done.
        Dictionary<int, int> colour = [];
        foreach ((int root, _) in rules)
        {
            if (colour.ContainsKey(root))
                continue;
            Stack<(int Entry, int Next)> path = new();
            path.Push((root, 0));
            colour[root] = 1;
            while (path.TryPop(out (int Entry, int Next) top))
            {
                if (top.Next == calls[top.Entry].Count)
                {
                    colour[top.Entry] = 2;
                    continue;
                }

                path.Push((top.Entry, top.Next + 1));
                int child = calls[top.Entry][top.Next];
                if (!colour.TryGetValue(child, out int seen))
                {
                    colour[child] = 1;
                    path.Push((child, 0));
                }
                else if (seen == 1)
                {
                    string name = rules.First(r => r.Entry == child).Name;
                    throw new GrammarException($"the rule '{name}' is left-recursive: it calls itself before it reads anything");
                }
            }
        }
    }

    /// <summary>Entries of the rules that accept the empty text.</summary>
    private static HashSet<int> FindNullable(List<List<GrammarEdge>> edges, List<bool> final, IReadOnlyList<(int Entry, string Name)> rules)
    {
        HashSet<int> nullable = [];
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach ((int entry, _) in rules)
            {
                if (!nullable.Contains(entry) && ReachableFree(edges, entry, nullable).Any(n => final[n]))
                {
                    nullable.Add(entry);
                    changed = true;
                }
            }
        }

        return nullable;
    }

    /// <summary>Nodes of a rule that can be reached from a node without reading anything.</summary>
    private static HashSet<int> ReachableFree(List<List<GrammarEdge>> edges, int from, HashSet<int> nullable)
    {
        HashSet<int> reached = [from];
        Stack<int> work = new(reached);
        while (work.TryPop(out int node))
        {
            foreach (GrammarEdge edge in edges[node])
            {
                bool free = edge.Kind switch
                {
                    EdgeKind.Empty => true,
                    EdgeKind.Call => nullable.Contains(edge.Entry),
                    EdgeKind.Terminal => edge.Terminal!.IsAccepting(edge.Terminal.Start),
                    _ => false,
                };
                if (free && reached.Add(edge.Target))
                    work.Push(edge.Target);
            }
        }

        return reached;
    }
}
