using System.Text;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed partial class GlmPieceScannerTests
{
    // The runtime's expressions see half surrogate pairs and do not fold U+017F to s, so the reference is spelt out for the alphabet below.
    [GeneratedRegex(@"'(?:[sSſ]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", RegexOptions.None, 10_000)]
    private static partial Regex Reference { get; }

    private static readonly string _alphabet = "abestlrvmdSTRELVMDſÉж你好0123²٣Ⅷ \t\n\r\u00A0\u3000\u2028'’.,!—({<|>\u0301\u200B\uFEFF\0";

    [Fact]
    public void Pieces_are_those_of_the_expression()
    {
        var random = new Random(20261);
        var text = new StringBuilder();
        for (int round = 0; round < 20_000; round++)
        {
            text.Clear();
            int length = random.Next(1, 24);
            int span = random.Next(2, _alphabet.Length);
            int first = random.Next(_alphabet.Length - span);
            for (int i = 0; i < length; i++)
                text.Append(_alphabet[random.Next(3) == 0 ? random.Next(_alphabet.Length) : first + random.Next(span)]);
            string sample = text.ToString();
            Assert.Equal([.. Reference.Matches(sample).Select(match => match.Value)], Pieces(sample, out _));
        }
    }

    [Theory]
    [InlineData("'\u017Ft", "'\u017F|t")]
    [InlineData("𝐀𝐁1", "𝐀𝐁|1")]
    [InlineData("!𝐀", "!𝐀")]
    [InlineData("𝟘𝟙𝟚𝟛", "𝟘𝟙𝟚|𝟛")]
    [InlineData(" 👍👍a", " 👍👍|a")]
    [InlineData("👍a", "👍a")]
    [InlineData("\u1C89\uA7CB\U000105C0", "\u1C89\uA7CB\U000105C0")] // letters since Unicode 16
    [InlineData("a\uA7CE\U00010940", "a|\uA7CE\U00010940")] // letters only since Unicode 17
    [InlineData("a\u001Cb", "a|\u001Cb")] // no white space for the reference, though .NET says so
    public void Pieces_beyond_the_reference_alphabet(string text, string expected)
    {
        Assert.Equal([.. expected.Split('|')], Pieces(text, out _));
    }

    [Theory]
    [InlineData("a", 1)]
    [InlineData(" ", 1)]
    [InlineData("\n", 1)]
    [InlineData("1", 1)]
    [InlineData("!", 1)]
    [InlineData("'", 1)]
    [InlineData("'l", 1)]
    [InlineData(" \n", 3)]
    [InlineData("\r\n ", 3)]
    [InlineData("a ", 2)]
    [InlineData("!\n", 2)]
    [InlineData("你 ", 3)]
    public void Each_byte_is_looked_at_a_bounded_number_of_times(string bit, int times)
    {
        string text = new StringBuilder().Insert(0, bit, 50_000 * times).ToString();
        Pieces(text, out long looked);
        Assert.InRange(looked, 1, 4L * Encoding.UTF8.GetByteCount(text));
    }

    [Fact]
    public void What_lies_before_the_reach_decides_the_piece()
    {
        var scanner = new GlmPieceScanner();
        var random = new Random(20262);
        for (int round = 0; round < 5_000; round++)
        {
            byte[] text = Encoding.UTF8.GetBytes(RandomTexts.Next(random, random.Next(1, 10)));
            byte[] longer = [.. text, .. Encoding.UTF8.GetBytes(RandomTexts.Next(random, 5))];
            int position = 0;
            while (position < text.Length)
            {
                int end = scanner.Next(text, position, out int reach);
                Assert.InRange(end, position + 1, text.Length);
                if (reach >= text.Length)
                    break;
                Assert.Equal(end, scanner.Next(longer, position, out _));
                position = end;
            }
        }
    }

    private static List<string> Pieces(string text, out long looked)
    {
        var scanner = new GlmPieceScanner();
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        looked = 0;
        for (int start = 0; start < utf8.Length;)
        {
            int end = scanner.Next(utf8, start, out int reach);
            looked += reach + 1 - start;
            pieces.Add(Encoding.UTF8.GetString(utf8, start, end - start));
            start = end;
        }

        return pieces;
    }
}
