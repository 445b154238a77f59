namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>Collects the ends of tokens after a cut.</summary>
internal sealed class TailCollector
{
    /// <summary>More tails than this are not listed.</summary>
    private const int MaxTails = 40_000;

    private readonly List<(byte[] Bytes, int Token)> _tails = [];
    private readonly List<int> _tokens = [];

    /// <summary>Adds the tails, from a depth on, of all entries at or below a node.</summary>
    /// <param name="trie">The tree.</param>
    /// <param name="node">The node.</param>
    /// <param name="cut">Bytes before the tails; at least one is left.</param>
    /// <param name="path">The bytes above the node; overwritten from its depth on.</param>
    /// <param name="tokenOf">The token of an entry, or −1 to leave it out; null when entries are tokens.</param>
    public void AddSubtree(TokenTrie trie, int node, int cut, byte[] path, Func<int, int>? tokenOf)
    {
        for (int i = node; i < trie.Ends[node] && _tails.Count <= MaxTails; i++)
        {
            path[trie.Depths[i] - 1] = trie.Labels[i];
            for (int entry = trie.FirstToken[i]; entry >= 0; entry = trie.SameBytes[entry])
            {
                int token = tokenOf is null ? entry : tokenOf(entry);
                if (token < 0)
                    continue;
                _tails.Add((path[cut..trie.Depths[i]], _tails.Count));
                _tokens.Add(token);
            }
        }
    }

    /// <summary>The tails as a tree, and their tokens; no tree when there are too many.</summary>
    public (TokenTrie? Tails, int[] Tokens) Finish() =>
        _tails.Count > MaxTails ? (null, []) : (TokenTrie.Build(_tails.Count, _tails), [.. _tokens]);
}
