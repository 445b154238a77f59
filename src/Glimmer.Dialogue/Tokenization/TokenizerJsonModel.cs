using System.Text.Json;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>The section <c>model</c> of a <c>tokenizer.json</c>, read without an object for each token.</summary>
internal sealed class TokenizerJsonModel
{
    private readonly string _source;
    private readonly Utf8StringList _listed = new(1024);
    private readonly List<int> _ids = [];
    private byte[] _scratch = new byte[256];
    private bool _hasVocabulary;

    private TokenizerJsonModel(string source)
    {
        _source = source;
        Tokens = _listed;
    }

    /// <summary>Tokens in order of id.</summary>
    public Utf8StringList Tokens { get; private set; }

    /// <summary>Merges as <c>left right</c>.</summary>
    public Utf8StringList Merges { get; } = new(1024);

    /// <summary>Whether a piece that is a token is taken whole.</summary>
    public bool IgnoreMerges { get; private set; }

    /// <summary>Number of tokens listed.</summary>
    public int Count => _ids.Count;

    /// <summary>Reads the section; the reader stands at its beginning and is left at its end.</summary>
    public static TokenizerJsonModel Read(ref Utf8JsonReader reader, string source)
    {
        var model = new TokenizerJsonModel(source);
        model.Expect(ref reader, JsonTokenType.StartObject, "model", "an object");
        bool hasMerges = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            hasMerges |= name == "merges";
            model.Field(name, ref reader);
        }

        if (!model._hasVocabulary)
            throw new TokenizerFileException(source, "'model.vocab' is missing.");
        if (model.Count == 0)
            throw new TokenizerFileException(source, "'model.vocab' is empty.");
        if (!hasMerges)
            throw new TokenizerFileException(source, "'model.merges' is missing.");
        model.Order();
        return model;
    }

    private void Field(string name, ref Utf8JsonReader reader)
    {
        switch (name)
        {
            case "type":
                string? type = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
                if (type != "BPE")
                    throw new TokenizerFileException(_source, $"the model type '{type}' is not supported; BPE is.");
                break;
            case "vocab":
                Vocabulary(ref reader);
                break;
            case "merges":
                ReadMerges(ref reader);
                break;
            case "ignore_merges":
                IgnoreMerges = Boolean(name, ref reader);
                break;
            case "byte_fallback":
                if (Boolean(name, ref reader))
                    throw new TokenizerFileException(_source, "'model.byte_fallback' is not supported; byte-level vocabularies have it false.");
                break;
            case "dropout":
                if (reader.TokenType != JsonTokenType.Null && !(reader.TokenType == JsonTokenType.Number && reader.GetDouble() == 0))
                    throw new TokenizerFileException(_source, "'model.dropout' is not supported; null is.");
                break;
            case "continuing_subword_prefix" or "end_of_word_suffix":
                if (reader.TokenType != JsonTokenType.Null && !(reader.TokenType == JsonTokenType.String && reader.ValueSpan.IsEmpty))
                    throw new TokenizerFileException(_source, $"'model.{name}' is not supported; null is.");
                break;
            default:
                reader.Skip();
                break;
        }
    }

    private void Vocabulary(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject, "model.vocab", "an object of token: id");
        if (_hasVocabulary)
            throw new TokenizerFileException(_source, "'model.vocab' comes twice.");
        _hasVocabulary = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> token = Unescaped(ref reader);
            if (token.IsEmpty)
                throw new TokenizerFileException(_source, "'model.vocab' holds an empty token.");
            _listed.Add(token);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt32(out int id) || id < 0)
            {
                throw new TokenizerFileException(
                    _source, $"'model.vocab': the id of '{Show(_listed[_listed.Count - 1])}' must be a whole number from 0 to {int.MaxValue}.");
            }

            _ids.Add(id);
        }
    }

    private void ReadMerges(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartArray, "model.merges", "a list");
        if (Merges.Count > 0)
            throw new TokenizerFileException(_source, "'model.merges' comes twice.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType == JsonTokenType.String)
                Merges.Add(Unescaped(ref reader));
            else if (reader.TokenType == JsonTokenType.StartArray)
                MergePair(ref reader);
            else
                throw new TokenizerFileException(_source, $"merge {Merges.Count} must be a pair of strings or one string 'left right'.");
        }
    }

    private void MergePair(ref Utf8JsonReader reader)
    {
        int index = Merges.Count;
        reader.Read();
        if (reader.TokenType == JsonTokenType.String)
        {
            ReadOnlySpan<byte> left = Unescaped(ref reader);
            int length = left.Length;
            bool isPair = reader.Read() && reader.TokenType == JsonTokenType.String;
            if (isPair && !left.Contains((byte)' '))
            {
                // The right half lands behind the left one.
                Span<byte> merge = Merges.Append(length + 1 + reader.ValueSpan.Length);
                left.CopyTo(merge);
                merge[length] = (byte)' ';
                Merges.TrimLast(length + 1 + reader.CopyString(merge[(length + 1)..]));
                reader.Read();
                if (reader.TokenType == JsonTokenType.EndArray)
                    return;
            }
        }

        throw new TokenizerFileException(_source, $"merge {index} must be a pair of strings of the byte-level alphabet.");
    }

    private void Order()
    {
        bool inOrder = true;
        for (int i = 0; i < _ids.Count && inOrder; i++)
            inOrder = _ids[i] == i;
        if (!inOrder)
            Tokens = TokenOrder.ById(_listed, _ids, _source);
    }

    private ReadOnlySpan<byte> Unescaped(ref Utf8JsonReader reader)
    {
        if (reader.ValueSpan.Length > _scratch.Length)
            _scratch = new byte[reader.ValueSpan.Length * 2];
        int length = reader.CopyString(_scratch);
        return _scratch.AsSpan(0, length);
    }

    private bool Boolean(string name, ref Utf8JsonReader reader) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False or JsonTokenType.Null => false,
        _ => throw new TokenizerFileException(_source, $"'model.{name}' must be true or false."),
    };

    private void Expect(ref Utf8JsonReader reader, JsonTokenType type, string name, string what)
    {
        if (reader.TokenType != type)
            throw new TokenizerFileException(_source, $"'{name}' must be {what}.");
    }

    private static string Show(ReadOnlySpan<byte> bytes) => System.Text.Encoding.UTF8.GetString(bytes.Length > 80 ? bytes[..80] : bytes);
}
