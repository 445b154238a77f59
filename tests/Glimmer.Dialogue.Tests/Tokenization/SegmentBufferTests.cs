using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class SegmentBufferTests
{
    private static readonly Tokenizer _small = TestVocabularies.Small;

    [Fact]
    public void Text_in_parts_has_the_tokens_of_the_whole()
    {
        var random = new Random(20267);
        for (int round = 0; round < 3_000; round++)
        {
            string text = RandomTexts.WithLoneSurrogates(random, random.Next(60));
            var ids = new List<int>();
            var segment = new SegmentBuffer(round % 2 == 0 ? _small : TestVocabularies.Legacy);
            foreach (string part in RandomTexts.Parts(random, text))
                segment.Write(part, ids);
            segment.End(ids);
            segment.Dispose();
            Assert.Equal(_small.Encode(text, false), ids);
        }
    }

    [Fact]
    public void Long_texts_are_encoded_as_in_one_go()
    {
        var random = new Random(20268);
        for (int round = 0; round < 8; round++)
        {
            string text = round < 6 ? RandomTexts.Next(random, 30_000) : new string(round == 6 ? 'a' : '\u3000', 70_000) + RandomTexts.Next(random, 9_000);
            var whole = new List<int>();
            byte[] utf8 = Encoding.UTF8.GetBytes(text);
            Assert.Equal(utf8.Length, _small.EncodeCertain(utf8, isEnd: true, whole));
            Assert.Equal(whole, _small.Encode(text, false));
            Assert.Equal(text, _small.Decode([.. whole]));
        }
    }

    [Fact]
    public void What_is_certain_stays_whatever_comes()
    {
        var random = new Random(20269);
        for (int round = 0; round < 4_000; round++)
        {
            string text = RandomTexts.WithLoneSurrogates(random, random.Next(1, 30));
            int certain = _small.CertainLength(text);
            List<int> head = _small.Encode(text.AsSpan(0, certain), false);
            for (int i = 0; i < 3; i++)
            {
                string longer = text + RandomTexts.WithLoneSurrogates(random, random.Next(8));
                Assert.Equal([.. head, .. _small.Encode(longer.AsSpan(certain), false)], _small.Encode(longer, false));
            }
        }
    }

    [Theory]
    [InlineData("Hello world", 5)]
    [InlineData("Hello world ", 11)]
    [InlineData("Hello\n\n", 5)]
    [InlineData("", 0)]
    [InlineData("abc", 0)]
    [InlineData("1234", 3)]
    [InlineData("a b c d e. ", 10)]
    [InlineData("a  1 ", 4)]
    [InlineData("a  1", 1)]
    public void Only_the_last_piece_is_uncertain(string text, int expected)
    {
        Assert.Equal(expected, _small.CertainLength(text));
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("!")]
    [InlineData("a b ")]
    public void Writing_a_character_at_a_time_stays_linear(string bit)
    {
        var buffer = new SegmentBuffer(_small);
        var ids = new List<int>();
        const int Length = 100_000;
        for (int i = 0; i < Length; i++)
            buffer.Write(bit.AsSpan(i % bit.Length, 1), ids);
        buffer.End(ids);
        Assert.InRange(buffer.Steps, Length, 8L * Length);
        buffer.Dispose();
    }

    [Fact]
    public void Encoding_makes_no_garbage_but_the_ids()
    {
        string text = RandomTexts.Next(new Random(20270), 3_000) + new string('x', 2_000);
        var ids = new List<int>(text.Length);
        _small.Encode(text, false, ids);
        Assert.True(text.Length > 340 && ids.Count > 0);
        Assert.Equal(0, Allocation.Least(() =>
        {
            ids.Clear();
            _small.Encode(text, false, ids);
        }));
    }
}
