using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Byte-level BPE as all GLM models use it. Immutable; any number of threads may share one.</summary>
public sealed class Tokenizer : ITokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly PieceEncoder _pieces;
    private readonly PieceScanner _scanner;
    private readonly AddedTokenMatcher _plainAdded;
    private readonly AddedTokenMatcher _normalizedAdded;

    /// <summary>Builds the tables.</summary>
    /// <exception cref="TokenizerFileException">The data contradict themselves or are of a kind that is not supported.</exception>
    public Tokenizer(TokenizerData data)
    {
        _vocabulary = new Vocabulary(data);
        _scanner = data.PieceExpression is null or GlmPieceScanner.Pattern
            ? new GlmPieceScanner()
            : ClassPieceScanner.Parse(data.PieceExpression, data.Source);
        _pieces = new PieceEncoder(data, _vocabulary);
        _plainAdded = new AddedTokenMatcher(Array.FindAll(_vocabulary.Added, token => !token.Normalized));
        _normalizedAdded = new AddedTokenMatcher(Array.FindAll(_vocabulary.Added, token => token.Normalized));
        Prefix = CheckIds(data, data.Prefix);
        Suffix = CheckIds(data, data.Suffix);
    }

    /// <inheritdoc/>
    public int VocabularySize => _vocabulary.Size;

    /// <summary>Added tokens in order of id.</summary>
    public IReadOnlyList<AddedToken> AddedTokens => _vocabulary.Added;

    /// <summary>Ids that the reference puts before a raw text; rendered prompts hold them already.</summary>
    public IReadOnlyList<int> Prefix { get; }

    /// <summary>Ids that the reference puts after a raw text.</summary>
    public IReadOnlyList<int> Suffix { get; }

    /// <summary>
    /// Whether each of the 256 bytes has a token, as in every published vocabulary. A byte without one is dropped by
    /// encoding, as in the reference.
    /// </summary>
    public bool EncodesEveryByte => _pieces.EncodesEveryByte;

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids)
    {
        if (!recogniseAdded)
            EncodeText(text, ids);
        else
            EncodeAround(_plainAdded, text, ids);
    }

    /// <summary>The ids of a text, in a list of their own.</summary>
    public List<int> Encode(ReadOnlySpan<char> text, bool recogniseAdded)
    {
        var ids = new List<int>(text.Length / 3 + 4);
        Encode(text, recogniseAdded, ids);
        return ids;
    }

    /// <inheritdoc/>
    public bool TryGetAdded(ReadOnlySpan<char> token, out int id) =>
        _vocabulary.AddedIds.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(token, out id);

    /// <inheritdoc/>
    public TokenKind KindOf(int id) => _vocabulary.KindOf(id);

    /// <inheritdoc/>
    public ReadOnlySpan<byte> BytesOf(int id) => _vocabulary.BytesOf(id);

    /// <summary>The text of ids. Bytes that are not UTF-8 become U+FFFD, one for each maximal part of a character.</summary>
    /// <param name="ids">Ids; unused ones stand for nothing.</param>
    /// <param name="skipSpecial">Whether special tokens are left out.</param>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = false)
    {
        int length = 0;
        foreach (int id in ids)
            length = checked(length + (skipSpecial && KindOf(id) == TokenKind.Special ? 0 : BytesOf(id).Length));
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        int end = 0;
        foreach (int id in ids)
        {
            if (skipSpecial && KindOf(id) == TokenKind.Special)
                continue;
            ReadOnlySpan<byte> piece = BytesOf(id);
            piece.CopyTo(bytes.AsSpan(end));
            end += piece.Length;
        }

        string text = Encoding.UTF8.GetString(bytes, 0, end);
        ArrayPool<byte>.Shared.Return(bytes);
        return text;
    }

    /// <summary>
    /// How many UTF-16 units at the beginning of a text have tokens that nothing appended to the text can change. The text may be cut there:
    /// the tokens of both parts together are those of the whole.
    /// </summary>
    /// <param name="text">The beginning of a plain text.</param>
    public int CertainLength(ReadOnlySpan<char> text)
    {
        // Half a surrogate pair at the end may still become another character.
        ReadOnlySpan<char> complete = text.Length > 0 && char.IsHighSurrogate(text[^1]) ? text[..^1] : text;
        byte[] utf8 = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetByteCount(complete));
        int length = Encoding.UTF8.GetBytes(complete, utf8);
        int certain = 0;
        for (int start = 0; start < length;)
        {
            int end = _scanner.Next(utf8.AsSpan(0, length), start, out int reach);
            if (reach >= length)
                break;
            if (_scanner.MayCutAfter(utf8.AsSpan(start, end - start)))
                certain = end;
            start = end;
        }

        // A lone surrogate is one unit before and after, so the count holds for any text.
        int units = Encoding.UTF8.GetCharCount(utf8, 0, certain);
        ArrayPool<byte>.Shared.Return(utf8);
        return units;
    }

    /// <summary>The pieces that the pre-tokenizer cuts a text into, for comparison with the reference.</summary>
    public IEnumerable<string> Pieces(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        for (int start = 0; start < utf8.Length;)
        {
            int end = _scanner.Next(utf8, start, out _);
            yield return Encoding.UTF8.GetString(utf8, start, end - start);
            start = end;
        }
    }

    /// <summary>The class that the pre-tokenizer gives a code point: <c>'L'</c>, <c>'N'</c>, <c>'s'</c> or <c>'-'</c> for the others.</summary>
    public static char ClassOf(int codePoint) => "-LNs"[(int)UnicodeClasses.Of(codePoint)];

    /// <summary>
    /// Appends the tokens of a text's beginning and says how far they are certain: what follows in the same text cannot change them.
    /// </summary>
    /// <param name="utf8">Well-formed UTF-8.</param>
    /// <param name="isEnd">Whether the text ends here; then all of it is certain.</param>
    /// <param name="ids">Takes the tokens of the certain part.</param>
    /// <returns>Length of the certain part, in bytes.</returns>
    internal int EncodeCertain(ReadOnlySpan<byte> utf8, bool isEnd, List<int> ids)
    {
        int position = 0;
        while (position < utf8.Length)
        {
            int end = _scanner.Next(utf8, position, out int reach);
            if (reach >= utf8.Length && !isEnd)
                break;
            _pieces.Encode(utf8[position..end], ids);
            position = end;
        }

        return position;
    }

    private void EncodeAround(AddedTokenMatcher matcher, ReadOnlySpan<char> text, List<int> ids)
    {
        var cursor = default(AddedTokenMatcher.Cursor);
        int taken = 0;
        while (!matcher.IsEmpty && matcher.Next(text, ref cursor, out int start) is { } token)
        {
            if (taken < start)
                EncodeBetween(matcher, text[taken..start], ids);
            ids.Add(token.Id);
            taken = cursor.Taken;
        }

        if (taken < text.Length)
            EncodeBetween(matcher, text[taken..], ids);
    }

    private void EncodeBetween(AddedTokenMatcher matcher, ReadOnlySpan<char> text, List<int> ids)
    {
        if (ReferenceEquals(matcher, _plainAdded) && !_normalizedAdded.IsEmpty)
            EncodeAround(_normalizedAdded, text, ids);
        else
            EncodeText(text, ids);
    }

    [SkipLocalsInit]
    private void EncodeText(ReadOnlySpan<char> text, List<int> ids)
    {
        const int ShortText = 340;
        if (text.Length <= ShortText)
        {
            // A UTF-16 unit takes three bytes at most.
            Span<byte> utf8 = stackalloc byte[3 * ShortText];
            int length = Encoding.UTF8.GetBytes(text, utf8);
            EncodeCertain(utf8[..length], isEnd: true, ids);
            return;
        }

        var segment = new SegmentBuffer(this);
        try
        {
            segment.Write(text, ids);
            segment.End(ids);
        }
        finally
        {
            segment.Dispose();
        }
    }

    private int[] CheckIds(TokenizerData data, IReadOnlyList<int> ids)
    {
        foreach (int id in ids)
        {
            if (KindOf(id) == TokenKind.Unused)
                throw new TokenizerFileException(data.Source, $"the post-processor adds the id {id}, which no token has.");
        }

        return [.. ids];
    }
}
