using System.Text;

namespace Glimmer.Compare.Reports;

/// <summary>What was compared where.</summary>
/// <param name="Ours">Name of our contender.</param>
/// <param name="Versions">Names and versions of all, ours first.</param>
/// <param name="Facts">The machine, the time, the load: name and value.</param>
/// <param name="Bandwidth">Read bandwidth by number of threads, GB/s.</param>
/// <param name="Notes">What the reader should know.</param>
internal sealed record ReportHead(string Ours, IReadOnlyList<(string Name, string Version)> Versions, IReadOnlyList<(string Name, string Value)> Facts, IReadOnlyDictionary<int, Spread> Bandwidth, IReadOnlyList<string> Notes);

/// <summary>The tables of a comparison.</summary>
internal static class MarkdownReport
{
    public static string Write(ReportHead head, IReadOnlyList<Row> rows)
    {
        string[] names = [.. head.Versions.Select(version => version.Name)];
        string[] peers = [.. names.Where(name => name != head.Ours)];
        StringBuilder text = new();
        text.Append("# Comparison on one machine\n\n");
        foreach ((string name, string value) in head.Facts)
            text.Append($"- {name}: {value}\n");
        foreach ((string name, string version) in head.Versions)
            text.Append($"- {name}: {version}\n");
        foreach ((int threads, Spread spread) in head.Bandwidth.OrderBy(pair => pair.Key))
            text.Append($"- memory read with {threads} thread{(threads == 1 ? "" : "s")}: {Number.Of(spread)} GB/s\n");
        text.Append("\nMedian (lowest–highest). A ratio is ours over theirs within one round, then the median of the rounds: above 1 is faster where the unit is tokens/s, below 1 where it is ms.\n\n");

        text.Append("## Targets\n\n| | model | threads | against | wanted | reached | |\n|---|---|---|---|---|---|---|\n");
        foreach ((Row row, Target target, double reached, bool met) in Target.Judge(rows, head.Ours))
            text.Append($"| {row.Metric} | {row.Model} | {row.Threads} | {target.Contender ?? "–"} | {(row.MoreIsBetter ? "≥" : "≤")} {Number.Of(target.Ratio)} | {Number.Of(reached)} | {(met ? "met" : "**missed**")} |\n");

        text.Append("\n## Readings\n\n| | model | threads | unit |");
        foreach (string name in names)
            text.Append($" {name} |");
        foreach (string peer in peers)
            text.Append($" ÷ {peer} |");
        text.Append("\n|---|---|---|---|").Append(string.Concat(Enumerable.Repeat("---|", names.Length + peers.Length))).Append('\n');
        foreach (Row row in rows)
        {
            text.Append($"| {row.Metric} | {row.Model} | {row.Threads} | {row.Unit} |");
            foreach (string name in names)
                text.Append($" {(row.Values.TryGetValue(name, out Spread spread) ? Number.Of(spread) : "–")} |");
            foreach (string peer in peers)
                text.Append($" {(row.Ratios.TryGetValue(peer, out Spread ratio) ? Number.Of(ratio) : "–")} |");
            text.Append('\n');
        }

        if (head.Notes.Count > 0)
            text.Append("\n## Notes\n\n").Append(string.Concat(head.Notes.Select(note => $"- {note}\n")));
        return text.ToString();
    }
}
