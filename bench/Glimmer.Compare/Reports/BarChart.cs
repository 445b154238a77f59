using System.Globalization;
using System.Security;
using System.Text;

namespace Glimmer.Compare.Reports;

/// <summary>Bars of our speed relative to each peer's, as SVG: a thin line shows the spread of the rounds.</summary>
internal static class BarChart
{
    private const int Left = 330, Width = 480, BarHeight = 15, Gap = 10;

    private static readonly string[] _colours = ["#2563a8", "#d9822b", "#4a9d5b", "#8a5bb0"];

    /// <summary>Draws the rows of one unit, each scaled to its own largest bar.</summary>
    public static string Draw(string title, IReadOnlyList<string> names, IReadOnlyList<Row> rows)
    {
        string[] contenders = [.. names.Where(name => rows.Any(row => row.Values.ContainsKey(name)))];
        int group = contenders.Length * BarHeight + Gap;
        int height = 70 + rows.Count * group + 10;
        StringBuilder svg = new();
        svg.Append(CultureInfo.InvariantCulture, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{Left + Width + 170}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
        Write(svg, 12, 22, title, "font-size=\"15\" font-weight=\"bold\"");
        for (int i = 0; i < contenders.Length; i++)
        {
            svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left + i * 150}\" y=\"36\" width=\"12\" height=\"12\" fill=\"{_colours[i % _colours.Length]}\"/>\n");
            Write(svg, Left + i * 150 + 17, 46, contenders[i]);
        }

        int y = 62;
        foreach (Row row in rows)
        {
            double most = row.Values.Values.Max(spread => spread.Max);
            Write(svg, Left - 8, y + contenders.Length * BarHeight / 2 - 2, row.Metric, "text-anchor=\"end\"");
            Write(svg, Left - 8, y + contenders.Length * BarHeight / 2 + 12, $"{row.Model}, {row.Threads} thread{(row.Threads == 1 ? "" : "s")}", "text-anchor=\"end\" fill=\"#666666\" font-size=\"11\"");
            for (int i = 0; i < contenders.Length; i++)
            {
                if (row.Values.TryGetValue(contenders[i], out Spread spread) && most > 0)
                    Bar(svg, y + i * BarHeight, spread, most, _colours[i % _colours.Length], row.Unit);
            }

            y += group;
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Bar(StringBuilder svg, int y, Spread spread, double most, string colour, string unit)
    {
        double X(double value) => Left + Width * value / most;
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{Left}\" y=\"{y}\" width=\"{X(spread.Median) - Left:0.0}\" height=\"{BarHeight - 2}\" fill=\"{colour}\"/>\n");
        if (spread.Count > 1)
            svg.Append(CultureInfo.InvariantCulture, $"<path d=\"M{X(spread.Min):0.0} {y + 6.5}H{X(spread.Max):0.0}M{X(spread.Min):0.0} {y + 3}v7M{X(spread.Max):0.0} {y + 3}v7\" stroke=\"#222222\" fill=\"none\"/>\n");
        Write(svg, X(Math.Max(spread.Max, spread.Median)) + 6, y + 11, $"{Number.Of(spread.Median)} {unit}", "font-size=\"11\"");
    }

    private static void Write(StringBuilder svg, double x, double y, string text, string attributes = "") =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x:0.0}\" y=\"{y:0.0}\" {attributes}>{SecurityElement.Escape(text)}</text>\n");
}
