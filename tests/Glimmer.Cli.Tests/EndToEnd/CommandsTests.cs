using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Engine.Packages;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>The commands that need no server, as processes.</summary>
public sealed class CommandsTests : ProgramTests
{
    [Fact]
    public async Task Run_answers_an_argument_as_it_answers_a_pipe()
    {
        string[] options = ["--temperature", "0", "--no-thinking", "--max-tokens", "100"];
        ProgramRun argument = await RunAsync(["run", "Who are you?", .. options]);
        ProgramRun piped = await GlimmerProcess.RunAsync(Folder, ["run", .. options], "Who are you?\n");

        Assert.Equal((0, ""), (argument.ExitCode, argument.Errors));
        Assert.NotEqual("", argument.Output.Trim());
        Assert.Equal(argument, piped);
        Assert.NotEqual(argument.Output, (await GlimmerProcess.RunAsync(Folder, ["run", "Translate into Chinese:", .. options], "Good morning!")).Output);
    }

    [Fact]
    public async Task Run_gives_a_JSON_object_when_asked()
    {
        ProgramRun run = await RunAsync("run", "List three planets as JSON with the key planets.", "--json", "--temperature", "0");

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        using JsonDocument answer = JsonDocument.Parse(run.Output);
        Assert.Equal(JsonValueKind.Object, answer.RootElement.ValueKind);
    }

    [Fact]
    public async Task Run_without_a_prompt_says_how_to_give_one() =>
        (await GlimmerProcess.RunAsync(Folder, ["run"], "")).AssertOneClearLine(64, "nothing to ask", "glimmer run");

