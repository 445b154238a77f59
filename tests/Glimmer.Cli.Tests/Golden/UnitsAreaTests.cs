using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class UnitsAreaTests
{
    private static readonly UnitsArea _area = new();

    [Fact]
    public void Every_check_passes() => GoldenFolders.AllPass(_area, Fixtures.Path("text"));

    [Theory]
    [InlineData("rmsnorm.eps=1e-05")]
    [InlineData("softmax.y")]
    [InlineData("swiglu.clamped_at_10")]
    [InlineData("topk.k=8")]
    [InlineData("attention.y")]
    [InlineData("router.2.bias.weights")]
    [InlineData("rope.theta=10000.half")]
    public void A_damaged_expectation_is_reported(string tensor) =>
        GoldenFolders.DamageIsReported(_area, Fixtures.Path("text"), tensor, "units.safetensors");

    [Fact]
    public void The_models_below_such_a_folder_are_still_found()
    {
        GoldenFolder[] found = [.. new GoldenRun([_area, new NamedFolder("glm4")]).Run([Path.GetDirectoryName(Fixtures.Path("text"))!], CancellationToken.None)];
        Assert.Contains(found, folder => folder.Area == "units");
        Assert.Contains(found, folder => folder.Area == "named");
    }

    private sealed class NamedFolder(string name) : IGoldenArea
    {
        public string Name => "named";

        public bool Recognises(string folder) => Path.GetFileName(folder) == name;

        public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel) => [new GoldenCheck("found", 0, 0)];
    }
}
