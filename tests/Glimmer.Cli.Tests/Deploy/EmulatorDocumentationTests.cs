using Glimmer.Inference.Script;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Deploy;

/// <summary>docs/emulator.md shows the samples that tests run, and docs/script.md a scenario that is one.</summary>
public sealed class EmulatorDocumentationTests
{
    private static readonly string Samples = Path.Combine(Fixtures.RepositoryRoot, "samples", "emulator");

    public static TheoryData<string> Files =>
        [.. Directory.GetFiles(Samples, "*", SearchOption.AllDirectories).Where(file => Path.GetExtension(file) is ".py" or ".mjs" or ".java" or ".cs" or ".yaml").Select(file => Path.GetRelativePath(Samples, file))];

    [Theory]
    [MemberData(nameof(Files))]
    public void The_page_shows_each_sample_as_it_is(string file) =>
        Assert.Contains(File.ReadAllText(Path.Combine(Samples, file)).TrimEnd(), Page("emulator.md"), StringComparison.Ordinal);

    [Fact]
    public void The_scenario_of_the_page_is_one()
    {
        string page = Page("script.md");
        int start = page.IndexOf("```yaml\n", StringComparison.Ordinal) + 8;
        Scenario scenario = ScenarioReader.Read(new StringReader(page[start..page.IndexOf("\n```", start, StringComparison.Ordinal)]), "script.md");

        Assert.Equal((4, 1, 1), (scenario.Rules.Count, scenario.Limits.Count, scenario.Embeddings.Count));
    }

    private static string Page(string name) => File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", name)).ReplaceLineEndings("\n");
}
