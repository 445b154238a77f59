using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>The bytes and the kind of each id, and the way back from bytes to the ids of text tokens.</summary>
internal sealed class Vocabulary
{
    // Ids far beyond the number of tokens would make tables of any size out of a small file.
    private const int GapFactor = 4;
    private const int GapSlack = 4096;

    // Published vocabularies have 512 bytes a token at most and some 250,000 characters of added tokens.
    private const int MaxTokenBytes = 4096;
    private const int MaxAddedCharacters = 4 << 20;

    private readonly byte[] _bytes;
    private readonly int[] _starts;
    private readonly TokenKind[] _kinds;

    /// <summary>Lays out the tokens of a file.</summary>
    /// <exception cref="TokenizerFileException">The tokens contradict each other.</exception>
    public Vocabulary(TokenizerData data)
    {
        int listed = data.Tokens.Count;
        if (data.Kinds.Count != 0 && data.Kinds.Count != listed)
            throw new TokenizerFileException(data.Source, $"{listed} tokens but {data.Kinds.Count} token types: there must be one for each.");

        var added = new Dictionary<int, AddedToken>();
        int size = listed;
        int bytes = data.Tokens.ByteCount;
        long characters = 0;
        foreach (AddedToken token in AllAdded(data))
        {
            Check(data, token, listed);
            if (!added.TryAdd(token.Id, token) && added[token.Id].Content != token.Content)
                throw new TokenizerFileException(data.Source, $"two added tokens have the id {token.Id}: '{added[token.Id].Content}' and '{token.Content}'.");
            size = Math.Max(size, token.Id + 1);
            characters += token.Content.Length;
            if (characters > MaxAddedCharacters)
                throw new TokenizerFileException(data.Source, $"the added tokens together are longer than {MaxAddedCharacters} characters.");
            bytes = checked(bytes + Encoding.UTF8.GetByteCount(token.Content));
        }

        AddedToken[] ordered = [.. added.Values];
        Array.Sort(ordered, (a, b) => a.Id.CompareTo(b.Id));
        Added = ordered;
        AddedIds = new Dictionary<string, int>(ordered.Length, StringComparer.Ordinal);
        foreach (AddedToken token in ordered)
        {
            if (!AddedIds.TryAdd(token.Content, token.Id))
                throw new TokenizerFileException(data.Source, $"the added token '{token.Content}' has two ids: {AddedIds[token.Content]} and {token.Id}.");
        }

        _kinds = new TokenKind[size];
        _starts = new int[size + 1];
        _bytes = new byte[bytes];
        Fill(data, added);
        Pieces = new PieceTable(TextCount, _bytes, _starts);
        for (int id = 0; id < listed; id++)
        {
            if (_kinds[id] == TokenKind.Text && !Pieces.TryAdd(id, out int known))
                throw new TokenizerFileException(data.Source, $"the token '{Show(id)}' has two ids: {known} and {id}.");
        }

        if (data.RefuseShadowed)
            CheckShadowed(data);
        if (TextCount == 0)
            throw new TokenizerFileException(data.Source, "the vocabulary holds no text token.");
    }

    /// <summary>One more than the largest id.</summary>
    public int Size => _kinds.Length;

    /// <summary>How many ids are text.</summary>
    public int TextCount { get; private set; }

    /// <summary>Added tokens by id.</summary>
    public AddedToken[] Added { get; }

    /// <summary>Ids of added tokens by spelling.</summary>
    public Dictionary<string, int> AddedIds { get; }

    /// <summary>Text tokens by their bytes. No added token is in it.</summary>
    public PieceTable Pieces { get; }

    /// <summary>What an id stands for.</summary>
    public TokenKind KindOf(int id) => (uint)id < (uint)_kinds.Length ? _kinds[id] : TokenKind.Unused;

    /// <summary>The bytes of an id; empty for none.</summary>
    public ReadOnlySpan<byte> BytesOf(int id) =>
        (uint)id < (uint)_kinds.Length ? _bytes.AsSpan(_starts[id], _starts[id + 1] - _starts[id]) : [];

