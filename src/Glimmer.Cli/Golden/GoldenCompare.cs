using System.Globalization;

namespace Glimmer.Cli.Golden;

/// <summary>Comparisons that golden areas share.</summary>
internal static class GoldenCompare
{
    /// <summary>Largest absolute difference. Equal infinities do not differ; a NaN where none is expected differs without bound.</summary>
    /// <param name="name">Name of the check.</param>
    /// <param name="expected">Numbers of the reference.</param>
    /// <param name="actual">Numbers of this build; when there are more, the last ones are compared.</param>
    /// <param name="allowed">Bound.</param>
    /// <param name="width">Numbers per row, to say where the difference lies.</param>
    public static GoldenCheck Floats(string name, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double allowed, int width)
    {
        if (actual.Length < expected.Length)
            return new GoldenCheck(name, double.PositiveInfinity, allowed, $"{actual.Length} numbers instead of {expected.Length}");
        actual = actual[^expected.Length..];
        double largest = 0;
        int at = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double difference = expected[i].Equals(actual[i]) ? 0 : Math.Abs((double)expected[i] - actual[i]);
            if (double.IsNaN(difference))
                difference = double.PositiveInfinity;
            if (difference > largest)
                (largest, at) = (difference, i);
        }

        string? detail = largest > allowed
            ? string.Create(CultureInfo.InvariantCulture, $"row {at / Math.Max(width, 1)}, column {at % Math.Max(width, 1)}: {actual[at]:R} instead of {expected[at]:R}")
            : null;
        return new GoldenCheck(name, largest, allowed, detail);
    }

    /// <summary>Number of places where two lists differ.</summary>
    public static GoldenCheck Exact(string name, ReadOnlySpan<int> expected, ReadOnlySpan<int> actual)
    {
        int wrong = Math.Abs(expected.Length - actual.Length), first = -1;
        for (int i = 0; i < Math.Min(expected.Length, actual.Length); i++)
        {
            if (expected[i] == actual[i])
                continue;
            wrong++;
            if (first < 0)
                first = i;
        }

        string? detail = wrong == 0 ? null : first < 0 ? $"{actual.Length} instead of {expected.Length}" : $"first at {first}: {actual[first]} instead of {expected[first]}";
        return new GoldenCheck(name, wrong, 0, detail);
    }
}
