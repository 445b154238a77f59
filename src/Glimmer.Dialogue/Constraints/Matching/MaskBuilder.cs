using System.Collections.Concurrent;
using System.Numerics;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// Finds the tokens that may come in a state. Threads in which few bytes may follow are walked over the prefix tree together with
/// their surroundings; threads in the middle of free text take a ready mask, and only the tails of the tokens that leave
/// the text are walked.
/// </summary>
internal sealed class MaskBuilder(VocabularyMasks vocabulary, GrammarMachine machine, IReadOnlyCollection<int> stopTokens)
{
    /// <summary>From this many possible bytes on, a thread counts as free text.</summary>
    private const int ManyBytes = 48;

    private readonly ConcurrentDictionary<(Terminal Terminal, ulong State), TerminalMask> _own = new();

    /// <summary>The mask of a state, made once.</summary>
    public MaskRecipe MaskOf(MatchState state) => state.Mask ??= Build(state);

    private MaskRecipe Build(MatchState state)
    {
        List<uint[]> bases = [];
        List<ReadOnlyMemory<int>> runs = [];
        List<int> tokens = [];
        List<MatchThread> walked = [];
        ulong[] bytes = state.NextBytes;
        bool anyFree = CountBits(bytes) >= ManyBytes;
        foreach (MatchThread thread in state.Threads)
        {
            if (thread.Edge.Kind == EdgeKind.Control)
                tokens.AddRange(thread.Edge.Tokens!);
            else if (!anyFree || !IsFreeText(thread) || !TryReadyMask(thread, bases, runs, tokens))
                walked.Add(thread);
        }

        if (walked.Count > 0)
        {
            MatchState start = walked.Count == state.Threads.Length ? state : machine.Only([.. walked]);
            Walk(vocabulary.Trie, start, static (found, token) => found.Add(token), tokens);
        }

        if (state.CanEnd)
            tokens.AddRange(stopTokens);

        // A long list takes more room than a mask.
        if (tokens.Count > vocabulary.Trie.MaskWords)
        {
            uint[] mask = new uint[vocabulary.Trie.MaskWords];
            foreach (int token in tokens)
                mask[token >> 5] |= 1u << (token & 31);
            bases.Add(mask);
        }
        else if (tokens.Count > 0)
        {
            runs.Add(tokens.ToArray());
        }

        return new([.. bases.Distinct()], [.. runs]);
    }

    private static int CountBits(ReadOnlySpan<ulong> bits)
    {
        int count = 0;
        foreach (ulong word in bits)
            count += BitOperations.PopCount(word);
        return count;
    }

    private static bool IsFreeText(MatchThread thread)
    {
        Span<ulong> bytes = stackalloc ulong[4];
        bytes.Clear();
        thread.Edge.Terminal!.AddNextBytes(thread.Terminal, bytes);
        return CountBits(bytes) >= ManyBytes;
    }

    private bool TryReadyMask(MatchThread thread, List<uint[]> bases, List<ReadOnlyMemory<int>> runs, List<int> tokens)
    {
        Terminal terminal = thread.Edge.Terminal!;
        if (terminal is TextTerminal { Encoding: TextEncoding.JsonString, Automaton: LengthAutomaton lengths }
            && TextTerminal.IsBody(thread.Terminal, out int count))
        {
            AddString(thread, lengths, count, bases, runs, tokens);
            return true;
        }

        TerminalMask mask = vocabulary.MaskOf(terminal, thread.Terminal, _own);
        if (mask.Tails is null)
            return false;
        bases.Add(mask.Inside);
        if (mask.Tails.Count > 0)
        {
            Walk(
                mask.Tails,
                machine.After(thread),
                static (context, tail) => context.Tokens.Add(context.TailTokens[tail]),
                (Tokens: tokens, mask.TailTokens));
        }

        return true;
    }

    private void AddString(
        MatchThread thread,
        LengthAutomaton lengths,
        int count,
        List<uint[]> bases,
        List<ReadOnlyMemory<int>> runs,
        List<int> tokens)
    {
        StringBodyMask body = vocabulary.StringBody;
        int room = lengths.Maximum is { } maximum ? maximum - count : int.MaxValue - 1;
        (uint[] inside, ReadOnlyMemory<int> longTokens) = body.Inside(room);
        bases.Add(inside);
        if (!longTokens.IsEmpty)
            runs.Add(longTokens);
        int least = lengths.Minimum - count;
        for (int i = 0; i < body.Closers.Length; i++)
        {
            if (body.CloserLengths[i] >= least && body.CloserLengths[i] <= room)
                tokens.Add(body.Closers[i]);
        }

        MatchState after = machine.After(thread);
        Walk(
            body.Tails,
            after,
            static (context, tail) =>
            {
                int length = context.body.TailLengths[tail];
                if (length >= context.least && length <= context.room)
                    context.tokens.Add(context.body.TailTokens[tail]);
            },
            (tokens, body, least, room));
    }

    /// <summary>Reports the entries of a tree that may be read from a state on.</summary>
    private static void Walk<TContext>(TokenTrie trie, MatchState start, Action<TContext, int> found, TContext context)
    {
        MatchState[] stack = new MatchState[TokenTrie.MaxTokenBytes + 1];
        stack[0] = start;
        for (int i = 0; i < trie.Count;)
        {
            int depth = trie.Depths[i];
            byte label = trie.Labels[i];
            MatchState state = stack[depth - 1];
            if (!state.Allows(label))
            {
                i = trie.Ends[i];
                continue;
            }

            stack[depth] = state.Next(label);
            for (int entry = trie.FirstToken[i]; entry >= 0; entry = trie.SameBytes[entry])
                found(context, entry);
            i++;
        }
    }
}
