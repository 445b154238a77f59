using Glimmer.Cli.Hosting;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Server.Hosting;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.Hosting;

public sealed class HostedModelsTests
{
    [Theory]
    [InlineData("model.gguf", null, "model.gguf")]
    [InlineData("small=model.gguf", "small", "model.gguf")]
    [InlineData("glm-4.7=/m/a=b.gguf", "glm-4.7", "/m/a=b.gguf")]
    [InlineData("/m/a=b.gguf", null, "/m/a=b.gguf")]
    [InlineData("=model.gguf", null, "=model.gguf")]
    [InlineData("small=", null, "small=")]
    [InlineData("zai-org/GLM-4.7-Flash:Q4_K_M", null, "zai-org/GLM-4.7-Flash:Q4_K_M")]
    public void A_model_is_a_path_or_a_code_and_a_path(string text, string? code, string path) =>
        Assert.Equal((code, path), HostedModels.Split(text));

    [Fact]
    public void The_first_model_is_the_model_and_the_rest_are_others()
    {
        Assert.Empty(HostedModels.SettingsFor([]));
        Assert.Equal([("Model:Path", "a"), ("Model:Code", null), ("Model:Others", null)], HostedModels.SettingsFor(["a"]));
        Assert.Equal([("Model:Path", "a"), ("Model:Code", "x"), ("Model:Others", "y=b;c")], HostedModels.SettingsFor(["x=a", "y=b", "c"]));
    }

    [Fact]
    public void Models_without_a_code_have_the_name_in_their_file()
    {
        EngineSettings settings = new() { Others = [$"other={Fixtures.BundledModel}"] };
        IReadOnlyList<HostedModel> models = HostedModels.Read(settings);
        Assert.Equal(["glimmer-tiny", "other"], models.Select(model => model.Code));
        Assert.All(models, model => Assert.Equal(Path.GetFileName(Fixtures.BundledModel), Path.GetFileName(model.Path)));
    }

    [Fact]
    public void Two_models_of_one_code_and_a_missing_one_stop_the_start()
    {
        GlimmerStartupException twice = Assert.Throws<GlimmerStartupException>(() => HostedModels.Read(new EngineSettings { Others = [Fixtures.BundledModel] }));
        Assert.Equal(78, twice.ExitCode);
        Assert.Contains("glimmer-tiny", twice.Message, StringComparison.Ordinal);
        GlimmerStartupException missing = Assert.Throws<GlimmerStartupException>(() => HostedModels.Read(new EngineSettings { Others = ["x=no-such.gguf"] }));
        Assert.Equal(66, missing.ExitCode);
        Assert.Contains("no-such.gguf", missing.Message, StringComparison.Ordinal);
    }
}
