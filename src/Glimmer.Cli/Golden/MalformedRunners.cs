using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;

namespace Glimmer.Cli.Golden;

/// <summary>
/// What opens a file of each kind as the server would. A runner returns when the file is usable and throws what its parser throws
/// when it is not. A new kind of file is one line here.
/// </summary>
public static class MalformedRunners
{
    /// <summary>Runners by the name of the kind.</summary>
    public static IReadOnlyDictionary<string, Action<string>> All { get; } = new Dictionary<string, Action<string>>(StringComparer.Ordinal)
    {
        ["gguf"] = path => ModelPackage.Load(path).Dispose(),
        ["safetensors"] = path => SafetensorsFile.Open(path).Dispose(),
        ["safetensors-index"] = path => SafetensorsCheckpoint.OpenIndex(path).Dispose(),
        ["config.json"] = ModelLoader.CheckConfig,
        ["tokenizer.json"] = path => TokenizerFiles.Open(path),
        ["tokenizer.model"] = path => TokenizerFiles.OpenRanks(path, null),
    };

    /// <summary>Whether an exception is a parser's clear refusal of a file.</summary>
    public static bool IsRefusal(Exception fault) => fault is ModelFileException or TokenizerFileException;
}
