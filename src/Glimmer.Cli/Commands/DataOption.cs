using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary>The <c>--data</c> option that several commands share.</summary>
internal static class DataOption
{
    /// <summary>Name of the environment variable that sets the folder.</summary>
    public const string Variable = "GLIMMER__DATAFOLDER";

    public static Option<string> Create() => new("--data")
    {
        Description = $"Data folder: keys and settings. Default: ${Variable}, else ./data.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set ? set : "data",
    };
}
