using System.Runtime.InteropServices;
using System.Text.Json;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>The same program on lesser machines, as far as switches can make one: the reference holds, and no token changes.</summary>
public sealed class InstructionSetTests : ProgramTests
{
    private static readonly string[] Cases = ["glm4_moe-air", "glm4_moe-mtp", "fp8-block-glm4_moe", "gptq-glm4_moe"];

    public static TheoryData<string, string> Switches { get; } = new()
    {
        { "GLIMMER_KERNELS=scalar", "Scalar" },
        { "GLIMMER_KERNELS_EMIT=0", "" },
        { "DOTNET_EnableAVX512=0 DOTNET_EnableAVX512F=0", "Avx2" },
        { "DOTNET_EnableAVX2=0", "Scalar" },
        { "DOTNET_EnableHWIntrinsic=0", "Scalar" },
    };

    [Theory]
    [MemberData(nameof(Switches))]
    public async Task A_lesser_machine_gives_the_same_answers(string switches, string kernels)
    {
        (string, string)[] environment = [.. switches.Split(' ').Select(one => one.Split('=')).Select(pair => (pair[0], pair[1]))];
        Task<ProgramRun> Run(params string[] arguments) => GlimmerProcess.RunAsync(Folder, arguments, null, environment);

        ProgramRun bench = await Run("bench", "--json", "--prompt", "4", "--decode", "1", "--rounds", "1");
        Assert.Equal((0, ""), (bench.ExitCode, bench.Errors));
        using JsonDocument result = JsonDocument.Parse(bench.Output);
        string actual = result.RootElement.GetProperty("kernels").GetString()!;
        Assert.SkipWhen(kernels == "Avx2" && actual != "Avx2", $"This processor has no AVX2: {actual}.");
        if (kernels.Length > 0 && RuntimeInformation.ProcessArchitecture == Architecture.X64)
            Assert.Equal(kernels, actual);

        ProgramRun golden = await Run(["golden", "--quiet", .. Cases.Select(name => Fixtures.Path("text", name))]);
        Assert.True(golden.ExitCode == 0, golden.Output + golden.Errors);
        Assert.StartsWith($"{Cases.Length} folders", golden.Output, StringComparison.Ordinal);

        string[] ask = ["run", "Write a short story about a fox and a lantern.", "--temperature", "0", "--max-tokens", "80", "--show-thinking"];
        ProgramRun expected = await RunAsync(ask), lesser = await Run(ask);
        Assert.Equal(0, expected.ExitCode);
        Assert.Equal(expected, lesser);
    }
}
