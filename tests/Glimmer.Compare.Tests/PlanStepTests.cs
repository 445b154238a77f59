using Glimmer.Testing;

namespace Glimmer.Compare.Tests;

/// <summary>Plans and the command line.</summary>
public sealed class PlanStepTests
{
    [Fact]
    public void A_line_is_a_step()
    {
        PlanStep step = Assert.Single(PlanStep.ParseAll(["# a plan", "", "  bench  edge   threads=2 prompt=512 # first"]));
        Assert.Equal(("bench", "edge", 2, 3, 512, 0), (step.Measure, step.Model, step.Threads, step.Rounds, step.Get("prompt", 0), step.Get("decode", 0)));
    }

    [Theory]
    [InlineData("bench", "line 1")]
    [InlineData("run edge", "pauses")]
    [InlineData("bench edge threads", "'threads'")]
    [InlineData("bench edge threads=-1", "'threads=-1'")]
    [InlineData("bench edge speed=1", "'speed=1'")]
    [InlineData("bench edge rounds=0", "at least 1")]
    public void Another_line_is_named(string line, string part) =>
        Assert.Contains(part, Assert.Throws<FormatException>(() => PlanStep.ParseAll([line])).Message, StringComparison.Ordinal);

    [Fact]
    public void Every_plan_of_the_repository_can_be_read()
    {
        string[] plans = Directory.GetFiles(Path.Combine(Fixtures.RepositoryRoot, "bench", "plans"), "*.plan");
        Assert.NotEmpty(plans);
        Assert.All(plans, plan => Assert.NotEmpty(PlanStep.ParseAll(File.ReadLines(plan))));
    }

    [Theory]
    [InlineData("--plan")]
    [InlineData("--glimmer no-such.dll")]
    [InlineData("--cores a,b")]
    [InlineData("--fast yes")]
    [InlineData("--minutes 3")]
    public void A_wrong_command_line_is_told(string line) => Assert.Throws<FormatException>(() => ComparisonOptions.Parse(line.Split(' ')));
}
