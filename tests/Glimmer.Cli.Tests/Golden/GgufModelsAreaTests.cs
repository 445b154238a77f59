using Glimmer.Cli.Golden;
using Glimmer.Kernels;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class GgufModelsAreaTests
{
    private static readonly GgufModelsArea _area = new();

    public static TheoryData<string> Cases() => [.. Directory.GetDirectories(Fixtures.Path("gguf", "models")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_check_passes(string name) => GoldenFolders.AllPass(_area, Fixtures.Path("gguf", "models", name));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_check_passes_with_rounded_activations(string name) => GoldenFolders.AllPass(new GgufModelsArea(ActivationMode.Int8), Fixtures.Path("gguf", "models", name));

    [Fact]
    public void A_damaged_expectation_is_reported() => GoldenFolders.DamageIsReported(_area, Fixtures.Path("gguf", "models", "chatglm-legacy"), "logits.q8_0");

    [Fact]
    public void Other_folders_are_left_alone() => Assert.False(_area.Recognises(Fixtures.Path("text", "glm")));
}
