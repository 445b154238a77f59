using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// What a vocabulary can do in the body of any JSON string, with the number of characters that each token adds, so that one table
/// serves every length limit.
/// </summary>
internal sealed class StringBodyMask
{
    /// <summary>Up to this many characters there is a whole mask per number; longer tokens are listed.</summary>
    private const int MaskedLengths = 16;

    private readonly uint[][] _upTo;
    private readonly int[] _longTokens;
    private readonly int[] _longLengths;

    private StringBodyMask(
        uint[][] upTo,
        int[] longTokens,
        int[] longLengths,
        int[] closers,
        int[] closerLengths,
        TokenTrie tails,
        int[] tailTokens,
        int[] tailLengths)
    {
        _upTo = upTo;
        _longTokens = longTokens;
        _longLengths = longLengths;
        Closers = closers;
        CloserLengths = closerLengths;
        Tails = tails;
        TailTokens = tailTokens;
        TailLengths = tailLengths;
    }

    /// <summary>The tokens whose last byte is the closing quote.</summary>
    public int[] Closers { get; }

    /// <summary>Characters before the closing quote of each of these.</summary>
    public int[] CloserLengths { get; }

    /// <summary>What follows the closing quote within a token.</summary>
    public TokenTrie Tails { get; }

    /// <summary>The token of each tail.</summary>
    public int[] TailTokens { get; }

    /// <summary>Characters before the closing quote of each tail's token.</summary>
    public int[] TailLengths { get; }

    /// <summary>The tokens that stay in the string and add at most a number of characters, one begun counting as one.</summary>
    public (uint[] Mask, ReadOnlyMemory<int> Tokens) Inside(int characters)
    {
        int index = Math.Min(characters, MaskedLengths);
        if (characters <= MaskedLengths)
            return (_upTo[index], default);
        int count = Array.BinarySearch(_longLengths, characters + 1);
        if (count < 0)
            count = ~count;
        while (count > 0 && _longLengths[count - 1] > characters)
            count--;
        return (_upTo[index], _longTokens.AsMemory(0, count));
    }

    public static StringBodyMask Build(TokenTrie trie)
    {
        // Counts without a bound that matters; the state is the number of characters.
        TextTerminal counter = new(new LengthAutomaton(0, int.MaxValue), TextEncoding.JsonString);
        uint[][] upTo = new uint[MaskedLengths + 1][];
        for (int n = 0; n <= MaskedLengths; n++)
            upTo[n] = new uint[trie.MaskWords];
        List<(int Length, int Token)> longOnes = [];
        List<(byte[] Bytes, int Token)> tails = [];
        List<int> tailTokens = [];
        List<int> tailLengths = [];
        List<int> closers = [];
        List<int> closerLengths = [];
        ulong[] stack = new ulong[TokenTrie.MaxTokenBytes + 1];
        byte[] path = new byte[TokenTrie.MaxTokenBytes];
        stack[0] = TextTerminal.BodyState(0);
        for (int i = 0; i < trie.Count;)
        {
            int depth = trie.Depths[i];
            byte label = trie.Labels[i];
            if (!counter.TryStep(stack[depth - 1], label, out ulong next))
            {
                i = trie.Ends[i];
                continue;
            }

            stack[depth] = next;
            if (counter.IsAccepting(next))
            {
                int length = (int)(uint)stack[depth - 1];
                for (int token = trie.FirstToken[i]; token >= 0; token = trie.SameBytes[token])
                {
                    closers.Add(token);
                    closerLengths.Add(length);
                }

                for (int j = i + 1; j < trie.Ends[i]; j++)
                {
                    path[trie.Depths[j] - 1] = trie.Labels[j];
                    for (int token = trie.FirstToken[j]; token >= 0; token = trie.SameBytes[token])
                    {
                        tails.Add((path[depth..trie.Depths[j]], tails.Count));
                        tailTokens.Add(token);
                        tailLengths.Add(length);
                    }
                }

                i = trie.Ends[i];
                continue;
            }

            int added = (int)(uint)next + (TextTerminal.IsInsideCharacter(next) ? 1 : 0);
            for (int token = trie.FirstToken[i]; token >= 0; token = trie.SameBytes[token])
            {
                if (added > MaskedLengths)
                    longOnes.Add((added, token));
                for (int n = added; n <= MaskedLengths; n++)
                    upTo[n][token >> 5] |= 1u << (token & 31);
            }

            i++;
        }

        longOnes.Sort();
        return new(
            upTo,
            [.. longOnes.Select(l => l.Token)],
            [.. longOnes.Select(l => l.Length)],
            [.. closers],
            [.. closerLengths],
            TokenTrie.Build(tails.Count, tails),
            [.. tailTokens],
            [.. tailLengths]);
    }
}
