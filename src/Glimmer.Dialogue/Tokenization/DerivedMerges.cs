using System.Runtime.InteropServices;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// The list of merges that follows from a ranks file, for formats that want one (<c>tokenizer.json</c>, GGUF): every split of a token
/// into two tokens, in order of the token's rank, then of the ranks of its halves.
/// </summary>
public static class DerivedMerges
{
    /// <summary>Derives the merges.</summary>
    /// <param name="data">A ranks file's data.</param>
    /// <returns>The same tokenizer with the merges listed, both in the byte-level alphabet.</returns>
    /// <exception cref="TokenizerFileException">The data contradict themselves.</exception>
    /// <exception cref="ArgumentException">The data are not those of a ranks file.</exception>
    public static TokenizerData From(TokenizerData data)
    {
        if (data.Merges is not null || data.Spelling != TokenSpelling.Bytes || data.Kinds.Count > 0)
            throw new ArgumentException("Merges follow only from the data of a ranks file.", nameof(data));
        PieceTable pieces = new Vocabulary(data).Pieces;
        var merges = new Utf8StringList(data.Tokens.Count * 2);
        var spelt = new Utf8StringList(data.Tokens.Count);
        var splits = new List<(int Left, int Right, int Cut)>();
        for (int id = 0; id < data.Tokens.Count; id++)
        {
            ReadOnlySpan<byte> token = data.Tokens[id];
            splits.Clear();
            for (int cut = 1; cut < token.Length; cut++)
            {
                int left = pieces.Find(token[..cut]);
                int right = pieces.Find(token[cut..]);
                if (left >= 0 && right >= 0)
                    splits.Add((left, right, cut));
            }

            splits.Sort();
            foreach ((int _, int _, int cut) in CollectionsMarshal.AsSpan(splits))
                AddMerge(merges, token, cut);
            ByteAlphabet.Encode(token, spelt.Append(ByteAlphabet.EncodedLength(token)));
        }

        return new TokenizerData
        {
            Source = data.Source,
            Tokens = spelt,
            Spelling = TokenSpelling.ByteAlphabet,
            AddedTokens = data.AddedTokens,
            Merges = merges,
            IgnoreMerges = true,
            PieceExpression = data.PieceExpression,
            Prefix = data.Prefix,
            Suffix = data.Suffix,
        };
    }

    private static void AddMerge(Utf8StringList merges, ReadOnlySpan<byte> token, int cut)
    {
        int left = ByteAlphabet.EncodedLength(token[..cut]);
        int right = ByteAlphabet.EncodedLength(token[cut..]);
        Span<byte> merge = merges.Append(left + 1 + right);
        ByteAlphabet.Encode(token[..cut], merge);
        merge[left] = (byte)' ';
        ByteAlphabet.Encode(token[cut..], merge[(left + 1)..]);
    }
}
