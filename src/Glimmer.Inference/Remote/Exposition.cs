using System.Globalization;

namespace Glimmer.Inference.Remote;

/// <summary>Reads gauges of a Prometheus text exposition.</summary>
internal static class Exposition
{
    /// <summary>The sum of a gauge over its labels; null when the text has none of that name.</summary>
    public static double? Sum(string text, string name)
    {
        double? sum = null;
        foreach (ReadOnlySpan<char> line in text.AsSpan().EnumerateLines())
        {
            if (!line.StartsWith(name, StringComparison.Ordinal) || line.Length == name.Length || line[name.Length] is not ('{' or ' '))
                continue;
            ReadOnlySpan<char> rest = line[name.Length..];
            if (rest[0] == '{')
                rest = rest[(rest.LastIndexOf('}') + 1)..];
            rest = rest.Trim();
            int space = rest.IndexOf(' ');
            if (double.TryParse(space < 0 ? rest : rest[..space], NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && double.IsFinite(value))
                sum = (sum ?? 0) + value;
        }

        return sum;
    }

    /// <summary>The same as a whole number of at least 0.</summary>
    public static int? Count(string? text, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (text is not null && Sum(text, name) is { } value)
                return (int)Math.Clamp(Math.Round(value), 0, int.MaxValue);
        }

        return null;
    }

    /// <summary>The same as a share, 0 to 1.</summary>
    public static double? Share(string? text, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            if (text is not null && Sum(text, name) is { } value)
                return Math.Clamp(value, 0, 1);
        }

        return null;
    }
}
