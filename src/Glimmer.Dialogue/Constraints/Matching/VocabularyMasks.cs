using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>What all grammars over one vocabulary share: its prefix tree and the masks of the terminals that occur everywhere.</summary>
internal sealed class VocabularyMasks
{
    private readonly Lazy<StringBodyMask> _stringBody;
    private readonly Lazy<WhitespaceMask> _whitespace;
    private readonly ConcurrentDictionary<(Terminal Terminal, ulong State), TerminalMask> _shared = new();

    public VocabularyMasks(ITokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        Trie = TokenTrie.Build(tokenizer);
        _stringBody = new(() => StringBodyMask.Build(Trie));
        _whitespace = new(() => WhitespaceMask.Build(Trie));
    }

    public ITokenizer Tokenizer { get; }

    public TokenTrie Trie { get; }

    public StringBodyMask StringBody => _stringBody.Value;

    public WhitespaceMask Whitespace => _whitespace.Value;

    /// <summary>Makes the tables that nearly every grammar uses, so that no request waits for them.</summary>
    public void Prepare()
    {
        _ = StringBody;
        _ = Whitespace;
    }

    /// <summary>The mask of a terminal's state, from the shared ones or else from a grammar's own.</summary>
    public TerminalMask MaskOf(Terminal terminal, ulong state, ConcurrentDictionary<(Terminal Terminal, ulong State), TerminalMask> own)
    {
        ConcurrentDictionary<(Terminal Terminal, ulong State), TerminalMask> masks = terminal.IsShared ? _shared : own;
        if (masks.TryGetValue((terminal, state), out TerminalMask? known))
            return known;

        // Each mask takes some tens of kilobytes: a grammar with many different states forgets them now and then.
        if (masks.Count > 256)
            masks.Clear();
        return masks.GetOrAdd((terminal, state), static (key, trie) => TerminalMask.Build(trie, key.Terminal, key.State), Trie);
    }
}
