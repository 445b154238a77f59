using System.Text;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Constraints;

namespace Glimmer.Dialogue.Tests.Constraints;

public sealed class TextGrammarTests
{
    private const string Arithmetic = """
        # An expression and a line break
        root  ::= expr "\n"
        expr  ::= term (ws [-+] ws term)*
        term  ::= factor (ws ("*" | "/") ws
                  factor)*   # goes on inside the group
        factor ::= number | "(" ws expr ws ")" |
                   name
        number ::= "-"? ([0-9] | [1-9] [0-9]{1,5}) ("." [0-9]+)?
        name  ::= [a-zA-Z_\u4e00-\u9fff] [^ ()*/+\-\n]{0,3}
        ws    ::= " "?
        """;

    private static readonly ToyTokenizer Tokenizer = ToyTokenizer.Standard;
    private static readonly ConstraintCompiler Compiler = new(Tokenizer, [Tokenizer.Control("<|user|>")]);

    private static bool Accepts(TextGrammar grammar, string text) => grammar.Accepts(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData("1\n", true)]
    [InlineData("1 + 2*(3 - x)\n", true)]
    [InlineData("((((((a))))))/-12.50\n", true)]
    [InlineData("北京+1\n", true)]
    [InlineData("1 +\n", false)]
    [InlineData("(1\n", false)]
    [InlineData("01\n", false)]
    [InlineData("1", false)]
    [InlineData("abcde\n", false)]
    public void Gbnf_grammars_are_followed(string text, bool legal) => Assert.Equal(legal, Accepts(TextGrammar.Gbnf(Arithmetic), text));

    [Fact]
    public void Random_walks_of_a_recursive_grammar_end_in_its_language()
    {
        CompiledConstraint constraint = Compiler.Gbnf(Arithmetic, AnswerPreamble.None);
        TextGrammar grammar = TextGrammar.Gbnf(Arithmetic);
        int ended = 0;
        for (int seed = 0; seed < RandomWalk.Cases(30); seed++)
        {
            List<int>? tokens = RandomWalk.Run(constraint, Tokenizer, new Random(seed), free: seed, checkMasks: seed % 6 == 0);
            if (tokens is null)
                continue;
            ended++;
            Assert.True(grammar.Accepts(RandomWalk.Bytes(Tokenizer, tokens)));
        }

        Assert.NotEqual(0, ended);
    }

    [Theory]
    [InlineData("", 1, 1, "no rule 'root'")]
    [InlineData("a ::= \"x\"", 1, 1, "no rule 'root'")]
    [InlineData("root ::= \"x", 1, 12, "is missing")]
    [InlineData("root ::= a\n", 1, 10, "no rule 'a'")]
    [InlineData("root ::= \"a\"\nroot ::= \"b\"", 2, 1, "given twice")]
    [InlineData("root ::= (\"a\"\n", 2, 1, "')' is missing")]
    [InlineData("root ::= [b-a]", 1, 14, "out of order")]
    [InlineData("root ::= \"a\"{3,2}", 1, 18, "out of order")]
    [InlineData("root ::= \"a\"{99999999}", 1, 22, "from 0 to")]
    [InlineData("root ::= \"\\q\"", 1, 11, "unknown escape")]
    [InlineData("root = \"a\"", 1, 6, "'::='")]
    [InlineData("root ::= <think>", 1, 10, "angle brackets")]
    [InlineData("root ::= \"a\" )", 1, 14, "unexpected ')'")]
    [InlineData("root ::= root \"a\" | \"b\"", 1, 1, "left-recursive")]
    [InlineData("root ::= a\na ::= \"\" b\nb ::= a \"x\"", 1, 1, "left-recursive")]
    [InlineData("root ::= \"a\" root", 1, 1, "no text is complete")]
    [InlineData("root ::= []", 1, 1, "no text is complete")]
    public void Faults_are_named_with_their_place(string grammar, int line, int column, string message)
    {
        GrammarSyntaxException error = Assert.Throws<GrammarSyntaxException>(() => TextGrammar.Gbnf(grammar));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal((line, column), (error.Line, error.Column));
    }

    [Fact]
    public void Random_bytes_of_grammar_text_never_crash_the_reader()
    {
        const string Alphabet = "root ::= \"ab\\[]-^(){}*+?|.,#\n19<xu";
        Random random = new(11);
        for (int i = 0; i < RandomWalk.Cases(2000); i++)
        {
            string text = (i % 2 == 0 ? "root ::= " : "") + new string([.. Enumerable.Range(0, random.Next(30)).Select(_ => Alphabet[random.Next(Alphabet.Length)])]);
            try
            {
                TextGrammar.Gbnf(text).Accepts("ab"u8);
            }
            catch (GrammarSyntaxException)
            {
                // The one legal way to say no.
            }

            try
            {
                TextGrammar.Regex(text).Accepts("ab"u8);
            }
            catch (GrammarSyntaxException)
            {
                // As above.
            }
        }
    }