    /// <summary>For ranks files: enters the text tokens of two bytes with their ids as ranks.</summary>
    public void RankBytePairs(BytePairs bytes)
    {
        for (int id = 0; id < _kinds.Length; id++)
        {
            if (_kinds[id] == TokenKind.Text && _starts[id + 1] - _starts[id] == 2)
                bytes.SetRank(_bytes[_starts[id]], _bytes[_starts[id] + 1], id);
        }
    }

    // The reference compares the spellings: "Ċ" is the text token of a line break, an added token "\n" is something else.
    private void CheckShadowed(TokenizerData data)
    {
        foreach (AddedToken token in Added)
        {
            byte[] spelling = Encoding.UTF8.GetBytes(token.Content);
            if (!ByteAlphabet.TryDecode(spelling, spelling, out int length))
                continue;
            int text = Pieces.Find(spelling.AsSpan(0, length));
            if (text >= 0)
                throw new TokenizerFileException(data.Source, $"the added token '{token.Content}' has the id {token.Id}, but the vocabulary lists it as {text}.");
        }
    }

    private static List<AddedToken> AllAdded(TokenizerData data)
    {
        List<AddedToken> all = [];
        for (int id = 0; id < data.Kinds.Count; id++)
        {
            TokenKind kind = data.Kinds[id];
            if (kind is TokenKind.Added or TokenKind.Special && data.Tokens[id].Length > 0)
                all.Add(new AddedToken(id, Encoding.UTF8.GetString(data.Tokens[id])) { Special = kind == TokenKind.Special });
        }

        all.AddRange(data.AddedTokens);
        return all;
    }

    private static void Check(TokenizerData data, AddedToken token, int listed)
    {
        long limit = ((long)listed + data.AddedTokens.Count) * GapFactor + GapSlack;
        if (token.Id < 0 || token.Id >= limit)
            throw new TokenizerFileException(data.Source, $"the added token '{token.Content}' has the id {token.Id}; with {listed} tokens it must be from 0 to {limit - 1}.");
        if (token.Content.Length is 0 or > AddedTokenMatcher.MaxLength)
            throw new TokenizerFileException(data.Source, $"the added token {token.Id} is {token.Content.Length} characters long; 1 to {AddedTokenMatcher.MaxLength} are allowed.");
    }

    private void Fill(TokenizerData data, Dictionary<int, AddedToken> added)
    {
        int end = 0;
        for (int id = 0; id < _kinds.Length; id++)
        {
            _starts[id] = end;
            bool isListed = id < data.Tokens.Count;
            TokenKind kind = isListed && data.Kinds.Count > 0 ? data.Kinds[id] : isListed ? TokenKind.Text : TokenKind.Unused;
            ReadOnlySpan<byte> spelling = isListed ? data.Tokens[id] : [];
            if (added.TryGetValue(id, out AddedToken? token))
            {
                byte[] content = Encoding.UTF8.GetBytes(token.Content);
                if (kind == TokenKind.Text && spelling.Length > 0 && !spelling.SequenceEqual(content))
                    throw new TokenizerFileException(data.Source, $"the added token '{token.Content}' has the id {id}, which is the token '{Encoding.UTF8.GetString(spelling)}'.");
                content.CopyTo(_bytes, end);
                end += content.Length;
                _kinds[id] = token.Special ? TokenKind.Special : TokenKind.Added;
                continue;
            }

            // The entry of an unused id has a name in the file ("[PAD7]"), but it stands for nothing.
            _kinds[id] = kind == TokenKind.Text && spelling.Length > 0 ? TokenKind.Text : TokenKind.Unused;
            if (_kinds[id] == TokenKind.Unused)
                continue;
            int written = spelling.Length;
            if (data.Spelling == TokenSpelling.Bytes)
                spelling.CopyTo(_bytes.AsSpan(end));
            else if (!ByteAlphabet.TryDecode(spelling, _bytes.AsSpan(end), out written))
                throw new TokenizerFileException(data.Source, $"the token {id}, '{Encoding.UTF8.GetString(spelling)}', is not in the byte-level alphabet.");
            if (written > MaxTokenBytes)
                throw new TokenizerFileException(data.Source, $"the token {id} has {written} bytes; {MaxTokenBytes} are the most.");
            end += written;
            TextCount++;
        }

        _starts[^1] = end;
    }

    private string Show(int id) => Encoding.UTF8.GetString(BytesOf(id));
}
