using Glimmer.Cli.Golden;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Golden;

public sealed class QuantsTests
{
    [Fact]
    public void Every_format_agrees_with_the_reference()
    {
        QuantsArea area = new();
        string folder = Fixtures.Path("gguf", "quants");
        Assert.True(area.Recognises(folder));
        GoldenCheck[] checks = [.. area.Run(folder, TestContext.Current.CancellationToken)];
        Assert.True(checks.Length > 100, $"only {checks.Length} checks");
        string failed = string.Join('\n', checks.Where(check => !check.Passed));
        Assert.True(failed.Length == 0, failed);
    }

    [Fact]
    public void A_damaged_expectation_is_reported()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-quants-").FullName;
        try
        {
            File.Copy(Fixtures.Path("gguf", "quants", "expect.json"), Path.Combine(folder, "expect.json"));
            byte[] data = File.ReadAllBytes(Fixtures.Path("gguf", "quants", "quants.safetensors"));
            data[^3] ^= 0x40;
            data[^70_000] ^= 0x40;
            File.WriteAllBytes(Path.Combine(folder, "quants.safetensors"), data);
            Assert.Contains(new QuantsArea().Run(folder, TestContext.Current.CancellationToken), check => !check.Passed);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
