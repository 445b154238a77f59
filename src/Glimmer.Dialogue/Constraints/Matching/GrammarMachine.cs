using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// Runs a <see cref="Grammar"/> over bytes as a pushdown automaton, following all readings at once. States and stacks are
/// shared by all texts that pass through them, also between requests; past a bound they are forgotten and built anew. Safe
/// for use by several threads.
/// </summary>
internal sealed class GrammarMachine
{
    /// <summary>Deepest stack: the nesting of a text is bounded by it.</summary>
    public const int MaxDepth = 256;

    /// <summary>
    /// Most threads of a state. An ambiguous grammar can ask for more; those past the bound are dropped, which can refuse a
    /// legal text but never admits an illegal one, and never leads to a dead end, since every thread can reach the end alone.
    /// </summary>
    public const int MaxThreads = 4_096;

    private const int MaxStates = 8_000;

    private readonly Grammar _grammar;
    private volatile Memory _memory;

    public GrammarMachine(Grammar grammar)
    {
        _grammar = grammar;
        Dead = new MatchState(this, [], canEnd: false);
        _memory = new Memory();
        _memory.Start = Begin();
    }

    /// <summary>The state before the first byte.</summary>
    public MatchState Start => _memory.Start ?? Begin();

    /// <summary>The state after an illegal byte.</summary>
    public MatchState Dead { get; }

    /// <summary>The state after a byte.</summary>
    public MatchState Step(MatchState state, byte value)
    {
        Closure closure = new(this);
        foreach (MatchThread thread in state.Threads)
        {
            if (thread.Edge.Kind == EdgeKind.Terminal
                && thread.Edge.Terminal!.TryStep(thread.Terminal, value, out ulong next))
            {
                closure.Advance(thread, next);
            }
        }

        return closure.Finish();
    }

    /// <summary>The state after a control token; the dead state when it may not follow.</summary>
    public MatchState StepControl(MatchState state, int token)
    {
        Closure closure = new(this);
        foreach (MatchThread thread in state.Threads)
        {
            if (thread.Edge.Kind == EdgeKind.Control && Array.IndexOf(thread.Edge.Tokens!, token) >= 0)
                closure.Enter(thread.Edge.Target, thread.Register, thread.Frame);
        }

        return closure.Finish();
    }

    /// <summary>The state in which the terminal of a thread has just ended.</summary>
    public MatchState After(MatchThread thread)
    {
        Closure closure = new(this);
        closure.Enter(thread.Edge.Target, thread.Register, thread.Frame);
        return closure.Finish();
    }

    /// <summary>The state in which the rule called from a frame has just ended.</summary>
    public MatchState Return(StackFrame frame)
    {
        Closure closure = new(this);
        closure.Enter(frame.Node, frame.Register, frame.Parent);
        return closure.Finish();
    }

    /// <summary>Whether the bound on depth cannot be met while so many bytes are read on top of a frame.</summary>
    public bool HasRoom(StackFrame frame, int bytes) => frame.Depth + bytes + _grammar.GreatestHeight < MaxDepth;

    /// <summary>The state of some threads of another one.</summary>
    public MatchState Only(MatchThread[] threads) => Intern(threads, canEnd: false);

    /// <summary>
    /// Begins anew with remembering: what no matcher holds any more can be collected. States lead on to their successors, so the first
    /// one must be made anew too.
    /// </summary>
    public void Forget()
    {
        _memory = new Memory();
        _memory.Start = Begin();
    }

    private MatchState Begin()
    {
        Closure closure = new(this);
        closure.Enter(_grammar.Start, 0, null);
        return closure.Finish();
    }

    private MatchState Intern(MatchThread[] threads, bool canEnd)
    {
        if (threads.Length == 0 && !canEnd)
            return Dead;
        Memory memory = _memory;
        if (memory.States.Count > MaxStates)
        {
            Forget();
            memory = _memory;
        }

        return memory.States.GetOrAdd(new StateKey(threads, canEnd), static (key, machine) => new MatchState(machine, key.Threads, key.CanEnd), this);
    }

    private StackFrame Push(int node, ulong register, StackFrame? parent) =>
        _memory.Frames.GetOrAdd((node, register, parent), static key => new StackFrame(key.Node, key.Register, key.Parent));

    /// <summary>What has been built so far.</summary>
    private sealed class Memory
    {
        public MatchState? Start { get; set; }

        public ConcurrentDictionary<StateKey, MatchState> States { get; } = new();

        public ConcurrentDictionary<(int Node, ulong Register, StackFrame? Parent), StackFrame> Frames { get; } = new();
    }

