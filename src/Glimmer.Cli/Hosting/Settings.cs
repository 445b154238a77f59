using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Hosting;

/// <summary>The chain of sources: <c>appsettings.json</c>, environment (<c>GLIMMER__…</c>), command line; the last one wins.</summary>
internal static class Settings
{
    /// <summary>Builds the configuration. Options that were not given are null and count for nothing.</summary>
    public static IConfiguration Read(params (string Key, string? Value)[] options) => new ConfigurationBuilder()
        .AddJsonFile(Path.GetFullPath("appsettings.json"), optional: true)
        .AddEnvironmentVariables()
        .AddInMemoryCollection(options.Where(option => option.Value is not null).Select(option => new KeyValuePair<string, string?>("Glimmer:" + option.Key, option.Value)))
        .Build();
}
