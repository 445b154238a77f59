using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// What a vocabulary can do in one state of a terminal, whatever surrounds it: the tokens that stay inside, and the tails of
/// those that leave it, for the surroundings to judge.
/// </summary>
internal sealed class TerminalMask
{
    private TerminalMask(uint[] inside, TokenTrie? tails, int[] tailTokens)
    {
        Inside = inside;
        Tails = tails;
        TailTokens = tailTokens;
    }

    /// <summary>Tokens after which the terminal is not finished, or just finished.</summary>
    public uint[] Inside { get; }

    /// <summary>What is left of other tokens where the terminal may end; null when there are too many to be worth listing.</summary>
    public TokenTrie? Tails { get; }

    /// <summary>The token of each tail.</summary>
    public int[] TailTokens { get; }

    public static TerminalMask Build(TokenTrie trie, Terminal terminal, ulong state)
    {
        uint[] inside = new uint[trie.MaskWords];
        TailCollector tails = new();
        ulong[] stack = new ulong[TokenTrie.MaxTokenBytes + 1];
        byte[] path = new byte[TokenTrie.MaxTokenBytes];
        stack[0] = state;
        for (int i = 0; i < trie.Count;)
        {
            int depth = trie.Depths[i];
            path[depth - 1] = trie.Labels[i];
            if (terminal.TryStep(stack[depth - 1], trie.Labels[i], out ulong next))
            {
                stack[depth] = next;
                for (int token = trie.FirstToken[i]; token >= 0; token = trie.SameBytes[token])
                    inside[token >> 5] |= 1u << (token & 31);
                i++;
                continue;
            }

            // Nothing below can stay inside; it may have left at any accepting state above.
            for (int d = 1; d < depth; d++)
            {
                if (terminal.IsAccepting(stack[d]))
                    tails.AddSubtree(trie, i, d, path, null);
            }

            i = trie.Ends[i];
        }

        (TokenTrie? tree, int[] tokens) = tails.Finish();
        return new(inside, tree, tokens);
    }
}
