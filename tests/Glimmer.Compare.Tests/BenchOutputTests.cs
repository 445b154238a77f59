using Glimmer.Compare.Contenders;

namespace Glimmer.Compare.Tests;

/// <summary>What the bench programs print, and what is taken from it.</summary>
public sealed class BenchOutputTests
{
    private static readonly LlamaContender _mainline = LlamaContender.Mainline("folder");
    private static readonly LlamaContender _ik = LlamaContender.Ik("folder");
    private static readonly GlimmerContender _glimmer = new("Glimmer", "glimmer.dll", ["Engine:Activations=int8"]);

    [Fact]
    public void Rows_of_llama_bench_give_every_sample()
    {
        const string output = """
            some line of a loader [with brackets]
            [
              { "build_commit": "de3ff81", "n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 46.5, "samples_ts": [ 46.36, 46.64 ] },
              { "build_commit": "de3ff81", "n_prompt": 0, "n_gen": 64, "n_depth": 16384, "avg_ts": 9.5, "samples_ts": [ 9.5 ] }
            ]
            """;
        Assert.Equal([("prefill 512", 46.36), ("prefill 512", 46.64), ("decode 64 after 16384", 9.5)], _mainline.ReadBench(output));
        Assert.Equal("de3ff81", _mainline.Version);
    }

    [Fact]
    public void A_decode_after_a_prompt_is_a_decode_at_that_depth() =>
        Assert.Equal([("decode 64 after 16384", 7.25)], _ik.ReadBench("""[{"build_commit": "8337e4c", "n_prompt": 16384, "n_gen": 64, "samples_ts": [7.25]}]"""));

    [Theory]
    [InlineData("")]
    [InlineData("error: failed to load model")]
    [InlineData("[ {")]
    [InlineData("[ 1 ]")]
    [InlineData("""[{"n_prompt": 1}]""")]
    [InlineData("""[{"build_commit": "a", "n_prompt": "x", "n_gen": 0, "samples_ts": [1]}]""")]
    [InlineData("""[{"build_commit": "a", "n_prompt": 1, "n_gen": 0, "samples_ts": 1}]""")]
    public void Other_output_is_a_clear_error(string output) => Assert.Throws<FormatException>(() => _mainline.ReadBench(output));

    [Fact]
    public void Readings_of_glimmer_bench_give_every_sample()
    {
        const string output = """{"model":"m","threads":1,"readings":[{"name":"prefill","tokens":512,"streams":1,"depth":0,"median":2,"samples":[1,2,3]},{"name":"decode","tokens":64,"streams":8,"depth":128,"samples":[4.5]}]}""";
        Assert.Equal([("prefill 512", 1), ("prefill 512", 2), ("prefill 512", 3), ("decode 64 × 8 streams after 128", 4.5)], _glimmer.ReadBench(output));
    }

    [Theory]
    [InlineData("")]
    [InlineData("bench: no such file")]
    [InlineData("{}")]
    [InlineData("""{"readings":[{"name":"prefill"}]}""")]
    [InlineData("""{"readings":7}""")]
    public void Other_output_of_glimmer_is_a_clear_error(string output) => Assert.Throws<FormatException>(() => _glimmer.ReadBench(output));

    [Fact]
    public void Every_contender_is_asked_for_the_same_test()
    {
        PlanStep step = Assert.Single(PlanStep.ParseAll(["bench m threads=2 decode=64 depth=4096"]));
        Assert.Contains("-n 64 -d 4096", Line(_mainline.Bench("m.gguf", step)), StringComparison.Ordinal);
        Assert.Contains("-gp 4096,64", Line(_ik.Bench("m.gguf", step)), StringComparison.Ordinal);
        Assert.Contains("-p 0 -n 64 -d 4096", Line(_glimmer.Bench("m.gguf", step)), StringComparison.Ordinal);
        Assert.All([_mainline.Bench("m.gguf", step), _ik.Bench("m.gguf", step), _glimmer.Bench("m.gguf", step)], call => Assert.Contains("-t 2", Line(call), StringComparison.Ordinal));
        Assert.Contains("--set Engine:Activations=int8", Line(_glimmer.Bench("m.gguf", step)), StringComparison.Ordinal);
    }

    [Fact]
    public void What_a_program_cannot_measure_is_left_out()
    {
        Assert.Null(_ik.Bench("m.gguf", PlanStep.ParseAll(["bench m prompt=512 depth=4096"])[0]));
        Assert.Null(_mainline.Bench("m.gguf", PlanStep.ParseAll(["bench m decode=64 streams=8"])[0]));
    }

    [Fact]
    public void A_start_is_not_delayed_by_repacking()
    {
        ServerCall call = new("m.gguf", 1, 8080, 1, 4096, "data");
        Assert.Contains("-rtr", _ik.Serve(call).Arguments);
        Assert.DoesNotContain("-rtr", _ik.Serve(call with { QuickStart = true }).Arguments);
    }

    [Fact]
    public void The_key_is_found_in_the_banner()
    {
        Assert.Equal("0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP", _glimmer.KeyIn("  key    0123456789abcdef0123456789abcdef.ABCDEFGHIJKLMNOP   (made now)"));
        Assert.Null(_glimmer.KeyIn("  model  random-glm4: glm4, 1593.5 M parameters"));
    }

    private static string Line(ProgramCall? call) => string.Join(' ', call!.Arguments);
}
