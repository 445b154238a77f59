using System.Text;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Constraints;

/// <summary>A small vocabulary: the 256 bytes, some longer pieces, then control tokens. Encoding takes the longest piece.</summary>
internal sealed class ToyTokenizer : ITokenizer
{
    private readonly List<byte[]> _pieces = [];
    private readonly List<string> _controls = [];
    private readonly Dictionary<string, int> _byBytes = new(StringComparer.Ordinal);
    private readonly int _longest;

    public ToyTokenizer(IEnumerable<string> pieces, params string[] controls)
    {
        for (int b = 0; b < 256; b++)
            Add([(byte)b]);
        foreach (string piece in pieces)
            Add(Encoding.UTF8.GetBytes(piece));

        // Pieces that end or begin in the middle of a character, as byte-level vocabularies have them.
        Add([0x20, 0xE4]);
        Add([0xBD, 0xA0]);
        Add([0xF0, 0x9F, 0x91]);
        Add([0xC3, 0xA9, 0x22]);
        _controls.AddRange(controls);
        _longest = _pieces.Max(p => p.Length);
    }

    /// <summary>Pieces that cross the joints of JSON texts and of tool calls.</summary>
    public static ToyTokenizer Standard { get; } = new(
        [
            "\":", "\": ", "\", \"", "\"}", "\"},", "\"}]", "{\"", "[{\"", "}]", "}}", "]}", "],", "[]", "{}", "true", "tru", "false", "null", "nul",
            "12", "123", "10", "0.", ".5", "e-", "e+", "E1", "-1", "  ", "    ", "\n", "\n  ", "\n\n", ", ", ": ", " \"", "name", "na", "\"name\"", "age",
            "the", " the", " a", "abc", "ab", "b\"", "a\"}", "a\", ", "\\n", "\\\"", "\\u", "00", "\\u00", "d83d", "\\ud83d", "你", "好", "北京", "👍", "é",
            "<", "</", ">", "arg", "_value", "</arg", "value>", "think", "</think", ">\n", "call", "get_weather", "city", "x", "y", "z", "kind", "\"kind", "circle\"", "items", "opt",
            "2024", "-01", "T", "Z", ":00", "@", ".com", "item-0", "aa", "xx", "xxxx",
        ],
        "<|endoftext|>",
        "<|user|>",
        "<|observation|>",
        "<think>",
        "</think>",
        "<tool_call>",
        "</tool_call>",
        "<arg_key>",
        "</arg_key>",
        "<arg_value>",
        "</arg_value>",
        "<|assistant|>");

    public int VocabularySize => _pieces.Count + _controls.Count;

    public int Control(string text) => TryGetAdded(text, out int id) ? id : throw new ArgumentException(text);

    public void Encode(ReadOnlySpan<char> text, bool recogniseAdded, List<int> ids)
    {
        ReadOnlySpan<byte> bytes = Encoding.UTF8.GetBytes(text.ToString());
        while (bytes.Length > 0)
        {
            int length = Math.Min(_longest, bytes.Length);
            int id;
            while (!_byBytes.TryGetValue(Convert.ToHexString(bytes[..length]), out id))
                length--;
            ids.Add(id);
            bytes = bytes[length..];
        }
    }

    public bool TryGetAdded(ReadOnlySpan<char> token, out int id)
    {
        id = _controls.IndexOf(token.ToString());
        id = id < 0 ? id : id + _pieces.Count;
        return id >= 0;
    }

    public TokenKind KindOf(int id)
    {
        if (id < 0 || id >= VocabularySize)
            return TokenKind.Unused;
        if (id < _pieces.Count)
            return TokenKind.Text;
        return _controls[id - _pieces.Count].Contains('|', StringComparison.Ordinal) ? TokenKind.Special : TokenKind.Added;
    }

    public ReadOnlySpan<byte> BytesOf(int id)
    {
        if (id < 0 || id >= VocabularySize)
            return default;
        return id < _pieces.Count ? _pieces[id] : Encoding.UTF8.GetBytes(_controls[id - _pieces.Count]);
    }

    private void Add(byte[] bytes)
    {
        if (_byBytes.TryAdd(Convert.ToHexString(bytes), _pieces.Count))
            _pieces.Add(bytes);
    }
}
