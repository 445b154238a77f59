using System.Text;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class PieceMergerTests
{
    private static readonly Lazy<Vocabulary> _realVocabulary = new(() => new Vocabulary(TestVocabularies.RealData()));

    [Fact]
    public void Short_long_and_plain_merging_agree()
    {
        var random = new Random(20263);
        for (int round = 0; round < 150; round++)
        {
            var world = new World(random);
            for (int text = 0; text < 20; text++)
            {
                byte[] piece = new byte[random.Next(1, PieceMerger.ShortPiece + 1)];
                int letters = random.Next(1, 5);
                for (int i = 0; i < piece.Length; i++)
                    piece[i] = (byte)('a' + random.Next(letters));
                List<int> expected = world.Plain(piece);
                var ids = new List<int>();
                PieceMerger.MergeShort(piece, world.Bytes, new ListedRanks(world.Merges), ids);
                Assert.Equal(expected, ids);
                ids.Clear();
                PieceMerger.MergeLong(piece, world.Bytes, new ListedRanks(world.Merges), ids);
                Assert.Equal(expected, ids);
            }
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" ")]
    [InlineData("你")]
    [InlineData("ab")]
    public void Many_bytes_of_one_thing_take_few_steps(string bit)
    {
        Vocabulary vocabulary = _realVocabulary.Value;
        var bytes = new BytePairs(vocabulary.Pieces);
        vocabulary.RankBytePairs(bytes);
        byte[] piece = Encoding.UTF8.GetBytes(new StringBuilder().Insert(0, bit, 200_000 / bit.Length).ToString());
        var ids = new List<int>();
        long steps = PieceMerger.MergeLong(piece, bytes, new TokenRanks(vocabulary.Pieces), ids);
        Assert.InRange(steps, 1, 3L * piece.Length);
        Assert.Equal(piece, ids.SelectMany(id => vocabulary.BytesOf(id).ToArray()));
    }

    [Fact]
    public void The_published_vocabulary_has_the_published_merges_and_both_forms_agree()
    {
        TokenizerData listed = DerivedMerges.From(TestVocabularies.RealData());
        Assert.Equal(318088, listed.Merges!.Count);
        var byMerges = new Tokenizer(listed);
        Tokenizer byRanks = TestVocabularies.Real;
        var random = new Random(20264);
        for (int round = 0; round < 1_500; round++)
        {
            string text = RandomTexts.Next(random, random.Next(1, 60));
            Assert.Equal(byRanks.Encode(text, false), byMerges.Encode(text, false));
        }

        string letters = string.Concat(Enumerable.Range(0, 4000).Select(_ => (char)random.Next('a', 'z' + 1)));
        Assert.Equal(byRanks.Encode(letters, false), byMerges.Encode(letters, false));
    }

    /// <summary>A small vocabulary of random merges, and merging as its definition says.</summary>
    private sealed class World
    {
        private readonly List<(int Left, int Right, int Result)> _rules = [];

        public World(Random random)
        {
            var tokens = new Utf8StringList();
            for (int b = 0; b < 256; b++)
                tokens.Add([(byte)b]);
            int[] letters = [.. Enumerable.Range('a', 4)];
            List<int> parts = [.. letters];
            var known = new Dictionary<string, int>(StringComparer.Ordinal);
            for (int i = 0; i < random.Next(1, 40); i++)
            {
                int left = parts[random.Next(parts.Count)];
                int right = parts[random.Next(parts.Count)];
                if (_rules.Exists(rule => rule.Left == left && rule.Right == right))
                    continue;
                byte[] both = [.. tokens[left], .. tokens[right]];
                string name = Encoding.Latin1.GetString(both);
                if (!known.TryGetValue(name, out int result))
                {
                    result = tokens.Count;
                    tokens.Add(both);
                    known.Add(name, result);
                    parts.Add(result);
                }

                _rules.Add((left, right, result));
            }

            var vocabulary = new Vocabulary(new TokenizerData { Source = "test", Tokens = tokens, Spelling = TokenSpelling.Bytes });
            Bytes = new BytePairs(vocabulary.Pieces);
            Merges = new MergeTable(_rules.Count);
            for (int rank = 0; rank < _rules.Count; rank++)
            {
                (int left, int right, int result) = _rules[rank];
                Merges.Add(left, right, rank, result);
                if (left < 256 && right < 256)
                    Bytes.SetRank((byte)left, (byte)right, rank);
            }
        }

        public BytePairs Bytes { get; }

        public MergeTable Merges { get; }

        public List<int> Plain(byte[] piece)
        {
            List<int> parts = [.. piece.Select(value => (int)value)];
            while (true)
            {
                int best = -1;
                int lowest = int.MaxValue;
                for (int i = 0; i + 1 < parts.Count; i++)
                {
                    int rank = _rules.FindIndex(rule => rule.Left == parts[i] && rule.Right == parts[i + 1]);
                    if (rank >= 0 && rank < lowest)
                        (best, lowest) = (i, rank);
                }

                if (best < 0)
                    return parts;
                parts[best] = _rules[lowest].Result;
                parts.RemoveAt(best + 1);
            }
        }
    }
}
