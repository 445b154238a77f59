using System.Text.Json.Nodes;
using Glimmer.Cli.Configuring;
using Glimmer.Cli.Tests.EndToEnd;

namespace Glimmer.Cli.Tests.Configuring;

public sealed class GeminiToolTests : IDisposable
{
    private static readonly ToolSettings Settings = new("http://h:1", "0123abcd.secretsecret", "glm-4.7", "glm-4.5-air");
    private readonly string _home = Directory.CreateTempSubdirectory("glimmer-configure-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public void Both_files_become_what_the_tool_reads()
    {
        ConfiguredTool tool = ConfiguredTool.Find("Gemini-CLI")!;
        Assert.Same(ConfiguredTool.Find("gemini"), tool);
        string before = "{\n  // mine\n  \"security\": { \"auth\": { \"selectedType\": \"oauth-personal\" } },\n  \"ui\": { \"theme\": \"x\" }\n}\n";
        string written = tool.Apply(before, Settings);
        Assert.Equal(
            "{\n  // mine\n  \"security\": { \"auth\": { \"selectedType\": \"gemini-api-key\" } },\n  \"ui\": { \"theme\": \"x\" },\n  \"model\": {\n    \"name\": \"glm-4.7\"\n  },\n  \"privacy\": {\n    \"usageStatisticsEnabled\": false\n  }\n}\n",
            written);
        Assert.Equal(written, tool.Apply(written, Settings));
        JsonNode fresh = JsonNode.Parse(tool.Apply("", Settings))!;
        Assert.Equal(("gemini-api-key", "glm-4.7"), ((string)fresh["security"]!["auth"]!["selectedType"]!, (string)fresh["model"]!["name"]!));
        ToolPart variables = Assert.Single(tool.Beside);
        string lines = variables.Apply("# mine\nOTHER_KEY=abcdefgh\nexport GEMINI_API_KEY = \"old\"\n", Settings);
        Assert.Equal("# mine\nOTHER_KEY=abcdefgh\nexport GEMINI_API_KEY=0123abcd.secretsecret\nGOOGLE_GEMINI_BASE_URL=http://h:1\n", lines);
        Assert.Equal(lines, variables.Apply(lines, Settings));
    }

    [Theory]
    [InlineData("", "A=v\n")]
    [InlineData("A=v", "A=v\n")]
    [InlineData("B=1\r\nA=2\r\n", "B=1\r\nA=v\r\n")]
    [InlineData("A=1\nA=2\nAA=3\n", "A=1\nA=v\nAA=3\n")]
    [InlineData("#A=1\n\n", "#A=1\n\nA=v\n")]
    [InlineData("A=\n", "A=v\n")]
    public void A_variable_is_set_and_the_rest_stays(string before, string after)
    {
        Assert.Equal(after, EnvEdit.Set(before, "A", "v"));
        Assert.Equal(after, EnvEdit.Set(after, "A", "v"));
    }

    [Fact]
    public void A_value_that_would_be_read_otherwise_is_quoted()
    {
        string written = EnvEdit.Set("", "A", "a#b$c\\n");
        Assert.Equal("A='a#b$c\\n'\n", written);
        Assert.Equal(written, EnvEdit.Set(written, "A", "a#b$c\\n"));
        Assert.Contains("line 2", Assert.Throws<FormatException>(() => EnvEdit.Set("B=1\nC=\"several\nA=lines\"\n", "A", "v")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Both_files_are_written_shown_and_brought_back()
    {
        string folder = Path.Combine(_home, ".gemini"), variables = Path.Combine(folder, ".env"), file = Path.Combine(folder, "settings.json");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(variables, "GEMINI_API_KEY=oldsecret\n", TestContext.Current.CancellationToken);
        string[] arguments = ["configure", "gemini", "--home", _home, "--key", Settings.Key, "--url", "http://h:1"];
        (int dry, string shown, _) = await GlimmerProcess.RunAsync(_home, [.. arguments, "--dry-run"]);
        Assert.Equal((0, false), (dry, File.Exists(file)));
        Assert.Contains("-GEMINI_API_KEY=olds…", shown, StringComparison.Ordinal);
        Assert.Contains("+GEMINI_API_KEY=0123…", shown, StringComparison.Ordinal);
        Assert.DoesNotContain(Settings.Key, shown, StringComparison.Ordinal);
        Assert.DoesNotContain("oldsecret", shown, StringComparison.Ordinal);

        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--yes"])).ExitCode);
        Assert.Equal("GEMINI_API_KEY=0123abcd.secretsecret\nGOOGLE_GEMINI_BASE_URL=http://h:1\n", await File.ReadAllTextAsync(variables, TestContext.Current.CancellationToken));
        Assert.True(File.Exists(file));
        Assert.Contains("already set", (await GlimmerProcess.RunAsync(_home, [.. arguments, "--yes"])).Output, StringComparison.Ordinal);

        Assert.Equal(0, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--restore", "--yes"])).ExitCode);
        Assert.Equal([variables], Directory.GetFiles(folder));
        Assert.Equal("GEMINI_API_KEY=oldsecret\n", await File.ReadAllTextAsync(variables, TestContext.Current.CancellationToken));
        Assert.Equal(66, (await GlimmerProcess.RunAsync(_home, [.. arguments, "--restore", "--yes"])).ExitCode);
    }

    [Fact]
    public async Task When_one_file_cannot_be_edited_none_is_written()
    {
        string folder = Path.Combine(_home, ".gemini");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, ".env"), "A=\"several\nlines\"\n", TestContext.Current.CancellationToken);
        Assert.Equal(65, (await GlimmerProcess.RunAsync(_home, ["configure", "gemini", "--home", _home, "--key", Settings.Key, "--yes"])).ExitCode);
        Assert.False(File.Exists(Path.Combine(folder, "settings.json")));
    }
}
