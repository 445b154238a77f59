using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// Finds the tokens that may come in a state. What a rule's threads allow is worked out once, whatever rule called it: the tokens that stay
/// in the rule, and the tails of those that leave it, which alone are then walked in the caller. Within that, threads
/// in the middle of free text or white space take ready masks of the vocabulary, and the rest are walked over its prefix tree.
/// </summary>
internal sealed class MaskBuilder(VocabularyMasks vocabulary, GrammarMachine machine, IReadOnlyCollection<int> stopTokens)
{
    /// <summary>From this many possible bytes on, a thread counts as free text.</summary>
    private const int ManyBytes = 48;

    /// <summary>Memory that the masks of one grammar may take before they are forgotten, in bytes.</summary>
    internal const long MaxBytes = 32 << 20;

    private readonly ConcurrentDictionary<(Terminal Terminal, ulong State), TerminalMask> _own = new();
    private readonly ConcurrentDictionary<MatchState, MaskPart?> _parts = new();
    private long _bytes;

    /// <summary>The mask of a state, made once.</summary>
    public MaskRecipe MaskOf(MatchState state) => state.Mask ?? Remember(state, Build(state));

    private MaskRecipe Remember(MatchState state, MaskRecipe mask)
    {
        state.Mask = mask;
        if (Interlocked.Add(ref _bytes, mask.OwnBytes) > MaxBytes)
        {
            // Matchers on their way keep what they stand on; the rest is made again when it is needed.
            Interlocked.Exchange(ref _bytes, 0);
            _parts.Clear();
            machine.Forget();
        }

        return mask;
    }

    private MaskRecipe Build(MatchState state)
    {
        MaskCollector found = new();
        List<MatchThread> outermost = [];
        foreach (IGrouping<StackFrame?, MatchThread> group in state.Threads.GroupBy(t => t.Frame))
        {
            if (group.Key is not { } frame || !TryAddPart(frame, group, found))
                outermost.AddRange(group);
        }

        Collect(outermost, found, null);
        if (state.CanEnd)
            found.Tokens.AddRange(stopTokens);
        return found.ToRecipe(vocabulary.Trie.MaskWords);
    }

    /// <summary>Adds what the threads of one frame allow, from memory if possible; false near the greatest depth, where the frame matters.</summary>
    private bool TryAddPart(StackFrame frame, IEnumerable<MatchThread> threads, MaskCollector found)
    {
        if (!machine.HasRoom(frame, vocabulary.Trie.LongestToken))
            return false;
        MatchState bare = machine.Only([.. threads.Select(t => t with { Frame = null })]);
        if (!_parts.TryGetValue(bare, out MaskPart? part))
        {
            // Most rules are called from one place only: a part is worth its making from the second place on.
            _parts.TryAdd(bare, null);
            return false;
        }

        if (part is null)
        {
            part = BuildPart(bare);
            _parts[bare] = part;
            Interlocked.Add(ref _bytes, part.OwnBytes);
        }

        if (part.Tails is null)
            return false;
        found.Bases.AddRange(part.Bases);
        found.Runs.AddRange(part.Runs);
        if (part.Tails.Count > 0)
            Walk(part.Tails, machine.Return(frame), tail => part.TailTokens[tail], found.Tokens, null);
        return true;
    }

    private MaskPart BuildPart(MatchState bare)
    {
        MaskCollector found = new();
        TailCollector leaving = new();
        Collect(bare.Threads, found, leaving);
        (TokenTrie? tails, int[] tokens) = leaving.Finish();
        found.Seal(vocabulary.Trie.MaskWords);
        return new([.. found.Bases], [.. found.Runs], tails, tokens);
    }

    /// <param name="threads">Threads of one frame.</param>
    /// <param name="found">Receives tokens after which the frame is not left, or just left.</param>
    /// <param name="leaving">Receives the tails of tokens that leave the frame; null when there is none to leave.</param>
    private void Collect(IReadOnlyCollection<MatchThread> threads, MaskCollector found, TailCollector? leaving)
    {
        List<MatchThread> walked = [];
        foreach (MatchThread thread in threads)
        {
            if (thread.Edge.Kind == EdgeKind.Control)
                found.Tokens.AddRange(thread.Edge.Tokens!);
            else if (!TryReadyMask(thread, found, leaving))
                walked.Add(thread);
        }

        if (walked.Count > 0)
            Walk(vocabulary.Trie, machine.Only([.. walked]), null, found.Tokens, leaving);
    }

    private bool TryReadyMask(MatchThread thread, MaskCollector found, TailCollector? leaving)
    {
        Terminal terminal = thread.Edge.Terminal!;
        if (terminal is WhitespaceTerminal space)
            return TryWhitespace(space, thread, found, leaving);
        if (terminal is TextTerminal { Encoding: TextEncoding.JsonString } text && TextTerminal.IsBody(thread.Terminal, out int count))
        {
            if (text.Automaton is LengthAutomaton lengths)
            {
                AddString(thread, lengths, count, found, leaving);
                return true;
            }

            if (text.Automaton is CodePointDfa { IsTotal: true })
            {
                AddTotalString(thread, found, leaving);
                return true;
            }
        }

        return IsFreeText(thread) && TryTerminalMask(thread, found, leaving);
    }

    private static bool IsFreeText(MatchThread thread)
    {
        Span<ulong> bytes = stackalloc ulong[4];
        bytes.Clear();
        thread.Edge.Terminal!.AddNextBytes(thread.Terminal, bytes);
        return new NextByteSet(bytes).Count >= ManyBytes;
    }

