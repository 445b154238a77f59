using System.Globalization;
using System.Text;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Tokenization;

/// <summary>Random damage to valid files: an error of the one kind, or a tokenizer that works.</summary>
public sealed class MutatedFileTests
{
    private static readonly int _cases =
        int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), NumberStyles.None, CultureInfo.InvariantCulture, out int cases) ? cases : 1_500;

    private static readonly string[] _splices =
    [
        "null", "true", "[]", "{}", "\"\"", "-1", "1e999", "2147483648", "18446744073709551616", "\"\\ud800\"", "\"\\u0000\"", ",", ":", "[", "]", "{", "}", "\"",
        "\\p{L}+", "|", "(", "*", "[^", "{1,99999}", "?", "\uFEFF", "Ġ", "你", " ", "\n", "=", "AAAA",
    ];

    [Fact]
    public void Damaged_json_is_refused_or_works()
    {
        byte[] valid = File.ReadAllBytes(Fixtures.Path("tokenizer", "malformed", "valid.tokenizer.json"));
        byte[] flags = Trimmed(File.ReadAllBytes(Fixtures.Path("tokenizer", "tokenizer-flags.json")));
        Run(20274, random => new Tokenizer(TokenizerJsonFile.Read(Damage(random, random.Next(4) == 0 ? flags : valid), "t.json")));
    }

    [Fact]
    public void Damaged_ranks_are_refused_or_work()
    {
        byte[] valid = File.ReadAllBytes(Fixtures.Path("tokenizer", "malformed", "valid-no-final-newline.tokenizer.model"));
        Run(20275, random => new Tokenizer(TokenizerRanksFile.Read(Damage(random, valid), "t.model", [])));
    }

    [Fact]
    public void Damaged_configurations_are_refused_or_work()
    {
        byte[] valid = """
            {"added_tokens_decoder": {"257": {"content": "<|endoftext|>", "special": true, "lstrip": false}, "258": {"content": "[gMASK]"},
             "259": {"content": "<sop>", "single_word": false, "rstrip": true}, "300": {"content": "x'", "normalized": true}}}
            """u8.ToArray();
        byte[] ranks = File.ReadAllBytes(Fixtures.Path("tokenizer", "malformed", "valid-no-final-newline.tokenizer.model"));
        Run(20276, random => new Tokenizer(TokenizerRanksFile.Read(ranks, "t.model", TokenizerFiles.ReadConfig(Damage(random, valid), "c.json"))));
    }

    private static byte[] Trimmed(byte[] file) => file.Length < 20_000 ? file : throw new InvalidOperationException("too large to damage thousands of times");

    private static void Run(int seed, Func<Random, Tokenizer> open)
    {
        var random = new Random(seed);
        int opened = 0;
        for (int round = 0; round < _cases; round++)
        {
            Tokenizer tokenizer;
            try
            {
                tokenizer = open(random);
            }
            catch (TokenizerFileException fault)
            {
                Assert.NotEmpty(fault.Fault);
                continue;
            }

            opened++;
            string text = RandomTexts.WithLoneSurrogates(random, random.Next(20));
            foreach (bool recognise in new[] { false, true })
            {
                List<int> ids = tokenizer.Encode(text, recognise);
                Assert.All(ids, id => Assert.NotEqual(TokenKind.Unused, tokenizer.KindOf(id)));
                if (!recognise)
                    Assert.All(ids, id => Assert.Equal(TokenKind.Text, tokenizer.KindOf(id)));
                if (tokenizer.EncodesEveryByte && !recognise)
                    Assert.Equal(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), tokenizer.Decode([.. ids]));
            }
        }

        // Otherwise the damage would be so rough that only the first check of each reader is tried.
        Assert.InRange(opened, _cases / 300, _cases - 1);
    }

    private static byte[] Damage(Random random, byte[] valid)
    {
        List<byte> bytes = [.. valid];
        for (int i = random.Next(1, 4); i > 0 && bytes.Count > 8; i--)
        {
            int place = random.Next(bytes.Count);
            int length = Math.Min(random.Next(1, 12), bytes.Count - place);
            switch (random.Next(6))
            {
                case 0:
                    bytes[place] = (byte)random.Next(256);
                    break;
                case 1:
                    bytes[place] ^= (byte)(1 << random.Next(8));
                    break;
                case 2:
                    bytes.RemoveRange(place, length);
                    break;
                case 3:
                    bytes.InsertRange(place, bytes.GetRange(random.Next(bytes.Count - length + 1), length));
                    break;
                case 4:
                    bytes.InsertRange(place, Encoding.UTF8.GetBytes(_splices[random.Next(_splices.Length)]));
                    break;
                default:
                    if (random.Next(4) == 0)
                        bytes.RemoveRange(place, bytes.Count - place);
                    else
                        bytes[place] = (byte)('0' + random.Next(10));
                    break;
            }
        }

        return [.. bytes];
    }
}
