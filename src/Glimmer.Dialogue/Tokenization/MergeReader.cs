using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Turns a file's merges, spelt as text, into pairs of ids.</summary>
internal static class MergeReader
{
    /// <summary>Reads <see cref="TokenizerData.Merges"/>.</summary>
    /// <param name="data">The file's data.</param>
    /// <param name="vocabulary">Its tokens.</param>
    /// <param name="bytes">Learns the ranks of pairs of bytes.</param>
    /// <exception cref="TokenizerFileException">A merge is no pair of tokens, or makes no token.</exception>
    public static MergeTable Read(TokenizerData data, Vocabulary vocabulary, BytePairs bytes)
    {
        Utf8StringList merges = data.Merges!;
        var table = new MergeTable(merges.Count);
        byte[] buffer = new byte[64];
        for (int rank = 0; rank < merges.Count; rank++)
        {
            ReadOnlySpan<byte> merge = merges[rank];
            int space = merge.IndexOf((byte)' ');
            if (space <= 0 || space == merge.Length - 1 || merge[(space + 1)..].Contains((byte)' '))
                throw Fault(data, rank, "is not two tokens");
            if (merge.Length > buffer.Length)
                buffer = new byte[merge.Length * 2];
            int left = Halve(data, rank, merge[..space], buffer);
            int right = Halve(data, rank, merge[(space + 1)..], buffer.AsSpan(left));
            ReadOnlySpan<byte> both = buffer.AsSpan(0, left + right);
            int leftId = vocabulary.Pieces.Find(both[..left]);
            int rightId = vocabulary.Pieces.Find(both[left..]);
            int result = vocabulary.Pieces.Find(both);
            if (leftId < 0 || rightId < 0 || result < 0)
            {
                // An added token that the vocabulary also lists is reached by its spelling only: text can never merge into one.
                if (!IsAddedPart(vocabulary, both, left))
                    throw Fault(data, rank, leftId < 0 || rightId < 0 ? "joins what is not in the vocabulary" : "makes what is not in the vocabulary");
                continue;
            }

            table.Add(leftId, rightId, rank, result);
            if (both.Length == 2)
                bytes.SetRank(both[0], both[1], rank);
        }

        return table;
    }

    private static int Halve(TokenizerData data, int rank, ReadOnlySpan<byte> spelling, Span<byte> bytes)
    {
        if (data.Spelling == TokenSpelling.Bytes)
        {
            spelling.CopyTo(bytes);
            return spelling.Length;
        }

        return ByteAlphabet.TryDecode(spelling, bytes, out int written) ? written : throw Fault(data, rank, "is not in the byte-level alphabet");
    }

    private static bool IsAddedPart(Vocabulary vocabulary, ReadOnlySpan<byte> both, int left)
    {
        return IsKnown(both) && IsKnown(both[..left]) && IsKnown(both[left..]);

        bool IsKnown(ReadOnlySpan<byte> bytes) =>
            vocabulary.Pieces.Find(bytes) >= 0 || vocabulary.AddedIds.ContainsKey(Encoding.UTF8.GetString(bytes));
    }

    private static TokenizerFileException Fault(TokenizerData data, int rank, string fault) =>
        new(data.Source, $"merge {rank}, '{Encoding.UTF8.GetString(data.Merges![rank])}', {fault}.");
}
