using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// All threads of a matcher at one position. States are interned and never change but for what they remember: the successor per
/// byte, the bytes that may follow, the mask. What is remembered is a function of the state, so a race between two threads that
/// fill it in is harmless.
/// </summary>
internal sealed class MatchState
{
    private readonly GrammarMachine _machine;
    private MatchState?[]? _next;
    private ulong[]? _nextBytes;
    private MaskRecipe? _mask;

    internal MatchState(GrammarMachine machine, MatchThread[] threads, bool canEnd)
    {
        _machine = machine;
        Threads = threads;
        CanEnd = canEnd;
    }

    public MatchThread[] Threads { get; }

    /// <summary>Whether the text may end here.</summary>
    public bool CanEnd { get; }

    /// <summary>Whether nothing may follow and the text is not complete: no legal text leads here.</summary>
    public bool IsDead => Threads.Length == 0 && !CanEnd;

    /// <summary>The mask of this state, once it has been asked for.</summary>
    public MaskRecipe? Mask
    {
        get => Volatile.Read(ref _mask);
        set => Volatile.Write(ref _mask, value);
    }

    /// <summary>The bytes that may follow, as 256 bits.</summary>
    public ulong[] NextBytes
    {
        get
        {
            ulong[]? known = Volatile.Read(ref _nextBytes);
            if (known is null)
            {
                known = new ulong[4];
                foreach (MatchThread thread in Threads)
                {
                    if (thread.Edge.Kind == EdgeKind.Terminal)
                        thread.Edge.Terminal!.AddNextBytes(thread.Terminal, known);
                }

                Volatile.Write(ref _nextBytes, known);
            }

            return known;
        }
    }

    /// <summary>Whether the byte may follow.</summary>
    public bool Allows(byte value) => (NextBytes[value >> 6] >> (value & 63) & 1) != 0;

    /// <summary>The state after a byte; the dead state when it may not follow.</summary>
    public MatchState Next(byte value)
    {
        MatchState?[]? table = Volatile.Read(ref _next);
        if (table is null)
        {
            table = new MatchState?[256];
            table = Interlocked.CompareExchange(ref _next, table, null) ?? table;
        }

        return Volatile.Read(ref table[value]) ?? Remember(table, value);
    }

    private MatchState Remember(MatchState?[] table, byte value)
    {
        MatchState next = _machine.Step(this, value);
        Volatile.Write(ref table[value], next);
        return next;
    }
}
