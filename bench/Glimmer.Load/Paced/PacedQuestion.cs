using System.Globalization;

namespace Glimmer.Load.Paced;

/// <summary>Questions that say how fast to answer.</summary>
internal static class PacedQuestion
{
    private const string Mark = "rate ";

    /// <summary>Asks for tokens at a rate.</summary>
    public static string At(double rate) => string.Create(CultureInfo.InvariantCulture, $"Count, please, at rate {rate}");

    /// <summary>The rate asked for; 0 when none is.</summary>
    public static double RateOf(string question)
    {
        int at = question.LastIndexOf(Mark, StringComparison.Ordinal);
        return at >= 0 && double.TryParse(question.AsSpan(at + Mark.Length), NumberStyles.Float, CultureInfo.InvariantCulture, out double rate) ? rate : 0;
    }
}
