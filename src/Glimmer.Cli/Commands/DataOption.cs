using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary>The <c>--data</c> option that several commands share.</summary>
internal static class DataOption
{
    /// <summary>Name of the environment variable that sets the folder.</summary>
    public const string Variable = "GLIMMER__DATAFOLDER";

    /// <summary>The option that names a PostgreSQL database.</summary>
    public static Option<string?> Store() => new("--store")
    {
        Description = "Npgsql connection string of the store, as Glimmer:Store:ConnectionString; SQLite in the data folder when neither is given.",
        Recursive = true,
    };

    public static Option<string> Create() => new("--data")
    {
        Description = $"Data folder: keys and settings. Default: ${Variable}, else ./data.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } set ? set : "data",
    };
}
