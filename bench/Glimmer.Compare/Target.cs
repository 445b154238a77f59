namespace Glimmer.Compare;

/// <summary>What is wanted of a row against a contender.</summary>
/// <param name="Metric">Beginning of the metric's name.</param>
/// <param name="Contender">Against whom; null for our own reading.</param>
/// <param name="Ratio">Ours over theirs (or our reading): at least this, at most this where less is better.</param>
internal sealed record Target(string Metric, string? Contender, double Ratio)
{
    /// <summary>The aims of the engine on one machine.</summary>
    public static IReadOnlyList<Target> All { get; } =
    [
        new("prefill 512", "llama.cpp", 2.5), new("prefill 512", "ik_llama.cpp", 1.3),
        new("decode 128", "llama.cpp", 1.3), new("decode 128", "ik_llama.cpp", 1.3),
        new("decode 64", "llama.cpp", 1.3), new("decode 64", "ik_llama.cpp", 1.3),
        new("8 streams", "llama.cpp", 1.5), new("8 streams", "ik_llama.cpp", 1.3),
        new("first token, cached against new", null, 20),
        new("slowdown", "llama.cpp", 1), new("slowdown", "ik_llama.cpp", 1),
        new("start to ready", "llama.cpp", 0.5), new("start to ready", "ik_llama.cpp", 0.5),
    ];

    /// <summary>The verdicts on the rows: row, target, what was reached, whether that is enough. Speed after a depth has no target of its own.</summary>
    public static IEnumerable<(Row Row, Target Target, double Reached, bool Met)> Judge(IEnumerable<Row> rows, string ours) =>
        from row in rows
        where !row.Metric.Contains(" after ", StringComparison.Ordinal) || row.Metric.StartsWith("slowdown", StringComparison.Ordinal)
        where row.Unit != "%"
        from target in All
        where row.Metric.StartsWith(target.Metric, StringComparison.Ordinal) && row.Values.ContainsKey(ours)
        where target.Contender is null || row.Ratios.ContainsKey(target.Contender)
        let reached = target.Contender is null ? row.Values[ours].Median : row.Ratios[target.Contender].Median
        select (row, target, reached, row.MoreIsBetter ? reached >= target.Ratio : reached <= target.Ratio);

    /// <summary>
    /// How much slower decoding is behind a long context: for each decode reading after a depth, the rate at no depth of the
    /// same contender, model and threads (median) over it.
    /// </summary>
    public static IEnumerable<Sample> Slowdowns(IReadOnlyList<Sample> samples) =>
        from deep in samples
        where deep.Unit == "tokens/s" && deep.Metric.StartsWith("decode ", StringComparison.Ordinal) && deep.Metric.Contains(" after ", StringComparison.Ordinal)
        let shallow = samples.Where(other => (other.Contender, other.Model, other.Threads, other.Unit) == (deep.Contender, deep.Model, deep.Threads, deep.Unit)
            && other.Metric.StartsWith("decode ", StringComparison.Ordinal) && !other.Metric.Contains(" after ", StringComparison.Ordinal) && !other.Metric.Contains('×', StringComparison.Ordinal)).Select(other => other.Value).ToArray()
        where shallow.Length > 0
        select deep with { Metric = $"slowdown of decoding{deep.Metric[deep.Metric.IndexOf(" after ", StringComparison.Ordinal)..]}", Unit = "×", Value = Spread.Of(shallow).Median / deep.Value };
}