    [Theory]
    [InlineData("(ab|c)*d?")]
    [InlineData("a{2,3}b+")]
    [InlineData("[^a]b[a-c]{0,2}")]
    [InlineData("(a|ab)(c|bcd)(d*)")]
    [InlineData("a?a?a?aaa")]
    [InlineData("^(a|b)*$")]
    [InlineData("(?:ab)+|(?<n>c)")]
    [InlineData(@"\w\W?\d*\D?")]
    [InlineData(@"[\x61-\x63\n]+\s?")]
    [InlineData("")]
    public void Regular_expressions_agree_with_the_platforms_own(string pattern)
    {
        TextGrammar grammar = TextGrammar.Regex(pattern);
        Regex reference = new($@"\A(?:{pattern.TrimStart('^').TrimEnd('$')})\z", RegexOptions.CultureInvariant, TimeSpan.FromSeconds(60));
        const string Alphabet = "abcd1 \n";
        for (int length = 0; length <= 4; length++)
        {
            int count = (int)Math.Pow(Alphabet.Length, length);
            for (int i = 0; i < count; i++)
            {
                char[] text = new char[length];
                for (int k = 0, rest = i; k < length; k++, rest /= Alphabet.Length)
                    text[k] = Alphabet[rest % Alphabet.Length];
                Assert.True(reference.IsMatch(text) == Accepts(grammar, new string(text)), $"{pattern}: '{new string(text)}'");
            }
        }
    }

    [Theory]
    [InlineData("(", 2, "')' is missing")]
    [InlineData("a)", 2, "unmatched")]
    [InlineData("*a", 1, "nothing to repeat")]
    [InlineData("a**", 3, "nothing to repeat")]
    [InlineData("[a", 3, "']' is missing")]
    [InlineData("a{2,1}", 7, "out of order")]
    [InlineData("(?=a)", 4, "look-ahead")]
    [InlineData("(?<!a)b", 5, "look-behind")]
    [InlineData(@"(a)\1", 4, "back-reference")]
    [InlineData(@"\bа", 1, "word boundary")]
    [InlineData("(?i)a", 3, "flags")]
    [InlineData(@"\p{Greek}", 3, "Unicode property")]
    [InlineData(@"\u{110000}", 4, "code point")]
    [InlineData("[^\\s\\S]", 1, "no text matches")]
    public void What_is_not_regular_is_refused(string pattern, int column, string message)
    {
        GrammarSyntaxException error = Assert.Throws<GrammarSyntaxException>(() => TextGrammar.Regex(pattern));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(column, error.Column);
    }

    [Theory]
    [InlineData("(.*a.{1000}){5}")]
    [InlineData("((a{0,1000}){0,1000}){0,1000}")]
    [InlineData("(a|b)*a(a|b){30}")]
    public void Expressions_that_explode_are_refused_soon(string pattern)
    {
        GrammarSyntaxException error = Assert.Throws<GrammarSyntaxException>(() => TextGrammar.Regex(pattern));
        Assert.Contains("too complex", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Unicode_properties_are_known()
    {
        TextGrammar grammar = TextGrammar.Regex(@"\p{Lu}\p{L}+\p{N}?[\u{1F600}-\u{1F64F}]?");
        Assert.True(Accepts(grammar, "Éé9😀"));
        Assert.False(Accepts(grammar, "éé"));
        Assert.False(Accepts(grammar, "Éé9👍"));
    }

    [Fact]
    public void Prefixes_are_told_from_dead_ends()
    {
        TextGrammar grammar = TextGrammar.Regex("ab+c");
        Assert.True(grammar.AcceptsPrefix("abb"u8));
        Assert.False(grammar.AcceptsPrefix("ac"u8));
        Assert.True(grammar.AcceptsPrefix(""u8));
    }

    [Fact]
    public void A_regular_expression_may_follow_reasoning()
    {
        AnswerPreamble preamble = new(AnswerStart.Reasoning, GrammarTag.Find(Tokenizer, "<think>"), GrammarTag.Find(Tokenizer, "</think>"));
        GrammarConstraint constraint = Compiler.Regex("[0-9]{3}", preamble).Start();
        foreach (byte b in "so"u8)
            constraint.Accept(b);
        constraint.Accept(Tokenizer.Control("</think>"));
        Assert.False(constraint.TryAccept('a'));
        foreach (byte b in "123"u8)
            constraint.Accept(b);
        Assert.False(constraint.TryAccept('4'));
        Assert.True(constraint.TryAccept(Tokenizer.Control("<|user|>")));
    }
}
