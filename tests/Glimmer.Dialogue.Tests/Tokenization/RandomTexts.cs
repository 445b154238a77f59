using System.Text;

namespace Glimmer.Dialogue.Tests.Tokenization;

/// <summary>Seeded texts that press on the borders of the pre-tokenizer.</summary>
internal static class RandomTexts
{
    private static readonly string[] _bits =
    [
        "a", "b", "e", "s", "t", "l", "re", "the", "Hello", "W", "É", "ж", "你", "好", "世界", "ſ", "𝐀", "𠮷",
        "0", "1", "42", "2024", "٣", "²", "Ⅷ", "𝟘",
        " ", " ", " ", "  ", "\t", "\n", "\n", "\r\n", "\r", "\u00A0", "\u3000", "\u2028", "\u0085", "\v",
        "'", "'s", "'S", "'ſ", "'re", "'LL", "'r", "'v", "’s", ".", ",", "!", "…", "—", "(", ")", "{\"", "<|", "|>", "<think>", "/nothink",
        "👍", "🏽", "\u0301", "\u200D", "\u200B", "\uFEFF", "\0", "\u001C", "\u180E", "\uFFFD",
    ];

    /// <summary>A text of so many bits.</summary>
    public static string Next(Random random, int bits)
    {
        var text = new StringBuilder();
        for (int i = 0; i < bits; i++)
        {
            string bit = _bits[random.Next(_bits.Length)];
            int times = random.Next(12) == 0 ? random.Next(1, 9) : 1;
            text.Insert(text.Length, bit, times);
        }

        return text.ToString();
    }

    /// <summary>The same with lone surrogates in it.</summary>
    public static string WithLoneSurrogates(Random random, int bits)
    {
        var text = new StringBuilder(Next(random, bits));
        for (int i = random.Next(4); i >= 0; i--)
            text.Insert(random.Next(text.Length + 1), (char)random.Next(0xD800, 0xE000));
        return text.ToString();
    }

    /// <summary>Cuts a text into parts of random length, some empty.</summary>
    public static IEnumerable<string> Parts(Random random, string text)
    {
        int longest = random.Next(1, 40);
        for (int start = 0; start < text.Length;)
        {
            int length = Math.Min(random.Next(longest + 1), text.Length - start);
            yield return text.Substring(start, length);
            start += length;
        }
    }
}
