using System.CommandLine;

namespace Glimmer.Cli.Commands;

/// <summary>Options that every command which runs a model has.</summary>
internal static class ModelOption
{
    public static Option<string?> Create() => new("--model", "-m")
    {
        Description = "GGUF file, checkpoint folder, or the name of a pulled model. Default: $GLIMMER__MODEL__PATH, else the bundled model.",
    };

    public static Option<string?> KvCache() => new("--kv") { Description = "How keys and values are cached: auto (by the weights), f32, f16 or q8_0." };

    public static Option<int> Threads()
    {
        Option<int> threads = new("--threads", "-t") { Description = "Threads of the engine; 0 for one per physical core." };
        threads.Validators.Add(result =>
        {
            if (result.Checked<int>() is < 0 or > 1024)
                result.AddError("--threads must be 0 to 1024.");
        });
        return threads;
    }
}
