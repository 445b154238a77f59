using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// The bytes of all text tokens of a vocabulary as a prefix tree in depth-first order: walking on is the next index, skipping a
/// subtree is one jump. Built once per tokenizer.
/// </summary>
internal sealed class TokenTrie
{
    private TokenTrie(int vocabularySize, byte[] labels, byte[] depths, int[] ends, int[] firstToken, int[] sameBytes, int[] nodeOfToken)
    {
        VocabularySize = vocabularySize;
        Labels = labels;
        Depths = depths;
        Ends = ends;
        FirstToken = firstToken;
        SameBytes = sameBytes;
        NodeOfToken = nodeOfToken;
    }

    /// <summary>Tokens longer than this many bytes are left out of the masks (they could never be walked in a byte depth).</summary>
    public const int MaxTokenBytes = 255;

    public int VocabularySize { get; }

    /// <summary>Words of a mask.</summary>
    public int MaskWords => (VocabularySize + 31) / 32;

    /// <summary>Byte of each node.</summary>
    public byte[] Labels { get; }

    /// <summary>Bytes from the root to each node, from 1.</summary>
    public byte[] Depths { get; }

    /// <summary>Index after each node's subtree.</summary>
    public int[] Ends { get; }

    /// <summary>A token that ends at each node, or −1.</summary>
    public int[] FirstToken { get; }

    /// <summary>For each token the next one with the same bytes, or −1.</summary>
    public int[] SameBytes { get; }

    /// <summary>Node at which each token ends; −1 for tokens that are not text.</summary>
    public int[] NodeOfToken { get; }

    public int Count => Labels.Length;

    /// <summary>Bytes of the longest token.</summary>
    public int LongestToken { get; private init; }

    public static TokenTrie Build(ITokenizer tokenizer)
    {
        int size = tokenizer.VocabularySize;
        List<(byte[] Bytes, int Token)> tokens = new(size);
        for (int id = 0; id < size; id++)
        {
            if (tokenizer.KindOf(id) != TokenKind.Text)
                continue;
            ReadOnlySpan<byte> bytes = tokenizer.BytesOf(id);
            if (bytes.Length is > 0 and <= MaxTokenBytes)
                tokens.Add((bytes.ToArray(), id));
        }

        return Build(size, tokens);
    }

    /// <summary>A tree of any byte strings, each with a number of its own below <paramref name="vocabularySize"/>.</summary>
    internal static TokenTrie Build(int vocabularySize, List<(byte[] Bytes, int Token)> tokens)
    {
        tokens.Sort(static (a, b) =>
        {
            int order = a.Bytes.AsSpan().SequenceCompareTo(b.Bytes);
            return order != 0 ? order : a.Token.CompareTo(b.Token);
        });
        List<byte> labels = [];
        List<byte> depths = [];
        List<int> first = [];
        int[] ends = new int[tokens.Sum(t => t.Bytes.Length)];
        int[] same = new int[vocabularySize];
        int[] nodes = new int[vocabularySize];
        Array.Fill(same, -1);
        Array.Fill(nodes, -1);
        int[] path = new int[MaxTokenBytes + 1];
        byte[] previous = [];
        foreach ((byte[] bytes, int token) in tokens)
        {
            int shared = previous.AsSpan().CommonPrefixLength(bytes);
            for (int d = shared; d < previous.Length; d++)
                ends[path[d]] = labels.Count;
            for (int d = shared; d < bytes.Length; d++)
            {
                path[d] = labels.Count;
                labels.Add(bytes[d]);
                depths.Add((byte)(d + 1));
                first.Add(-1);
            }

            int node = path[bytes.Length - 1];
            same[token] = first[node];
            first[node] = token;
            nodes[token] = node;
            previous = bytes;
        }

        for (int d = 0; d < previous.Length; d++)
            ends[path[d]] = labels.Count;
        return new(vocabularySize, [.. labels], [.. depths], ends[..labels.Count], [.. first], same, nodes)
        {
            LongestToken = tokens.Count == 0 ? 0 : tokens.Max(t => t.Bytes.Length),
        };
    }
}
