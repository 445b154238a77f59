using System.Text.Json;
using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>Every fixture file of dialogue and grammar can be run from the command line, without code.</summary>
public sealed class FixtureFilesTests : ProgramTests
{
    public static TheoryData<string> RenderedFiles => [.. Directory.GetFiles(Fixtures.Path("dialogue", "rendered"), "*.jsonl").Select(file => Path.GetFileNameWithoutExtension(file)!)];

    [Theory]
    [MemberData(nameof(RenderedFiles))]
    public async Task Render_gives_every_line_of_a_rendered_file(string generation)
    {
        ProgramRun run = await RunAsync("render", Fixtures.Path("dialogue", "conversations.jsonl"), "--generation", generation, "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Dictionary<string, string> said = Lines(run.Output).ToDictionary(line => line.GetProperty("id").GetString()!, line => line.GetProperty("rendered").GetString()!);
        JsonElement[] expected = [.. JsonLines.Read(Fixtures.Path("dialogue", "rendered", generation + ".jsonl"))];
        Assert.NotEmpty(expected);
        Assert.All(expected, row => Assert.Equal(row.GetProperty("rendered").GetString(), said[row.GetProperty("id").GetString()!]));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("3")]
    public async Task Parse_gives_what_every_row_expects(string chunk)
    {
        string file = Fixtures.Path("dialogue", "parse.jsonl");
        ProgramRun run = await RunAsync("parse", file, "--chunk", chunk);
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        JsonElement[] rows = [.. JsonLines.Read(file).Where(row => row.TryGetProperty("output", out _))];
        List<JsonElement> said = Lines(run.Output);
        Assert.Equal(rows.Select(row => row.GetProperty("id").GetString()), said.Select(line => line.GetProperty("id").GetString()));
        Assert.All(said, line => Assert.True(line.GetProperty("as_expected").GetBoolean()));
        Assert.All(rows.Zip(said), pair => Assert.Equal(
            pair.First.GetProperty("expect").GetProperty("content").GetString(),
            pair.Second.TryGetProperty("content", out JsonElement content) ? content.GetString() : null));
    }

    [Fact]
    public async Task Parse_reads_rows_from_a_pipe_and_says_when_one_is_not_as_expected()
    {
        const string Rows = """
            {"output":"<think>a</think>b","expect":{"content":"b","reasoning_content":"a"}}
            {"id":"two","initial":"content","tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"n":{"type":"integer"}}}}}],"output":"<tool_call>f<arg_key>n</arg_key><arg_value>1</arg_value></tool_call>","expect":{"tool_calls":[{"name":"f","arguments":{"n":2}}]}}
            {"id":"three","generation":"glm-4-0414","initial":"content","output":"x\ud800"}
            """;
        ProgramRun run = await GlimmerProcess.RunAsync(Folder, ["parse", "--json"], Rows);
        Assert.Equal((1, ""), (run.ExitCode, run.Errors));
        List<JsonElement> said = Lines(run.Output);
        Assert.Equal(3, said.Count);
        Assert.Equal(("b", true), (said[0].GetProperty("content").GetString(), said[0].GetProperty("as_expected").GetBoolean()));
        Assert.Equal(("{\"n\": 1}", false), (said[1].GetProperty("tool_calls")[0].GetProperty("arguments").GetString(), said[1].GetProperty("as_expected").GetBoolean()));
        Assert.Equal("x\uFFFD", said[2].GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("{\"output\":1}", "row 1", "output")]
    [InlineData("{\"output\":\"x\"}\n{\"output\":\"x\",\"initial\":\"later\"}", "row 2", "initial", "think_pending")]
    [InlineData("{\"output\":\"x\",\"finish\":\"never\"}", "finish", "length")]
    [InlineData("{\"output\":\"x\",\"tools\":7}", "tools", "list")]
    [InlineData("{\"output\":\"x\",\"generation\":\"glm-9\"}", "glm-9", "glm-4.7")]
    [InlineData("{\"output\":\"x\"}\n{\"output\":", "line 2")]
    public async Task Parse_names_the_row_at_fault(string rows, params string[] parts) =>
        (await RunAsync("parse", Write("rows.jsonl", rows))).AssertOneClearLine(65, parts);

    [Fact]
    public async Task Grammar_gives_every_verdict_of_a_file_of_schemas()
    {
        string file = Fixtures.Path("grammar", "schemas.jsonl");
        ProgramRun run = await RunAsync("grammar", file);
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        JsonElement[] rows = [.. JsonLines.Read(file)];
        List<JsonElement> said = Lines(run.Output);
        Assert.Equal(rows.Select(row => row.GetProperty("name").GetString()), said.Select(line => line.GetProperty("name").GetString()));
        Assert.All(rows.Zip(said), pair => Assert.Equal(
            (pair.First.GetProperty("valid").GetArrayLength(), pair.First.GetProperty("invalid").GetArrayLength()),
            (pair.Second.GetProperty("valid").GetInt32(), pair.Second.GetProperty("invalid").GetInt32() + (pair.Second.TryGetProperty("admitted", out JsonElement admitted) ? admitted.GetArrayLength() : 0))));
        Assert.All(said.Where(line => line.TryGetProperty("admitted", out _)), line => Assert.True(line.TryGetProperty("not_enforced", out _)));
        Assert.All(said, line => Assert.True(line.GetProperty("start_tokens").GetInt32() > 0));
    }

    [Fact]
    public async Task Grammar_says_which_texts_got_another_verdict_and_what_is_not_enforced()
    {
        string file = Write("rows.jsonl", """
            {"schema":{"type":"integer"},"valid":["1","x"],"invalid":["2","y"]}
            {"name":"loose","schema":{"type":"array","uniqueItems":true},"valid":["[1]"],"invalid":["[1, 1]"]}
            {"name":"wrong","schema":{"type":"objekt"}}
            """);
        List<JsonElement> said = Lines((await RunAsync("grammar", file)).Output);
        Assert.Equal(("row 1", "x", "2"), (said[0].GetProperty("name").GetString(), said[0].GetProperty("blocked")[0].GetString(), said[0].GetProperty("admitted")[0].GetString()));
        Assert.Contains("uniqueItems", said[1].GetProperty("not_enforced")[0].GetString(), StringComparison.Ordinal);
        Assert.Contains("type", said[2].GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, (await RunAsync("grammar", file)).ExitCode);
        Assert.Equal(1, (await RunAsync("grammar", Write("loose.jsonl", File.ReadAllLines(file)[1]), "--strict")).ExitCode);
        Assert.Equal(0, (await RunAsync("grammar", Write("loose.jsonl", File.ReadAllLines(file)[1]))).ExitCode);
        (await RunAsync("grammar", Write("bad.jsonl", "{}"))).AssertOneClearLine(65, "row 1", "schema");
        (await RunAsync("grammar", Write("bad.jsonl", "{\"schema\":true,\"valid\":[1]}"))).AssertOneClearLine(65, "row 1", "valid");
    }

    private static List<JsonElement> Lines(string output) =>
        [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
}