    [Theory]
    [InlineData("--temperature", "run", "--temperature", "hot", "x")]
    [InlineData("--seed", "run", "--seed", "lucky", "x")]
    [InlineData("--max-tokens", "run", "--max-tokens", "1e3", "x")]
    [InlineData("--rounds", "bench", "--rounds", "many")]
    [InlineData("--threads", "serve", "--threads", "all")]
    [InlineData("--expires-days", "keys", "create", "--expires-days", "soon")]
    public async Task An_option_that_is_no_number_is_told_by_name_and_nothing_crashes(string option, params string[] arguments)
    {
        ProgramRun run = await RunAsync(arguments);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains(option, run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokenize_goes_there_and_back()
    {
        const string Text = "Grüß Gott, 你好!  \t<|user|> 👩‍🔬 x\u0301";
        ProgramRun ids = await RunAsync("tokenize", Text);
        Assert.Equal((0, ""), (ids.ExitCode, ids.Errors));
        ProgramRun back = await GlimmerProcess.RunAsync(Folder, ["tokenize", "--decode"], ids.Output);
        Assert.Equal(Text + Environment.NewLine, back.Output);
        (await RunAsync("tokenize", "--decode", "1 2 three")).AssertOneClearLine(65, "three", "0 to");
    }

    [Fact]
    public async Task Render_and_parse_do_what_the_server_does()
    {
        using ModelPackage package = ModelPackage.Load(Model);
        KnownRequest known = KnownRequest.All.First(known => known.Row.Right && known.Row.Want.GetProperty("tool_calls").GetArrayLength() > 0);
        string request = Write("request.json", JsonSerializer.Serialize(new { messages = known.Messages, tools = known.Tools, options = new { enable_thinking = known.Thinking } }));
        ProgramRun rendered = await RunAsync("render", request, "--ids");
        Assert.Equal((0, string.Join(' ', known.Row.PromptIds)), (rendered.ExitCode, rendered.Output.Trim()));

        int stop = known.Row.GreedyIds.Length - 1;
        string said = Write("said.txt", package.Tokenizer.Decode(known.Row.GreedyIds.AsSpan(0, stop)));
        string tools = Write("tools.json", known.Tools.GetRawText());
        ProgramRun parsed = await RunAsync("parse", said, "--start", known.Thinking ? "reasoning" : "content", "--tools", tools, "--end", "tool-calls");
        Assert.Equal((0, ""), (parsed.ExitCode, parsed.Errors));
        SaidAnswer expected = known.Reference(package);
        using JsonDocument message = JsonDocument.Parse(parsed.Output);
        SaidCall[] calls = [.. message.RootElement.GetProperty("tool_calls").EnumerateArray().Select(call => new SaidCall(call.GetProperty("name").GetString()!, call.GetProperty("arguments").GetString()!))];
        Assert.Equal(expected.CallList, calls);
        Assert.Equal(expected.Reasoning, message.RootElement.TryGetProperty("reasoning_content", out JsonElement reasoning) ? reasoning.GetString() : "");
    }

    [Fact]
    public async Task Render_names_the_field_at_fault()
    {
        string request = Write("request.json", """{"messages":[{"role":"user","content":"x"},{"role":"wizard","content":"y"}]}""");
        ProgramRun run = await RunAsync("render", request);
        Assert.NotEqual(0, run.ExitCode);
        Assert.Contains("role", Assert.Single(run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Inspect_says_what_a_file_holds()
    {
        ProgramRun run = await RunAsync("inspect", Model);
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        foreach (string part in (string[])["glm4_moe", "Q8_0", "tensors", "it fits"])
            Assert.Contains(part, run.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task Bench_prints_JSON()
    {
        ProgramRun run = await RunAsync("bench", "--json", "--prompt", "32", "--decode", "4", "--rounds", "2", "--threads", "2");
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        using JsonDocument result = JsonDocument.Parse(run.Output);
        Assert.Equal(["prefill", "decode"], result.RootElement.GetProperty("readings").EnumerateArray().Select(reading => reading.GetProperty("name").GetString()));
        Assert.All(result.RootElement.GetProperty("readings").EnumerateArray(), reading => Assert.True(reading.GetProperty("median").GetDouble() > 0));
    }

    [Fact]
    public async Task Bench_measures_each_depth_and_keeps_every_round()
    {
        ProgramRun run = await RunAsync("bench", "-o", "json", "-p", "32,64", "-n", "0", "-d", "0,128", "-r", "3", "-b", "48", "--no-warmup", "--set", "Engine:Context=512", "-t", "2");
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        using JsonDocument result = JsonDocument.Parse(run.Output);
        JsonElement[] readings = [.. result.RootElement.GetProperty("readings").EnumerateArray()];
        Assert.Equal([(32, 0), (64, 0), (32, 128), (64, 128)], readings.Select(reading => (reading.GetProperty("tokens").GetInt32(), reading.GetProperty("depth").GetInt32())));
        Assert.All(readings, reading => Assert.Equal(3, reading.GetProperty("samples").EnumerateArray().Count(sample => sample.GetDouble() > 0)));
    }

    [Fact]
    public async Task Bench_says_what_does_not_fit() =>
        (await RunAsync("bench", "-n", "16", "-d", "600", "--set", "Engine:Context=512")).AssertOneClearLine(64, "context of 512", "--depth");

    [Theory]
    [InlineData("run", "Hello")]
    [InlineData("bench")]
    [InlineData("tokenize", "x")]
    [InlineData("inspect")]
    [InlineData("serve", "--port", "0")]
    public async Task A_missing_model_is_named(string command, params string[] arguments) =>
        (await RunAsync([command, .. arguments, .. command == "inspect" ? [] : (string[])["--model"], "no-such-model.gguf"])).AssertOneClearLine(66, "no-such-model.gguf", "no such file");

    [Theory]
    [InlineData("run", 66, "Hello")]
    [InlineData("inspect", 65)]
    [InlineData("serve", 66, "--port", "0")]
    public async Task A_truncated_model_is_named(string command, int code, params string[] arguments)
    {
        string path = Path.Combine(Folder, "cut.gguf");
        byte[] bytes = await File.ReadAllBytesAsync(Model);
        await File.WriteAllBytesAsync(path, bytes.AsMemory(0, bytes.Length / 2));
        (await RunAsync([command, .. arguments, .. command == "inspect" ? [] : (string[])["--model"], path])).AssertOneClearLine(code, "cut.gguf");
    }

    [Theory]
    [InlineData("serve --port x", "--port", "'x'", "a whole number", "glimmer serve --help")]
    [InlineData("serve --port", "--port", "glimmer serve --help")]
    [InlineData("serve --prot 1", "--prot", "glimmer serve --help")]
    [InlineData("run hello --temperature 5", "--temperature", "0 to 2", "glimmer run --help")]
    [InlineData("run hello --temperature warm", "--temperature", "'warm'", "a number")]
    [InlineData("keys create --expires-days soon", "--expires-days", "'soon'", "a whole number", "glimmer keys create --help")]
    [InlineData("bench --rounds many", "--rounds", "'many'", "a whole number")]
    [InlineData("bench --rounds 0", "--rounds", "1 to 1000")]
    [InlineData("bench --prompt 512,many", "--prompt", "'many'", "0 to 65536")]
    [InlineData("bench -o xml", "xml", "glimmer bench --help")]
    [InlineData("frobnicate", "'frobnicate'", "glimmer --help")]
    [InlineData("keys frobnicate", "'frobnicate'", "glimmer keys --help")]
    [InlineData("keys", "glimmer keys --help")]
    [InlineData("render", "render", "glimmer render --help")]
    public async Task Arguments_that_make_no_command_are_told_in_one_line(string arguments, params string[] parts) =>
        (await RunAsync(arguments.Split(' '))).AssertOneClearLine(64, parts);

    [Theory]
    [InlineData("--help")]
    [InlineData("serve --help")]
    [InlineData("keys create -h")]
    [InlineData("--version")]
    public async Task Help_and_version_are_no_mistakes(string arguments)
    {
        ProgramRun run = await RunAsync(arguments.Split(' '));
        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        Assert.NotEqual("", run.Output.Trim());
    }

    [Fact]
    public async Task An_unknown_instruction_set_is_one_line_that_names_the_legal_ones() =>
        (await GlimmerProcess.RunAsync(Folder, ["run", "Hello"], null, ("GLIMMER_KERNELS", "potato"))).AssertOneClearLine(78, "GLIMMER_KERNELS", "potato", "scalar");
}
