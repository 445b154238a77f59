namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>The tokens that begin with JSON's white space, by the line feeds and blanks that they begin with and what comes after these.</summary>
internal sealed class WhitespaceMask
{
    private WhitespaceMask(int[] tokens, (int Lines, int Indent)[] runs, TokenTrie tails, int[] tailTokens, (int Lines, int Indent)[] tailRuns)
    {
        Tokens = tokens;
        Runs = runs;
        Tails = tails;
        TailTokens = tailTokens;
        TailRuns = tailRuns;
    }

    /// <summary>Tokens of nothing but white space.</summary>
    public int[] Tokens { get; }

    /// <summary>Line feeds, and blanks after them, of each of these.</summary>
    public (int Lines, int Indent)[] Runs { get; }

    /// <summary>What follows the white space of other tokens.</summary>
    public TokenTrie Tails { get; }

    /// <summary>The token of each tail.</summary>
    public int[] TailTokens { get; }

    /// <summary>Line feeds, and blanks after them, before each tail.</summary>
    public (int Lines, int Indent)[] TailRuns { get; }

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
            ReadOnlySpan<byte> text = path.AsSpan(0, depth);
            int run = text.IndexOfAnyExcept(" \t\n"u8);
            int length = run < 0 ? depth : run;
            int lines = text[..length].LastIndexOf((byte)'\n') + 1;

            // Line feeds come first, or nowhere.
            if (length == 0 || text[..lines].ContainsAnyExcept((byte)'\n'))
            {
                i = trie.Ends[i];
                continue;
            }

            (int, int) counts = (lines, length - lines);
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
