using Glimmer.Server.Messages;

namespace Glimmer.Server.Tests.Messages;

public sealed class NamePatternTests
{
    [Theory]
    [InlineData("opus", "opus", true)]
    [InlineData("opus", "OPUS", true)]
    [InlineData("opus", "opus-4", false)]
    [InlineData("claude*", "claude", true)]
    [InlineData("claude*", "Claude-Sonnet-4", true)]
    [InlineData("claude*", "my-claude", false)]
    [InlineData("claude*haiku*", "claude-3-5-haiku-20241022", true)]
    [InlineData("claude*haiku*", "claude-3-5-sonnet", false)]
    [InlineData("*haiku", "claude-haiku", true)]
    [InlineData("*haiku", "claude-haiku-4", false)]
    [InlineData("*", "", true)]
    [InlineData("**", "x", true)]
    [InlineData("ab*ba", "aba", false)]
    [InlineData("ab*ba", "abba", true)]
    [InlineData("a*b*c", "a-c-b-c", true)]
    [InlineData("a*b*c", "a-c-b", false)]
    [InlineData("gpt-4.1", "gpt-4x1", false)]
    [InlineData("a(b", "a(b", true)]
    public void A_star_is_any_characters(string pattern, string name, bool matches) => Assert.Equal(matches, new NamePattern(pattern).Matches(name));

    [Fact]
    public void A_long_name_takes_no_long_time()
    {
        var pattern = new NamePattern(string.Concat(Enumerable.Repeat("a*", 200)) + "b");
        Assert.False(pattern.Matches(new string('a', 100_000)));
    }
}
