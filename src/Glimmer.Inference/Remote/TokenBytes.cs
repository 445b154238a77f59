using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Inference.Remote;

/// <summary>Finds tokens of text by their bytes, where an engine shows text in place of some ids.</summary>
internal sealed class TokenBytes
{
    /// <summary>Longest text that is searched for a split into a number of tokens.</summary>
    private const int MaxSearched = 64;

    private readonly Lazy<Dictionary<string, int>> _ids;
    private int _longest = 1;

    /// <summary>Tokens of a vocabulary.</summary>
    public TokenBytes(ITokenizer tokenizer)
    {
        Tokenizer = tokenizer;
        _ids = new Lazy<Dictionary<string, int>>(() =>
        {
            Dictionary<string, int> ids = new(StringComparer.Ordinal);
            for (int id = 0; id < tokenizer.VocabularySize; id++)
            {
                if (tokenizer.KindOf(id) != TokenKind.Text)
                    continue;
                ids.TryAdd(Key(tokenizer.BytesOf(id)), id);
                _longest = Math.Max(_longest, tokenizer.BytesOf(id).Length);
            }

            return ids;
        });
    }

    /// <summary>The vocabulary.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>Tokens whose bytes are those given, as many as asked where there is such a split, else as few as the greedy one has.</summary>
    public List<int> Split(ReadOnlySpan<byte> bytes, int count)
    {
        Dictionary<string, int> ids = _ids.Value;
        List<int> tokens = [];
        if (bytes.Length <= MaxSearched && Search(bytes.ToArray(), 0, count, ids, tokens, []))
            return tokens;
        tokens.Clear();
        for (int at = 0; at < bytes.Length;)
        {
            int length = Math.Min(_longest, bytes.Length - at);
            while (length > 1 && !ids.ContainsKey(Key(bytes.Slice(at, length))))
                length--;
            if (ids.TryGetValue(Key(bytes.Slice(at, length)), out int id))
                tokens.Add(id);
            at += length;
        }

        return tokens;
    }

    private bool Search(byte[] bytes, int at, int count, Dictionary<string, int> ids, List<int> tokens, HashSet<(int, int)> dead)
    {
        if (at == bytes.Length || count == 0)
            return at == bytes.Length && count == 0;
        if (!dead.Add((at, count)))
            return false;
        for (int length = Math.Min(_longest, bytes.Length - at); length > 0; length--)
        {
            if (!ids.TryGetValue(Key(bytes.AsSpan(at, length)), out int id))
                continue;
            tokens.Add(id);
            if (Search(bytes, at + length, count - 1, ids, tokens, dead))
                return true;
            tokens.RemoveAt(tokens.Count - 1);
        }

        return false;
    }

    private static string Key(ReadOnlySpan<byte> bytes) => System.Text.Encoding.Latin1.GetString(bytes);
}
