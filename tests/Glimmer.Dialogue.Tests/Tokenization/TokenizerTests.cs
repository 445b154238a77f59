using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class TokenizerTests
{
    private static readonly Tokenizer Small = TokenizerFiles.Open(Fixtures.Path("tokenizer", "tokenizer.json"));

    [Fact]
    public void Text_never_becomes_an_added_token_unless_asked()
    {
        foreach (AddedToken token in Small.AddedTokens)
        {
            Assert.All(Small.Encode(token.Content, recogniseAdded: false), id => Assert.Equal(TokenKind.Text, Small.KindOf(id)));
            Assert.Equal([token.Id], Small.Encode(token.Content, recogniseAdded: true));
        }
    }

    [Fact]
    public void Kinds_and_bytes_of_ids()
    {
        Assert.True(Small.TryGetAdded("<|user|>", out int user));
        Assert.Equal(TokenKind.Special, Small.KindOf(user));
        Assert.Equal("<|user|>"u8, Small.BytesOf(user));
        Assert.True(Small.TryGetAdded("<think>", out int think));
        Assert.Equal(TokenKind.Added, Small.KindOf(think));
        Assert.False(Small.TryGetAdded("Hello", out _));
        Assert.Equal(TokenKind.Unused, Small.KindOf(Small.VocabularySize));
        Assert.Equal(TokenKind.Unused, Small.KindOf(-1));
        Assert.True(Small.BytesOf(int.MaxValue).IsEmpty);
        Assert.Equal(8192, Small.VocabularySize);
    }

    [Fact]
    public void Lone_surrogates_become_replacement_characters()
    {
        Assert.Equal(Small.Encode("a\uFFFDb", false), Small.Encode("a\uD83Db", false));
        Assert.Equal(Small.Encode("\uFFFD", false), Small.Encode("\uDC4D", false));
        Assert.Equal("\uFFFD\uFFFD👍", Small.Decode([.. Small.Encode("\uDC4D\uD83D👍", false)]));
    }
}
