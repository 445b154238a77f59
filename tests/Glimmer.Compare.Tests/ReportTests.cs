using System.Diagnostics;
using System.Xml.Linq;
using Glimmer.Compare.Processes;
using Glimmer.Compare.Reports;

namespace Glimmer.Compare.Tests;

/// <summary>The written report, and the reading of streams.</summary>
public sealed class ReportTests
{
    private static readonly IReadOnlyList<Row> _rows = Row.From(
        [new("prefill 512", "tokens/s", "m<1>", 2, "Glimmer", 1, 250), new("prefill 512", "tokens/s", "m<1>", 2, "Glimmer", 2, 270), new("prefill 512", "tokens/s", "m<1>", 2, "llama.cpp", 1, 100)], "Glimmer");

    [Fact]
    public void The_table_has_medians_spreads_ratios_and_verdicts()
    {
        string text = MarkdownReport.Write(new ReportHead("Glimmer", [("Glimmer", "0.1"), ("llama.cpp", "abc")], [("processor", "one")], new Dictionary<int, Spread> { [2] = Spread.Of([40]) }, ["a note"]), _rows);
        foreach (string line in (string[])
            [
                "| prefill 512 | m<1> | 2 | tokens/s | 260 (250–270) | 100 | 2.50 |",
                "| prefill 512 | m<1> | 2 | llama.cpp | ≥ 2.50 | 2.50 | met |",
                "- memory read with 2 threads: 40.0 GB/s",
                "- a note",
            ])
        {
            Assert.Contains(line, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_chart_is_well_formed_and_has_a_bar_per_reading()
    {
        XDocument chart = XDocument.Parse(BarChart.Draw("a & b", ["Glimmer", "llama.cpp"], _rows));
        XNamespace svg = "http://www.w3.org/2000/svg";
        Assert.Equal(1 + 2 + 2, chart.Descendants(svg + "rect").Count()); // ground, legend, bars
        Assert.Single(chart.Descendants(svg + "path")); // the spread of the one with two rounds
    }

    [Fact]
    public async Task A_stream_gives_its_pieces_and_usage()
    {
        using StringReader reader = new("""
            data: {"choices":[{"delta":{"role":"assistant","content":""}}]}

            data: {"choices":[{"delta":{"reasoning_content":"a"}}]}

            data: {"choices":[{"delta":{"content":"b"}}],"usage":null}

            data: {"choices":[{"text":"c","index":0}]}

            data: {"choices":[{"text":"","index":0}]}

            data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}

            data: [DONE]
            """);
        StreamTiming timing = await ChatStream.ReadAsync(reader, Stopwatch.GetTimestamp());
        Assert.Equal((3, 7, 3), (timing.Arrivals.Count, timing.PromptTokens, timing.Tokens));
    }

    [Theory]
    [InlineData("data: [DONE]")]
    [InlineData("data: {\"error\":{\"message\":\"no\"}}")]
    public async Task A_stream_without_text_is_an_error(string text)
    {
        using StringReader reader = new(text);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ChatStream.ReadAsync(reader, 0));
    }
}
