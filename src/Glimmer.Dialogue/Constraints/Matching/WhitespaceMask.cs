namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>The tokens that begin with JSON's white space, by the length of the run and what comes after it.</summary>
internal sealed class WhitespaceMask
{
    private WhitespaceMask(int[] tokens, (int Length, int Lines)[] runs, TokenTrie tails, int[] tailTokens, (int Length, int Lines)[] tailRuns)
    {
        Tokens = tokens;
        Runs = runs;
        Tails = tails;
        TailTokens = tailTokens;
        TailRuns = tailRuns;
    }

    /// <summary>Tokens of nothing but white space.</summary>
    public int[] Tokens { get; }

    /// <summary>Characters and line feeds of each of these.</summary>
    public (int Length, int Lines)[] Runs { get; }

    /// <summary>What follows the white space of other tokens.</summary>
    public TokenTrie Tails { get; }

    /// <summary>The token of each tail.</summary>
    public int[] TailTokens { get; }

    /// <summary>Characters and line feeds before each tail.</summary>
    public (int Length, int Lines)[] TailRuns { get; }

    public static WhitespaceMask Build(TokenTrie trie)
    {
        List<int> tokens = [];
        List<(int, int)> runs = [];
        List<(byte[] Bytes, int Token)> tails = [];
        List<int> tailTokens = [];
        List<(int, int)> tailRuns = [];
        byte[] path = new byte[TokenTrie.MaxTokenBytes];
        for (int i = 0; i < trie.Count;)
        {
            int depth = trie.Depths[i];
            path[depth - 1] = trie.Labels[i];
            int run = path.AsSpan(0, depth).IndexOfAnyExcept(" \t\r\n"u8);
            if (run == 0)
            {
                i = trie.Ends[i];
                continue;
            }

            int length = run < 0 ? depth : run;
            (int, int) counts = (length, path.AsSpan(0, length).Count((byte)'\n'));
            for (int token = trie.FirstToken[i]; token >= 0; token = trie.SameBytes[token])
            {
                if (run < 0)
                {
                    tokens.Add(token);
                    runs.Add(counts);
                }
                else
                {
                    tails.Add((path[run..depth], tails.Count));
                    tailTokens.Add(token);
                    tailRuns.Add(counts);
                }
            }

            i++;
        }

        return new([.. tokens], [.. runs], TokenTrie.Build(tails.Count, tails), [.. tailTokens], [.. tailRuns]);
    }
}
