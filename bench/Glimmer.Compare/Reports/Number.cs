using System.Globalization;

namespace Glimmer.Compare.Reports;

/// <summary>How readings are written: three digits that count.</summary>
internal static class Number
{
    public static string Of(double value) => value switch
    {
        0 => "0",
        _ when Math.Abs(value) >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };

    /// <summary>Median and ends; one reading stands alone.</summary>
    public static string Of(Spread spread) => spread.Count == 1 ? Of(spread.Median) : $"{Of(spread.Median)} ({Of(spread.Min)}–{Of(spread.Max)})";
}
