using System.Globalization;

namespace Glimmer.Cli;

/// <summary>Sizes for people.</summary>
internal static class Bytes
{
    private static readonly string[] _units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <summary>Three significant digits and a binary unit: <c>17.3 GiB</c>.</summary>
    public static string Text(long bytes)
    {
        double value = bytes;
        int unit = 0;
        for (; value >= 1000 && unit < _units.Length - 1; unit++)
            value /= 1024;
        string format = unit == 0 || value >= 100 ? "0" : value >= 10 ? "0.0" : "0.00";
        return $"{value.ToString(format, CultureInfo.InvariantCulture)} {_units[unit]}";
    }
}
