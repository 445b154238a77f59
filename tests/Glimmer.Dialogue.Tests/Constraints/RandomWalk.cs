using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Tests.Constraints;

/// <summary>Generates under a constraint with random choices, as a model with random logits would.</summary>
internal static class RandomWalk
{
    /// <summary>How many random cases a property is tried with.</summary>
    public static int Cases(int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : usual;

    /// <summary>
    /// Takes random allowed tokens for a while, then prefers what closes the text, and returns the tokens without the end-of-turn.
    /// Null when the text did not end within the limit.
    /// </summary>
    public static List<int>? Run(CompiledConstraint compiled, ITokenizer tokenizer, Random random, int free, int limit = 1500, bool checkMasks = false)
    {
        GrammarConstraint constraint = compiled.Start();
        List<int> tokens = [];
        uint[] mask = new uint[(tokenizer.VocabularySize + 31) / 32];
        List<int> allowed = [];
        while (tokens.Count < limit)
        {
            constraint.FillMask(mask);
            allowed.Clear();
            for (int t = 0; t < tokenizer.VocabularySize; t++)
            {
                if ((mask[t >> 5] >> (t & 31) & 1) != 0)
                    allowed.Add(t);
            }

            Assert.NotEmpty(allowed);
            if (checkMasks && tokens.Count < 60)
                AssertMaskIsExact(constraint, tokenizer, mask);
            int token = Choose(allowed, constraint, tokenizer, random, tokens.Count < free);
            constraint.Accept(token);
            if (constraint.HasEnded)
                return tokens;
            tokens.Add(token);
        }

        return null;
    }

    /// <summary>The mask must hold exactly the tokens that can be accepted one by one.</summary>
    public static void AssertMaskIsExact(GrammarConstraint constraint, ITokenizer tokenizer, uint[] mask)
    {
        for (int t = 0; t < tokenizer.VocabularySize; t++)
        {
            bool inMask = (mask[t >> 5] >> (t & 31) & 1) != 0;
            GrammarConstraint copy = constraint.Clone();
            bool accepted = copy.TryAccept(t);
            if (inMask != accepted)
                Assert.Fail($"Token {t} '{System.Text.Encoding.UTF8.GetString(tokenizer.BytesOf(t))}': mask {inMask}, accepted {accepted}.");
        }
    }

    private static int Choose(List<int> allowed, GrammarConstraint constraint, ITokenizer tokenizer, Random random, bool free)
    {
        if (free)
            return allowed[random.Next(allowed.Count)];

        // Past the free part: end the turn, else take a token that closes something, else a control token, else anything.
        if (constraint.CanEnd)
        {
            foreach (int t in allowed)
            {
                if (tokenizer.KindOf(t) == TokenKind.Special)
                    return t;
            }
        }

        if (random.Next(4) != 0)
        {
            foreach (int t in allowed)
            {
                if (tokenizer.KindOf(t) != TokenKind.Text)
                    return t;
            }

            foreach (string closer in (ReadOnlySpan<string>)["}", "]", "\"", "0", "n", "1"])
            {
                foreach (int t in allowed)
                {
                    if (tokenizer.BytesOf(t).SequenceEqual(System.Text.Encoding.UTF8.GetBytes(closer)))
                        return t;
                }
            }
        }

        return allowed[random.Next(allowed.Count)];
    }

    /// <summary>The bytes of tokens.</summary>
    public static byte[] Bytes(ITokenizer tokenizer, IEnumerable<int> tokens)
    {
        List<byte> bytes = [];
        foreach (int token in tokens)
            bytes.AddRange(tokenizer.BytesOf(token).ToArray());
        return [.. bytes];
    }
}
