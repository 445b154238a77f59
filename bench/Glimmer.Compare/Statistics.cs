namespace Glimmer.Compare;

/// <summary>Middle and ends of a set of readings.</summary>
internal readonly record struct Spread(double Median, double Min, double Max, int Count)
{
    /// <summary>Of <paramref name="values"/>, at least one.</summary>
    public static Spread Of(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int half = sorted.Length / 2;
        return new Spread(sorted.Length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2, sorted[0], sorted[^1], sorted.Length);
    }

    /// <summary>The smallest value that a share of <paramref name="values"/> does not exceed (nearest rank).</summary>
    public static double Percentile(IReadOnlyList<double> values, double share)
    {
        double[] sorted = [.. values.Order()];
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Length) - 1, 0, sorted.Length - 1)];
    }
}

/// <summary>One reading of one contender in one round.</summary>
/// <param name="Metric">What was read, e.g. <c>prefill 512</c>.</param>
/// <param name="Unit"><c>tokens/s</c>, <c>ms</c>, <c>×</c>.</param>
/// <param name="Model">Model file without <c>.gguf</c>.</param>
/// <param name="Threads">Threads of the contender.</param>
/// <param name="Contender">Who.</param>
/// <param name="Round">Round, from 1: readings of one round lie close in time.</param>
/// <param name="Value">The reading.</param>
internal sealed record Sample(string Metric, string Unit, string Model, int Threads, string Contender, int Round, double Value);

/// <summary>The readings of one metric on one model, and how ours compare with theirs.</summary>
internal sealed record Row(string Metric, string Unit, string Model, int Threads, IReadOnlyDictionary<string, Spread> Values, IReadOnlyDictionary<string, Spread> Ratios)
{
    /// <summary>Whether more is better.</summary>
    public bool MoreIsBetter => Unit is "tokens/s" or "× shorter" or "GB/s";

    /// <summary>
    /// Groups samples into rows, in the order in which they came. A ratio is our reading over theirs of the same round:
    /// what slows the whole machine down slows both.
    /// </summary>
    public static IReadOnlyList<Row> From(IEnumerable<Sample> samples, string ours) =>
        [.. samples.GroupBy(sample => (sample.Metric, sample.Unit, sample.Model, sample.Threads)).Select(row => new Row(
            row.Key.Metric, row.Key.Unit, row.Key.Model, row.Key.Threads,
            row.GroupBy(sample => sample.Contender, StringComparer.Ordinal).ToDictionary(own => own.Key, own => Spread.Of(own.Select(sample => sample.Value)), StringComparer.Ordinal),
            Compare([.. row], ours)))];

    private static Dictionary<string, Spread> Compare(Sample[] row, string ours)
    {
        Dictionary<(string, int), double> rounds = row.GroupBy(sample => (sample.Contender, sample.Round)).ToDictionary(round => round.Key, round => round.Average(sample => sample.Value));
        Dictionary<string, Spread> ratios = new(StringComparer.Ordinal);
        foreach (string peer in row.Select(sample => sample.Contender).Where(name => name != ours).Distinct(StringComparer.Ordinal))
        {
            double[] of = [.. rounds.Where(round => round.Key.Item1 == peer && round.Value > 0 && rounds.ContainsKey((ours, round.Key.Item2))).Select(round => rounds[(ours, round.Key.Item2)] / round.Value)];
            if (of.Length > 0)
                ratios[peer] = Spread.Of(of);
        }

        return ratios;
    }
}
