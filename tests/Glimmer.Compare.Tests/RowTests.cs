namespace Glimmer.Compare.Tests;

/// <summary>Statistics, ratios and verdicts.</summary>
public sealed class RowTests
{
    [Fact]
    public void A_spread_has_the_middle_and_the_ends()
    {
        Assert.Equal(new Spread(3, 1, 9, 3), Spread.Of([9, 1, 3]));
        Assert.Equal(new Spread(2.5, 1, 9, 4), Spread.Of([9, 1, 3, 2]));
        Assert.Equal(new Spread(7, 7, 7, 1), Spread.Of([7]));
    }

    [Theory]
    [InlineData(0.5, 50)]
    [InlineData(0.99, 99)]
    [InlineData(1, 100)]
    [InlineData(0, 1)]
    public void A_percentile_is_the_nearest_rank(double share, double expected) =>
        Assert.Equal(expected, Spread.Percentile([.. Enumerable.Range(1, 100).Select(i => (double)(101 - i))], share));

    [Fact]
    public void A_ratio_compares_within_a_round()
    {
        // The machine was three times slower in the second round; the ratio does not see it.
        Row row = Assert.Single(Row.From([Of("us", 1, 30), Of("them", 1, 10), Of("us", 2, 10), Of("them", 2, 4), Of("them", 3, 5)], "us"));
        Assert.Equal(new Spread(20, 10, 30, 2), row.Values["us"]);
        Assert.Equal(new Spread(5, 4, 10, 3), row.Values["them"]);
        Assert.Equal(new Spread(2.75, 2.5, 3, 2), row.Ratios["them"]);
        Assert.False(row.Ratios.ContainsKey("us"));
    }

    [Fact]
    public void A_contender_without_a_round_in_common_has_no_ratio() =>
        Assert.Empty(Assert.Single(Row.From([Of("us", 1, 30), Of("them", 2, 10)], "us")).Ratios);

    [Fact]
    public void Verdicts_follow_the_direction_of_the_unit()
    {
        Row[] rows =
        [
            .. Row.From([Of("Glimmer", 1, 24), Of("llama.cpp", 1, 10), Of("ik_llama.cpp", 1, 15)], "Glimmer"),
            .. Row.From([Of("Glimmer", 1, 400) with { Metric = "start to ready", Unit = "ms" }, Of("llama.cpp", 1, 1000) with { Metric = "start to ready", Unit = "ms" }], "Glimmer"),
            .. Row.From([Of("Glimmer", 1, 12) with { Metric = "first token, cached against new", Unit = "× shorter" }], "Glimmer"),
            .. Row.From([Of("Glimmer", 1, 60) with { Unit = "%", Metric = "decode 64: share of the read bandwidth" }, Of("llama.cpp", 1, 50) with { Unit = "%", Metric = "decode 64: share of the read bandwidth" }], "Glimmer"),
        ];
        Assert.Equal(
            [("prefill 512", "llama.cpp", false), ("prefill 512", "ik_llama.cpp", true), ("start to ready", "llama.cpp", true), ("first token, cached against new", null, false)],
            Target.Judge(rows, "Glimmer").Select(verdict => (verdict.Row.Metric, verdict.Target.Contender, verdict.Met)));
    }

    [Fact]
    public void A_slowdown_compares_a_contender_with_itself()
    {
        Sample shallow = Of("us", 1, 30) with { Metric = "decode 64" };
        Sample[] samples = [shallow, shallow with { Round = 2, Value = 50 }, shallow with { Metric = "decode 64 after 16384", Value = 20 }, shallow with { Metric = "decode 64 after 16384", Contender = "them", Value = 5 }];
        Sample slowdown = Assert.Single(Target.Slowdowns(samples));
        Assert.Equal(("slowdown of decoding after 16384", "×", "us", 2.0), (slowdown.Metric, slowdown.Unit, slowdown.Contender, slowdown.Value));
    }

    private static Sample Of(string contender, int round, double value) => new("prefill 512", "tokens/s", "m", 1, contender, round, value);
}
