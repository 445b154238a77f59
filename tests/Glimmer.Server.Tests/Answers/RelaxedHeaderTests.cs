using Glimmer.Inference;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Tests.Answers;

public sealed class RelaxedHeaderTests
{
    [Fact]
    public void Nothing_in_it_can_break_a_header() => Assert.Equal(
        "/a%20b%0D%0A%25%3B/%E4%BD%A0 not; contains",
        RelaxedHeader.Of([new Relaxation("/a b\r\n%;/你", "not"), new Relaxation("", "contains")]));

    [Fact]
    public void It_is_bounded_and_counts_the_rest()
    {
        Relaxation[] many = [.. Enumerable.Range(100, 500).Select(i => new Relaxation($"/properties/p{i}", "uniqueItems"))];
        string value = RelaxedHeader.Of(many);
        Assert.InRange(value.Length, 900, 1050);
        int told = value.Split("; ").Length - 1;
        Assert.EndsWith($"; and {500 - told} more", value, StringComparison.Ordinal);
        Assert.Equal("and 1 more", RelaxedHeader.Of([new Relaxation(new string('x', 5000), "not")]));
    }
}
