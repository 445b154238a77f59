using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Output;
using Glimmer.Server.Hosting;
using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Tests.Hosting;

public sealed class EngineSettingsTests
{
    [Theory]
    [InlineData(null, Repairs.All)]
    [InlineData("true", Repairs.All)]
    [InlineData(" False ", Repairs.None)]
    public void Repairs_of_the_output_can_be_switched_off(string? value, Repairs expected) =>
        Assert.Equal(expected, EngineSettings.Read(Of("Output:Repairs", value)).Repairs);

    [Theory]
    [InlineData("Output:Repairs", "some", "Glimmer:Output:Repairs", "true or false")]
    [InlineData("Output:Repair", "true", "Glimmer:Output:Repair ", "Glimmer:Output:Repairs")]
    [InlineData("Engine:Threads", "-1", "Glimmer:Engine:Threads", "1024")]
    public void A_wrong_setting_is_named_with_a_legal_one(string key, string value, string named, string legal)
    {
        GlimmerStartupException fault = Assert.Throws<GlimmerStartupException>(() => EngineSettings.Read(Of(key, value)));

        Assert.Equal(78, fault.ExitCode);
        Assert.Contains(named, fault.Message, StringComparison.Ordinal);
        Assert.Contains(legal, fault.Message, StringComparison.Ordinal);
    }

    private static IConfiguration Of(string key, string? value) =>
        new ConfigurationBuilder().AddInMemoryCollection([KeyValuePair.Create($"Glimmer:{key}", value)]).Build();
}