    private readonly struct StateKey : IEquatable<StateKey>
    {
        private readonly int _hash;

        public StateKey(MatchThread[] threads, bool canEnd)
        {
            Threads = threads;
            CanEnd = canEnd;
            HashCode hash = default;
            hash.Add(canEnd);
            foreach (MatchThread thread in threads)
                hash.Add(thread);
            _hash = hash.ToHashCode();
        }

        public MatchThread[] Threads { get; }

        public bool CanEnd { get; }

        public bool Equals(StateKey other) =>
            _hash == other._hash && CanEnd == other.CanEnd && Threads.AsSpan().SequenceEqual(other.Threads);

        public override bool Equals(object? obj) => obj is StateKey other && Equals(other);

        public override int GetHashCode() => _hash;
    }

    /// <summary>Collects the threads of a state: follows empty edges, calls and returns.</summary>
    private ref struct Closure(GrammarMachine machine)
    {
        private readonly List<MatchThread> _threads = [];
        private readonly List<(int Node, ulong Register, StackFrame? Frame)> _entered = [];
        private HashSet<(int Node, ulong Register, StackFrame? Frame)>? _enteredSet;
        private HashSet<MatchThread>? _threadSet;
        private bool _canEnd;

        /// <summary>A thread whose terminal moved to a state.</summary>
        public void Advance(MatchThread thread, ulong next)
        {
            Terminal terminal = thread.Edge.Terminal!;
            if (terminal.CanStep(next))
                AddThread(thread with { Terminal = next });
            if (terminal.IsAccepting(next))
                Enter(thread.Edge.Target, thread.Register, thread.Frame);
        }

        public void Enter(int node, ulong register, StackFrame? frame)
        {
            // A worklist instead of recursion: chains of empty edges are as long as the widest object.
            int next = _entered.Count;
            AddNode(node, register, frame);
            while (next < _entered.Count)
            {
                (int at, ulong value, StackFrame? stack) = _entered[next++];
                Expand(at, value, stack);
            }
        }

        public readonly MatchState Finish() => machine.Intern([.. _threads], _canEnd);

        private void Expand(int node, ulong register, StackFrame? frame)
        {
            Grammar grammar = machine._grammar;
            if (grammar.Final[node])
            {
                if (frame is null)
                    _canEnd = true;
                else
                    AddNode(frame.Node, frame.Register, frame.Parent);
            }

            int depth = frame?.Depth ?? 0;
            foreach (GrammarEdge edge in grammar.Edges[node])
            {
                if (depth + grammar.Height[edge.Target] > MaxDepth)
                    continue;
                switch (edge.Kind)
                {
                    case EdgeKind.Empty:
                        if (edge.Guard.TryPass(register, out ulong after))
                            AddNode(edge.Target, after, frame);
                        break;
                    case EdgeKind.Terminal:
                        MatchThread thread = new(edge, edge.Terminal!.Start, register, frame);
                        if (edge.Terminal.CanStep(thread.Terminal))
                            AddThread(thread);
                        if (edge.Terminal.IsAccepting(thread.Terminal))
                            AddNode(edge.Target, register, frame);
                        break;
                    case EdgeKind.Control:
                        AddThread(new(edge, 0, register, frame));
                        break;
                    case EdgeKind.Call:
                        Call(edge, register, frame, depth);
                        break;
                }
            }
        }

        private void Call(GrammarEdge edge, ulong register, StackFrame? frame, int depth)
        {
            Grammar grammar = machine._grammar;

            // A call in last position needs no frame: its end is the end of the caller.
            if (grammar.Final[edge.Target] && grammar.Edges[edge.Target].Length == 0)
                AddNode(edge.Entry, 0, frame);
            else if (depth + 1 + grammar.Height[edge.Entry] <= MaxDepth)
                AddNode(edge.Entry, 0, machine.Push(edge.Target, register, frame));
        }

        private void AddNode(int node, ulong register, StackFrame? frame)
        {
            (int Node, ulong Register, StackFrame? Frame) entry = (node, register, frame);
            if (_entered.Count < 16 ? _entered.Contains(entry) : !(_enteredSet ??= [.. _entered]).Add(entry))
                return;
            if (_entered.Count >= 16 * MaxThreads)
                return;
            _entered.Add(entry);
        }

        private void AddThread(MatchThread thread)
        {
            if (_threads.Count >= MaxThreads)
                return;
            if (_threads.Count < 8 ? _threads.Contains(thread) : !(_threadSet ??= [.. _threads]).Add(thread))
                return;
            _threads.Add(thread);
        }
    }
}
