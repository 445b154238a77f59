using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class TextAreaTests
{
    private static readonly TextArea _area = new();

    public static TheoryData<string> Cases() => [.. Directory.GetDirectories(Fixtures.Path("text")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_check_passes(string name) => GoldenFolders.AllPass(_area, Fixtures.Path("text", name));

    [Theory]
    [InlineData("glm4_moe-air", "router.1.weights")]
    [InlineData("glm4_moe-air", "greedy")]
    [InlineData("glm4_moe-mtp", "draft.k2.accepted")]
    [InlineData("glm4_moe-batch", "greedy_logits.2")]
    public void A_damaged_expectation_is_reported(string name, string tensor) => GoldenFolders.DamageIsReported(_area, Fixtures.Path("text", name), tensor);

    [Fact]
    public void Other_folders_are_left_alone()
    {
        Assert.False(_area.Recognises(Fixtures.Path("text")));
        Assert.False(_area.Recognises(Fixtures.Path("gguf", "models", "glm4moe")));
    }
}
