using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Output;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Server.Hosting;
using Glimmer.Testing;
using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Tests.Hosting;

public sealed class EngineSettingsTests
{
    [Fact]
    public void Values_are_read_whatever_their_case()
    {
        EngineSettings settings = Read(("Glimmer:Engine:Threads", "3"), ("Glimmer:Model:Quantise", "q4_k_m"), ("Glimmer:Engine:Activations", "int8"), ("Glimmer:Model:StandIn", "False"));
        Assert.Equal(3, settings.Engine.Threads);
        Assert.Equal(BlockFormat.Q4_K, settings.Quantise);
        Assert.Equal(ActivationMode.Int8, settings.Activations);
        Assert.False(settings.StandIn);
    }

    [Theory]
    [InlineData("Glimmer:Engine:Threads", "many", "1024")]
    [InlineData("Glimmer:Engine:Threads", "-1", "1024")]
    [InlineData("Glimmer:Model:Quantise", "q9", "Q4_K_M")]
    [InlineData("Glimmer:Model:Generation", "glm-99", "generation")]
    [InlineData("Glimmer:Engine:Activations", "1", "exact")]
    [InlineData("Glimmer:Model:Code", "a b", "letters")]
    public void A_wrong_value_is_named_with_a_legal_one(string key, string value, string legal)
    {
        GlimmerStartupException refusal = Assert.Throws<GlimmerStartupException>(() => Read((key, value)));
        Assert.Contains(key, refusal.Message, StringComparison.Ordinal);
        Assert.Contains(legal, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(78, refusal.ExitCode);
    }

    [Fact]
    public void An_unknown_name_is_refused_with_the_known_ones()
    {
        GlimmerStartupException refusal = Assert.Throws<GlimmerStartupException>(() => Read(("Glimmer:Engine:Treads", "3")));
        Assert.Contains("Glimmer:Engine:Threads", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("true", Repairs.All)]
    [InlineData(" False ", Repairs.None)]
    public void Repairs_of_the_output_can_be_switched_off(string value, Repairs expected)
    {
        Assert.Equal(expected, Read(("Glimmer:Output:Repairs", value)).Repairs);
        Assert.Equal(Repairs.All, Read().Repairs);
        Assert.Throws<GlimmerStartupException>(() => Read(("Glimmer:Output:Repairs", "some")));
        Assert.Throws<GlimmerStartupException>(() => Read(("Glimmer:Output:Repair", "true")));
    }

    [Fact]
    public void Every_setting_is_documented()
    {
        string page = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", "configuration.md"));
        foreach (string key in EngineSettings.All.Select(setting => setting.Key).Concat(GlimmerSettings.All.Select(setting => setting.Key)))
            Assert.Contains($"`{key}`", page, StringComparison.Ordinal);
    }

    private static EngineSettings Read(params (string Key, string Value)[] values) =>
        EngineSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))).Build());
}
