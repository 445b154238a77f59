using System.Text;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class PieceEncoderTests
{
    private const string Letters = "ab你好我们，。éжñ👍🏽𠮷";

    [Fact]
    public void Cutting_at_barriers_changes_nothing_in_random_vocabularies()
    {
        var random = new Random(20278);
        for (int round = 0; round < 120; round++)
        {
            PieceEncoder encoder = RandomEncoder(random, round % 2 == 0);
            for (int i = 0; i < 40; i++)
            {
                byte[] piece = Text(random, random.Next(1, 30));
                List<int> cut = [];
                encoder.Encode(piece, cut);
                List<int> whole = [];
                encoder.Merge(piece, whole);
                Assert.Equal(whole, cut);
            }
        }
    }

    [Fact]
    public void Cutting_at_barriers_changes_nothing_in_the_published_vocabulary()
    {
        TokenizerData ranks = TestVocabularies.RealData();
        TokenizerData listed = DerivedMerges.From(ranks);
        var random = new Random(20279);
        foreach (TokenizerData data in new[] { ranks, listed })
        {
            var vocabulary = new Vocabulary(data);
            var encoder = new PieceEncoder(data, vocabulary);
            string[] words = [.. Enumerable.Range(256, 140_000).Where(id => vocabulary.BytesOf(id)[0] >= 0xC3).Select(id => Encoding.UTF8.GetString(vocabulary.BytesOf(id)))];
            for (int i = 0; i < 1_500; i++)
            {
                // A leading rare sign keeps the piece from being taken whole.
                string text = "\u1C89" + string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => random.Next(6) == 0 ? "a" : words[random.Next(words.Length)]));
                byte[] piece = Encoding.UTF8.GetBytes(text);
                List<int> cut = [];
                encoder.Encode(piece, cut);
                List<int> whole = [];
                encoder.Merge(piece, whole);
                Assert.Equal(whole, cut);
            }
        }
    }

    private static byte[] Text(Random random, int length)
    {
        var text = new StringBuilder();
        Rune[] runes = [.. Letters.EnumerateRunes()];
        for (int i = 0; i < length; i++)
            text.Append(runes[random.Next(runes.Length)].ToString());
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    // Merges bytes of random texts, across characters as well as inside them, so that tokens hold parts of characters.
    private static PieceEncoder RandomEncoder(Random random, bool listed)
    {
        var tokens = new Utf8StringList();
        var known = new HashSet<string>(StringComparer.Ordinal);
        for (int b = 0; b < 256; b++)
        {
            tokens.Add([(byte)b]);
            known.Add(((char)b).ToString());
        }

        var merges = new Utf8StringList();
        List<string> parts = [.. Text(random, 60).Select(b => ((char)b).ToString())];
        for (int i = random.Next(2, 60); i > 0 && parts.Count > 1; i--)
        {
            int place = random.Next(parts.Count - 1);
            string both = parts[place] + parts[place + 1];
            if (both.Length > 12)
                continue;
            merges.Add(Encoding.Latin1.GetBytes($"{parts[place]} {parts[place + 1]}"));
            if (known.Add(both))
                tokens.Add(Encoding.Latin1.GetBytes(both));
            parts[place] = both;
            parts.RemoveAt(place + 1);
        }

        var data = new TokenizerData { Source = "t", Tokens = tokens, Spelling = TokenSpelling.Bytes, Merges = listed ? merges : null, IgnoreMerges = false };
        var encoder = new PieceEncoder(data, new Vocabulary(data));
        Assert.True(encoder.EncodesEveryByte);
        return encoder;
    }
}
