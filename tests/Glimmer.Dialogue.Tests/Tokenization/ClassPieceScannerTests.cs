using System.Text;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Tokenization;

public sealed class ClassPieceScannerTests
{
    [Theory]
    [InlineData(@"\p{L}+|\s+|.")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|\s+")]
    [InlineData(@" ?[a-cx\-]{2,}|[\S]|\n")]
    [InlineData(@"a?b?c{0,2}b+|\P{L}{2}")]
    [InlineData(@"[^ab]+|ab|b")]
    public void Pieces_are_those_of_the_expression(string expression)
    {
        var reference = new Regex(expression, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(10));
        ClassPieceScanner scanner = ClassPieceScanner.Parse(expression, "t");
        const string Alphabet = "aabbccxz019 \n\t-!é你";
        var random = new Random(20277);
        for (int round = 0; round < 3_000; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(1, 20)).Select(_ => Alphabet[random.Next(Alphabet.Length)]));
            Assert.Equal(Isolated(reference, text), Pieces(scanner, text));
        }
    }

    [Theory]
    [InlineData("(a+)+$")]
    [InlineData("a+b")]
    [InlineData("a*")]
    [InlineData("")]
    [InlineData("a|")]
    [InlineData("(?i:a)")]
    [InlineData(@"\s+(?!\S)")]
    [InlineData("[a")]
    [InlineData("[]")]
    [InlineData("[z-a]")]
    [InlineData("[a-z&&[^b]]")]
    [InlineData("a{99999}")]
    [InlineData("a{3,1}")]
    [InlineData("a{1")]
    [InlineData("a++")]
    [InlineData("a+?")]
    [InlineData("a?a?a?a?a?a?a?a")]
    [InlineData(@"\d+")]
    [InlineData(@"\p{Han}")]
    [InlineData("\\")]
    [InlineData("^a")]
    public void Expressions_beyond_it_are_refused(string expression)
    {
        TokenizerFileException fault = Assert.Throws<TokenizerFileException>(() => ClassPieceScanner.Parse(expression, "t"));
        Assert.Contains(expression, fault.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Supplementary_characters_are_one_character()
    {
        Assert.Equal(["𝐀b", "👍", "𠮷"], Pieces(ClassPieceScanner.Parse(@"\p{L}+|.", "t"), "𝐀b👍𠮷"));
    }

    // The Split step with behaviour Isolated: the matches, and what lies between them.
    private static List<string> Isolated(Regex expression, string text)
    {
        var pieces = new List<string>();
        int end = 0;
        foreach (Match match in expression.Matches(text))
        {
            if (match.Index > end)
                pieces.Add(text[end..match.Index]);
            pieces.Add(match.Value);
            end = match.Index + match.Length;
        }

        if (end < text.Length)
            pieces.Add(text[end..]);
        return pieces;
    }

    private static List<string> Pieces(ClassPieceScanner scanner, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        var pieces = new List<string>();
        for (int start = 0; start < utf8.Length;)
        {
            int end = scanner.Next(utf8, start, out _);
            pieces.Add(Encoding.UTF8.GetString(utf8, start, end - start));
            start = end;
        }

        return pieces;
    }
}
