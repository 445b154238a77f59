using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class TokenizerTests
{
    private static readonly Tokenizer _small = TestVocabularies.Small;

    [Fact]
    public void Text_never_becomes_an_added_token_unless_asked()
    {
        foreach (AddedToken token in _small.AddedTokens)
        {
            Assert.All(_small.Encode(token.Content, recogniseAdded: false), id => Assert.Equal(TokenKind.Text, _small.KindOf(id)));
            Assert.Equal([token.Id], _small.Encode(token.Content, recogniseAdded: true));
        }

        var random = new Random(20271);
        string all = string.Concat(_small.AddedTokens.Select(token => token.Content));
        for (int round = 0; round < 1_000; round++)
        {
            int start = random.Next(all.Length);
            string text = $"{all.AsSpan(start, random.Next(all.Length - start))}{RandomTexts.Next(random, 5)}";
            Assert.All(_small.Encode(text, recogniseAdded: false), id => Assert.Equal(TokenKind.Text, _small.KindOf(id)));
        }
    }

    [Fact]
    public void An_added_token_that_the_vocabulary_lists_cannot_be_spelt_by_text()
    {
        // "ab" is both a merge of the vocabulary and an added token.
        Utf8StringList tokens = ByteTokens();
        tokens.Add("ab"u8);
        tokens.Add("abc"u8);
        var merges = new Utf8StringList();
        merges.Add("a b"u8);
        merges.Add("ab c"u8);
        var tokenizer = new Tokenizer(new TokenizerData
        {
            Source = "test",
            Tokens = tokens,
            Spelling = TokenSpelling.Bytes,
            Merges = merges,
            AddedTokens = [new AddedToken(256, "ab") { Special = true }],
        });
        Assert.Equal(['a', 'b'], tokenizer.Encode("ab", false));
        Assert.Equal(['x', 'a', 'b'], tokenizer.Encode("xab", false));
        Assert.Equal([256], tokenizer.Encode("ab", true));
        Assert.Equal([257], tokenizer.Encode("abc", false));
        Assert.Equal(TokenKind.Special, tokenizer.KindOf(256));
    }

    [Fact]
    public void Decoding_gives_back_any_valid_text()
    {
        var random = new Random(20272);
        foreach (Tokenizer tokenizer in new[] { _small, TestVocabularies.Legacy, TestVocabularies.Real })
        {
            for (int round = 0; round < 1_500; round++)
            {
                string text = RandomTexts.Next(random, random.Next(40));
                Assert.Equal(text, tokenizer.Decode([.. tokenizer.Encode(text, false)]));
                Assert.Equal(text, tokenizer.Decode([.. tokenizer.Encode(text, true)]));
            }
        }
    }

    [Fact]
    public void Every_code_point_survives()
    {
        var text = new StringBuilder();
        for (int codePoint = 0; codePoint < 0x110000; codePoint++)
        {
            if (Rune.IsValid(codePoint))
                text.Append(new Rune(codePoint).ToString());
        }

        string all = text.ToString();
        Assert.Equal(all, TestVocabularies.Real.Decode([.. TestVocabularies.Real.Encode(all, false)]));
    }

    [Fact]
    public void The_three_forms_of_one_vocabulary_agree()
    {
        // As GGUF holds it: added tokens among the others, by type.
        TokenizerData json = TokenizerJsonFile.Read(File.ReadAllBytes(Fixtures.Path("tokenizer", "tokenizer.json")), "tokenizer.json");
        var tokens = new Utf8StringList();
        for (int id = 0; id < json.Tokens.Count; id++)
            tokens.Add(json.Tokens[id]);
        List<TokenKind> kinds = [.. Enumerable.Repeat(TokenKind.Text, tokens.Count)];
        foreach (AddedToken token in json.AddedTokens)
        {
            tokens.Add(Encoding.UTF8.GetBytes(token.Content));
            kinds.Add(token.Special ? TokenKind.Special : TokenKind.Added);
        }

        tokens.Add("[PAD8192]"u8);
        kinds.Add(TokenKind.Unused);
        var listed = new Tokenizer(new TokenizerData { Source = "gguf", Tokens = tokens, Kinds = kinds, Merges = json.Merges });

        Assert.Equal(8193, listed.VocabularySize);
        Assert.Equal(TokenKind.Unused, listed.KindOf(8192));
        Assert.True(listed.BytesOf(8192).IsEmpty);
        var random = new Random(20273);
        for (int round = 0; round < 2_000; round++)
        {
            string text = RandomTexts.Next(random, random.Next(40));
            Assert.Equal(_small.Encode(text, true), listed.Encode(text, true));
            Assert.Equal(_small.Encode(text, false), TestVocabularies.Legacy.Encode(text, false));
        }
    }

    [Fact]
    public void Kinds_and_bytes_of_ids()
    {
        Assert.True(_small.TryGetAdded("<|user|>", out int user));
        Assert.Equal(TokenKind.Special, _small.KindOf(user));
        Assert.Equal("<|user|>"u8, _small.BytesOf(user));
        Assert.True(_small.TryGetAdded("<think>", out int think));
        Assert.Equal(TokenKind.Added, _small.KindOf(think));
        Assert.False(_small.TryGetAdded("Hello", out _));
        Assert.Equal(TokenKind.Unused, _small.KindOf(_small.VocabularySize));
        Assert.Equal(TokenKind.Unused, _small.KindOf(-1));
        Assert.True(_small.BytesOf(int.MaxValue).IsEmpty);
        Assert.Equal(8192, _small.VocabularySize);
        Assert.True(_small.EncodesEveryByte);
    }

    [Fact]
    public void Lone_surrogates_become_replacement_characters()
    {
        Assert.Equal(_small.Encode("a\uFFFDb", false), _small.Encode("a\uD83Db", false));
        Assert.Equal(_small.Encode("\uFFFD", false), _small.Encode("\uDC4D", false));
        Assert.Equal("\uFFFD\uFFFD👍", _small.Decode([.. _small.Encode("\uDC4D\uD83D👍", false)]));
    }

    [Fact]
    public void Many_added_tokens_are_found_longest_first()
    {
        AddedToken[] added = [.. Enumerable.Range(0, 16384).Select(i => new AddedToken(256 + i, $"<|audio_{i}|>"))];
        var tokenizer = new Tokenizer(new TokenizerData { Source = "test", Tokens = ByteTokens(), Spelling = TokenSpelling.Bytes, AddedTokens = [.. added, new AddedToken(20_000, "<|audio")] });
        Assert.Equal([256 + 16383, 256 + 1, '<', '|', 'x', 20_000, '_', '9'], tokenizer.Encode("<|audio_16383|><|audio_1|><|x<|audio_9", true));
        Assert.Equal(100_000, tokenizer.Encode(new string('<', 100_000), true).Count);
        Assert.Equal(TokenKind.Unused, tokenizer.KindOf(19_999));
    }

    private static Utf8StringList ByteTokens()
    {
        var tokens = new Utf8StringList();
        for (int b = 0; b < 256; b++)
            tokens.Add([(byte)b]);
        return tokens;
    }
}
