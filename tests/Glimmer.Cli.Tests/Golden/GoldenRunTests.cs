using Glimmer.Cli.Golden;

namespace Glimmer.Cli.Tests.Golden;

public sealed class GoldenRunTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("glimmer-golden-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Folders_are_found_at_any_depth_and_run_in_name_order()
    {
        Case("b/two", "ok");
        Case("a/one", "ok");
        Case("a/deep/er", "ok");
        Assert.Equal(["a/deep/er", "a/one", "b/two"], Run().Select(folder => Path.GetRelativePath(_root, folder.Folder)));
    }

    [Fact]
    public void What_an_area_throws_is_a_failed_check_and_the_others_still_run()
    {
        Case("a", "throw");
        Case("b", "ok");
        GoldenFolder[] folders = Run();
        GoldenCheck failure = Assert.Single(folders[0].Checks);
        Assert.False(failure.Passed);
        Assert.Contains("on purpose", failure.Detail, StringComparison.Ordinal);
        Assert.True(Assert.Single(folders[1].Checks).Passed);
    }

    [Fact]
    public void A_folder_with_nothing_to_compare_is_a_failure()
    {
        Case("a", "empty");
        Assert.False(Assert.Single(Assert.Single(Run()).Checks).Passed);
    }

    [Theory]
    [InlineData(0.0, 0.0, true)]
    [InlineData(1e-4, 2e-4, true)]
    [InlineData(3e-4, 2e-4, false)]
    [InlineData(double.NaN, 1.0, false)]
    public void A_check_passes_within_its_bound_and_never_with_NaN(double difference, double allowed, bool passes) =>
        Assert.Equal(passes, new GoldenCheck("x", difference, allowed).Passed);

    private GoldenFolder[] Run() => [.. new GoldenRun([new FileArea()]).Run([_root], CancellationToken.None)];

    private void Case(string folder, string content)
    {
        Directory.CreateDirectory(Path.Combine(_root, folder));
        File.WriteAllText(Path.Combine(_root, folder, "case.txt"), content);
    }

    private sealed class FileArea : IGoldenArea
    {
        public string Name => "files";

        public bool Recognises(string folder) => File.Exists(Path.Combine(folder, "case.txt"));

        public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel) => File.ReadAllText(Path.Combine(folder, "case.txt")) switch
        {
            "ok" => [new GoldenCheck("x", 0, 0)],
            "empty" => [],
            _ => throw new InvalidOperationException("on purpose"),
        };
    }
}
