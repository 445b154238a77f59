using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Ranks files (<c>tokenizer.model</c> of GLM-4-9B and its siblings): a line a token, its bytes in Base64, a space, its rank, which
/// is its id.
/// </summary>
public static class TokenizerRanksFile
{
    /// <summary>Reads a ranks file.</summary>
    /// <param name="content">The file.</param>
    /// <param name="source">Its name, for errors.</param>
    /// <param name="added">Added tokens, which such files do not hold.</param>
    /// <exception cref="TokenizerFileException">The file is no ranks file or contradicts itself.</exception>
    public static TokenizerData Read(ReadOnlySpan<byte> content, string source, IReadOnlyList<AddedToken> added)
    {
        var tokens = new Utf8StringList(content.Length / 12 + 16);
        var ranks = new List<int>(content.Length / 12 + 16);
        bool inOrder = true;
        int line = 0;
        while (content.Length > 0)
        {
            line++;
            int end = content.IndexOf((byte)'\n');
            ReadOnlySpan<byte> row = (end < 0 ? content : content[..end]).TrimEnd((byte)'\r');
            content = end < 0 ? [] : content[(end + 1)..];
            if (row.IsEmpty)
                continue;
            ranks.Add(ReadRow(row, source, line, tokens));
            inOrder &= ranks[^1] == ranks.Count - 1;
        }

        if (tokens.Count == 0)
            throw new TokenizerFileException(source, "the file holds no token.");
        int[] prefix = [];
        if (Find(added, "[gMASK]") is { } mask && Find(added, "<sop>") is { } start)
            prefix = [mask.Id, start.Id];
        return new TokenizerData
        {
            Source = source,
            Tokens = inOrder ? tokens : TokenOrder.ById(tokens, ranks, source),
            Spelling = TokenSpelling.Bytes,
            AddedTokens = added,
            Prefix = prefix,
        };
    }

    private static AddedToken? Find(IReadOnlyList<AddedToken> added, string content) =>
        added.FirstOrDefault(token => string.Equals(token.Content, content, StringComparison.Ordinal));

    private static int ReadRow(ReadOnlySpan<byte> row, string source, int line, Utf8StringList tokens)
    {
        int space = row.IndexOf((byte)' ');
        if (space < 0)
            throw new TokenizerFileException(source, $"line {line} is not 'base64 rank'. Is it a ranks file? (A SentencePiece model of the same name is not supported.)");
        if (space == 0)
            throw new TokenizerFileException(source, $"line {line}: the token is empty.");
        if (!Utf8Parser.TryParse(row[(space + 1)..], out int rank, out int used) || used != row.Length - space - 1 || rank < 0)
            throw new TokenizerFileException(source, $"line {line}: the rank '{Show(row[(space + 1)..])}' is no whole number from 0 to {int.MaxValue}.");
        Span<byte> bytes = tokens.Append(Base64.GetMaxDecodedFromUtf8Length(space) + 2);
        if (Base64.DecodeFromUtf8(row[..space], bytes, out int read, out int written) != OperationStatus.Done || read != space || written == 0)
            throw new TokenizerFileException(source, $"line {line}: '{Show(row[..space])}' is no Base64.");
        tokens.TrimLast(written);
        return rank;
    }

    private static string Show(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.Length > 80 ? bytes[..80] : bytes);
}
