using System.Text.Json;
using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class GrammarAreaTests
{
    private static readonly string Folder = Fixtures.Path("grammar");

    private static readonly Lazy<IReadOnlyList<GoldenCheck>> Results = new(() => [.. new GrammarArea().Run(Folder, CancellationToken.None)]);

    public static TheoryData<string> Names =>
        [.. File.ReadLines(Path.Combine(Folder, "schemas.jsonl")).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("name").GetString()!)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Every_schema_gives_the_verdicts_of_the_reference(string name)
    {
        GoldenCheck check = Assert.Single(Results.Value, check => check.Name == name);
        Assert.True(check.Passed, check.Detail);
    }

    [Theory]
    [InlineData("valid", "\"x\"", "blocked")]
    [InlineData("valid_loose", "\"x\"", "validator refused")]
    [InlineData("invalid", "12", "admitted")]
    public void A_damaged_expectation_is_reported(string list, string text, string detail)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;
        try
        {
            Dictionary<string, object> row = new()
            {
                ["name"] = "damaged",
                ["tier"] = "core",
                ["schema"] = new { type = "integer" },
                ["valid"] = new List<string> { "1" },
                ["valid_loose"] = new List<string>(),
                ["invalid"] = new List<string> { "1.5" },
            };
            ((List<string>)row[list]).Add(text);
            File.WriteAllText(Path.Combine(folder, "schemas.jsonl"), JsonSerializer.Serialize(row) + "\n{\n");
            GoldenCheck[] checks = [.. new GrammarArea().Run(folder, CancellationToken.None)];
            Assert.Equal(2, checks.Length);
            Assert.All(checks, check => Assert.False(check.Passed));
            Assert.Contains(detail, checks[0].Detail);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void A_refusal_passes_only_outside_the_core()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;
        try
        {
            string row = """{"name":"r","tier":"TIER","schema":{"type":"string","pattern":"(?=a)a"},"valid":["\"a\""],"valid_loose":[],"invalid":["\"b\""]}""";
            File.WriteAllLines(Path.Combine(folder, "schemas.jsonl"), [row.Replace("TIER", "core"), row.Replace("TIER", "hard")]);
            GoldenCheck[] checks = [.. new GrammarArea().Run(folder, CancellationToken.None)];
            Assert.False(checks[0].Passed);
            Assert.True(checks[1].Passed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Folders_are_recognised_by_their_files()
    {
        Assert.True(new GrammarArea().Recognises(Folder));
        Assert.False(new GrammarArea().Recognises(Path.GetTempPath()));
        Assert.Contains(GoldenAreas.All, area => area is GrammarArea);
    }
}
