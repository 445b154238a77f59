using System.Numerics;
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

    // One entry per byte that may follow, in the order of the bytes: most states have very few.
    private MatchState?[]? _next;
    private NextByteSet? _nextBytes;
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

    /// <summary>The bytes that may follow.</summary>
    public NextByteSet NextBytes
    {
        get
        {
            NextByteSet? known = Volatile.Read(ref _nextBytes);
            if (known is null)
            {
                Span<ulong> bits = stackalloc ulong[4];
                bits.Clear();
                foreach (MatchThread thread in Threads)
                {
                    if (thread.Edge.Kind == EdgeKind.Terminal)
                        thread.Edge.Terminal!.AddNextBytes(thread.Terminal, bits);
                }

                known = new NextByteSet(bits);
                Volatile.Write(ref _nextBytes, known);
            }

            return known;
        }
    }

    /// <summary>The state after a byte; the dead state when it may not follow.</summary>
    public MatchState Next(byte value)
    {
        NextByteSet bytes = NextBytes;
        if (!bytes.Contains(value))
            return _machine.Dead;
        MatchState?[]? table = Volatile.Read(ref _next);
        if (table is null)
        {
            table = new MatchState?[bytes.Count];
            table = Interlocked.CompareExchange(ref _next, table, null) ?? table;
        }

        int index = bytes.RankOf(value);
        MatchState? next = Volatile.Read(ref table[index]);
        if (next is null)
        {
            next = _machine.Step(this, value);
            Volatile.Write(ref table[index], next);
        }

        return next;
    }
}

/// <summary>A set of byte values.</summary>
internal sealed class NextByteSet
{
    private readonly ulong _w0;
    private readonly ulong _w1;
    private readonly ulong _w2;
    private readonly ulong _w3;

    public NextByteSet(ReadOnlySpan<ulong> bits)
    {
        (_w0, _w1, _w2, _w3) = (bits[0], bits[1], bits[2], bits[3]);
        Count = BitOperations.PopCount(_w0) + BitOperations.PopCount(_w1) + BitOperations.PopCount(_w2) + BitOperations.PopCount(_w3);
    }

    public int Count { get; }

    public bool Contains(byte value) => (WordOf(value >> 6) >> (value & 63) & 1) != 0;

    /// <summary>The number of members below a value.</summary>
    public int RankOf(byte value)
    {
        int rank = BitOperations.PopCount(WordOf(value >> 6) & ((1UL << (value & 63)) - 1));
        for (int word = 0; word < value >> 6; word++)
            rank += BitOperations.PopCount(WordOf(word));
        return rank;
    }

    /// <summary>The smallest member; the set must not be empty.</summary>
    public byte First()
    {
        int word = 0;
        while (WordOf(word) == 0)
            word++;
        return (byte)((word * 64) + BitOperations.TrailingZeroCount(WordOf(word)));
    }

    private ulong WordOf(int index) => index switch
    {
        0 => _w0,
        1 => _w1,
        2 => _w2,
        _ => _w3,
    };
}