    private bool TryTerminalMask(MatchThread thread, MaskCollector found, TailCollector? leaving)
    {
        TerminalMask mask = vocabulary.MaskOf(thread.Edge.Terminal!, thread.Terminal, _own);
        if (mask.Tails is null)
            return false;
        found.Bases.Add(mask.Inside);
        if (mask.Tails.Count > 0)
            Walk(mask.Tails, machine.After(thread), tail => mask.TailTokens[tail], found.Tokens, leaving);
        return true;
    }

    /// <summary>Tokens that begin with white space, by what comes after it.</summary>
    private bool TryWhitespace(WhitespaceTerminal space, MatchThread thread, MaskCollector found, TailCollector? leaving)
    {
        // The run is taken whole, so what follows must not begin with white space of its own.
        MatchState after = machine.After(thread);
        NextByteSet bytes = after.NextBytes;
        if (after.CanEnd && leaving is not null)
            return false;
        if (bytes.Contains((byte)' ') || bytes.Contains((byte)'\n') || bytes.Contains((byte)'\t'))
            return false;
        WhitespaceMask mask = vocabulary.Whitespace;
        for (int i = 0; i < mask.Tokens.Length; i++)
        {
            if (space.CanAdd(thread.Terminal, mask.Runs[i].Lines, mask.Runs[i].Indent))
                found.Tokens.Add(mask.Tokens[i]);
        }

        Walk(
            mask.Tails,
            after,
            tail => space.CanAdd(thread.Terminal, mask.TailRuns[tail].Lines, mask.TailRuns[tail].Indent) ? mask.TailTokens[tail] : -1,
            found.Tokens,
            leaving);
        return true;
    }

    private void AddString(MatchThread thread, LengthAutomaton lengths, int count, MaskCollector found, TailCollector? leaving)
    {
        StringBodyMask body = vocabulary.StringBody;
        int room = lengths.Maximum is { } maximum ? maximum - count : int.MaxValue - 1;
        (uint[] inside, ReadOnlyMemory<int> longTokens) = body.Inside(room);
        found.Bases.Add(inside);
        if (!longTokens.IsEmpty)
            found.Runs.Add(longTokens);
        int least = lengths.Minimum - count;
        for (int i = 0; i < body.Closers.Length; i++)
        {
            if (body.CloserLengths[i] >= least && body.CloserLengths[i] <= room)
                found.Tokens.Add(body.Closers[i]);
        }

        Walk(
            body.Tails,
            machine.After(thread),
            tail => body.TailLengths[tail] >= least && body.TailLengths[tail] <= room ? body.TailTokens[tail] : -1,
            found.Tokens,
            leaving);
    }

    /// <summary>A string whose automaton refuses no character: only where it may end depends on what was read.</summary>
    private void AddTotalString(MatchThread thread, MaskCollector found, TailCollector? leaving)
    {
        StringBodyMask body = vocabulary.StringBody;
        found.Bases.Add(body.Inside(int.MaxValue - 1).Mask);
        found.Runs.Add(body.Inside(int.MaxValue - 1).Tokens);
        foreach (int token in body.Closers)
        {
            if (MayClose(thread, token))
                found.Tokens.Add(token);
        }

        Walk(
            body.Tails,
            machine.After(thread),
            tail => MayClose(thread, body.TailTokens[tail]) ? body.TailTokens[tail] : -1,
            found.Tokens,
            leaving);
    }

    private bool MayClose(MatchThread thread, int token)
    {
        ulong state = thread.Terminal;
        Terminal terminal = thread.Edge.Terminal!;
        foreach (byte b in vocabulary.Tokenizer.BytesOf(token))
        {
            if (!terminal.TryStep(state, b, out state))
                return false;
            if (terminal.IsAccepting(state))
                return true;
        }

        return false;
    }

    /// <summary>Reports the entries of a tree that may be read from a state on.</summary>
    /// <param name="trie">The tree.</param>
    /// <param name="start">The state.</param>
    /// <param name="tokenOf">The token of an entry, or −1 to leave it out; null when entries are tokens.</param>
    /// <param name="found">Receives the tokens.</param>
    /// <param name="leaving">Receives what is left of others where the state's frame may be left.</param>
    private static void Walk(TokenTrie trie, MatchState start, Func<int, int>? tokenOf, List<int> found, TailCollector? leaving)
    {
        MatchState[] stack = new MatchState[TokenTrie.MaxTokenBytes + 1];
        byte[] path = new byte[TokenTrie.MaxTokenBytes];
        stack[0] = start;
        for (int i = 0; i < trie.Count;)
        {
            int depth = trie.Depths[i];
            byte label = trie.Labels[i];
            MatchState state = stack[depth - 1];
            path[depth - 1] = label;
            if (state.NextBytes.Contains(label))
            {
                stack[depth] = state.Next(label);
                for (int entry = trie.FirstToken[i]; entry >= 0; entry = trie.SameBytes[entry])
                {
                    int token = tokenOf is null ? entry : tokenOf(entry);
                    if (token >= 0)
                        found.Add(token);
                }

                i++;
                continue;
            }

            for (int d = 0; leaving is not null && d < depth; d++)
            {
                if (stack[d].CanEnd)
                    leaving.AddSubtree(trie, i, d, path, tokenOf);
            }

            i = trie.Ends[i];
        }
    }
}
