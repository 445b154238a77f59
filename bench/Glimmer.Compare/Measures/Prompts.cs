using System.Text;

namespace Glimmer.Compare.Measures;

/// <summary>
/// Prompts of a known length for the models of random weights: their vocabulary has one token per byte of such text, so a
/// character is a token; models with a real vocabulary count fewer. The servers' own counts are reported.
/// </summary>
internal static class Prompts
{
    private const string Letters = "abcdefgjklmopqrsuvwxyz"; // no pair of these is a merged token

    /// <summary>Text of <paramref name="length"/> letters; another <paramref name="seed"/> gives other text from the first letter on.</summary>
    public static string Text(int length, int seed)
    {
        Random random = new(seed);
        StringBuilder text = new(length);
        for (int i = 0; i < length; i++)
            text.Append(Letters[random.Next(Letters.Length)]);
        return text.ToString();
    }
}
