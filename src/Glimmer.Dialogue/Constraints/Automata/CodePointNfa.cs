namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>What an empty edge of an automaton asks of the position.</summary>
internal enum EmptyEdge
{
    /// <summary>Nothing.</summary>
    Free,

    /// <summary>That it is the beginning of the text.</summary>
    AtStart,

    /// <summary>That it is the end of the text.</summary>
    AtEnd,
}

/// <summary>A non-deterministic automaton under construction, and its determinisation.</summary>
internal sealed class CodePointNfa
{
    /// <summary>No automaton has more nodes: counted repetitions are written out, and this bounds them.</summary>
    public const int MaxNodes = 60_000;

    /// <summary>Most node visits of a determinisation, so that a hostile pattern costs a bounded time.</summary>
    private const int MaxVisits = 2_000_000;

    private readonly List<List<(int Set, int Target)>> _edges = [];
    private readonly List<List<(EmptyEdge Kind, int Target)>> _empty = [];
    private readonly List<CodePointSet> _sets = [];
    private readonly Dictionary<CodePointSet, int> _setNumbers = [];

    public int AddNode()
    {
        if (_edges.Count >= MaxNodes)
            throw new AutomatonTooLargeException($"more than {MaxNodes} nodes");
        _edges.Add([]);
        _empty.Add([]);
        return _edges.Count - 1;
    }

    public void AddEdge(int from, CodePointSet set, int to)
    {
        if (set.IsEmpty)
            return;
        if (!_setNumbers.TryGetValue(set, out int number))
        {
            number = _sets.Count;
            _sets.Add(set);
            _setNumbers.Add(set, number);
        }

        _edges[from].Add((number, to));
    }

    public void AddEmpty(int from, int to, EmptyEdge kind = EmptyEdge.Free) => _empty[from].Add((kind, to));

    /// <summary>The deterministic automaton of the texts that lead from one node to the other.</summary>
    /// <exception cref="AutomatonTooLargeException">It would have too many states.</exception>
    public CodePointDfa ToDfa(int start, int accept)
    {
        Alphabet alphabet = Alphabet.Of(_sets);
        Dictionary<RowKey, int> numbers = [];
        List<int[]> members = [];
        List<bool> accepting = [];
        List<int> next = [];
        int visits = 0;
        int first = Intern(Close([start], atStart: true), atStart: true);
        for (int i = 0; i < members.Count; i++)
        {
            SortedSet<int>?[] targets = new SortedSet<int>?[alphabet.Count];
            foreach (int node in members[i])
            {
                foreach ((int set, int target) in _edges[node])
                {
                    foreach (int c in alphabet.ClassesOfSet[set])
                        (targets[c] ??= []).Add(target);
                }
            }

            foreach (SortedSet<int>? target in targets)
                next.Add(target is null ? -1 : Intern(Close(target, atStart: false), atStart: false));
        }

        return CodePointDfa.FromTable(alphabet.IntervalStarts, alphabet.IntervalClasses, alphabet.Count, [.. next], [.. accepting], first);

        int Intern(int[] nodes, bool atStart)
        {
            // The start is a state of its own: only there may "^" be passed.
            visits += nodes.Length;
            if (visits > MaxVisits)
                throw new AutomatonTooLargeException("too much work to make it deterministic");
            RowKey key = new(atStart ? [-1, .. nodes] : nodes);
            if (numbers.TryGetValue(key, out int number))
                return number;
            if (members.Count >= CodePointDfa.MaxStates)
                throw new AutomatonTooLargeException($"more than {CodePointDfa.MaxStates} states");
            number = members.Count;
            numbers.Add(key, number);
            members.Add(nodes);
            accepting.Add(Reaches(nodes, accept, atStart));
            return number;
        }
    }

    private int[] Close(IEnumerable<int> nodes, bool atStart)
    {
        SortedSet<int> closed = [.. nodes];
        Stack<int> work = new(closed);
        while (work.TryPop(out int node))
        {
            foreach ((EmptyEdge kind, int target) in _empty[node])
            {
                if ((kind == EmptyEdge.Free || (kind == EmptyEdge.AtStart && atStart)) && closed.Add(target))
                    work.Push(target);
            }
        }

        return [.. closed];
    }

    private bool Reaches(int[] nodes, int accept, bool atStart)
    {
        HashSet<int> closed = [.. nodes];
        Stack<int> work = new(closed);
        while (work.TryPop(out int node))
        {
            if (node == accept)
                return true;
            foreach ((EmptyEdge kind, int target) in _empty[node])
            {
                if ((kind != EmptyEdge.AtStart || atStart) && closed.Add(target))
                    work.Push(target);
            }
        }

        return false;
    }
}

/// <summary>A regular expression or an intersection of several needs too many states.</summary>
internal sealed class AutomatonTooLargeException(string message) : Exception(message);
