using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class StreamDecoderTests
{
    private static readonly Tokenizer _small = TestVocabularies.Small;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_stream_is_the_whole_text(bool skipSpecial)
    {
        var random = new Random(20265);
        for (int round = 0; round < 4_000; round++)
        {
            // Single bytes are the first 256 ids here: much of this is no valid text.
            int[] ids = [.. Enumerable.Range(0, random.Next(30)).Select(_ => random.Next(4) switch
            {
                0 => random.Next(_small.VocabularySize + 50),
                1 => random.Next(_small.VocabularySize - 40, _small.VocabularySize),
                _ => random.Next(256),
            })];
            var decoder = new StreamDecoder(_small, skipSpecial);
            var text = new StringBuilder();
            foreach (int id in ids)
                text.Append(decoder.Append(id));
            text.Append(decoder.Flush());
            Assert.Equal(_small.Decode(ids, skipSpecial), text.ToString());
            Assert.False(decoder.HasPending);
        }
    }

    [Fact]
    public void No_piece_ends_in_half_a_character()
    {
        var random = new Random(20266);
        for (int round = 0; round < 500; round++)
        {
            string text = RandomTexts.Next(random, 20);
            var decoder = new StreamDecoder(_small);
            foreach (int id in _small.Encode(text, false))
            {
                string piece = decoder.Append(id).ToString();
                Assert.Equal(piece.Contains('\uFFFD'), text.Contains('\uFFFD') && piece.Contains('\uFFFD'));
                Assert.False(piece.Length > 0 && char.IsHighSurrogate(piece[^1]));
            }
        }
    }

    [Fact]
    public void The_steady_state_makes_no_garbage()
    {
        List<int> ids = _small.Encode("Steady as she goes, 你好 👍 and on.", false);
        var decoder = new StreamDecoder(_small);
        Run();
        Assert.Equal(0, Allocation.Least(() =>
        {
            for (int i = 0; i < 100; i++)
                Run();
        }));

        void Run()
        {
            foreach (int id in ids)
                decoder.Append(id);
            decoder.Flush();
        }
    }

    [Fact]
    public void A_long_token_and_bytes_without_a_token_pass()
    {
        var decoder = new StreamDecoder(_small);
        string text = new('é', 5_000);
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Assert.Equal(text[..^1], decoder.AppendBytes(utf8.AsSpan()[..^1]).ToString());
        Assert.True(decoder.HasPending);
        Assert.Equal("é", decoder.AppendBytes(utf8.AsSpan()[^1..]).ToString());
        Assert.Equal("", decoder.Flush().ToString());
    }
}
