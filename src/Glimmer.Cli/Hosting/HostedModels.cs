using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Hosting;

/// <summary>Several models in one process, as settings and command line name them.</summary>
internal static class HostedModels
{
    private const int LongestCode = 64;

    /// <summary>Whether a model may answer under this code.</summary>
    public static bool IsCode(string text) =>
        text.Length is > 0 and <= LongestCode && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '-' or '_');

    /// <summary>What <c>--model</c>, given any number of times, means as settings: the first is the model, the rest are others.</summary>
    public static (string Key, string? Value)[] SettingsFor(string[] models)
    {
        if (models.Length == 0)
            return [];
        (string? code, string path) = Split(models[0]);
        return
        [
            ("Model:Path", path),
            ("Model:Code", code),
            ("Model:Others", models.Length > 1 ? string.Join(';', models.Skip(1)) : null),
        ];
    }

    /// <summary><c>CODE=PATH</c> as its two; a path that exists, or whose beginning is no code, is a path as it stands.</summary>
    public static (string? Code, string Path) Split(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && equals < text.Length - 1 && IsCode(text[..equals]) && !Path.Exists(text)
            ? (text[..equals], text[(equals + 1)..])
            : (null, text);
    }

    /// <summary>The models of a host. Their headers are read: a file that is missing or malformed stops the start.</summary>
    /// <exception cref="GlimmerStartupException">A model cannot be found, or two have the same code.</exception>
    public static IReadOnlyList<HostedModel> Read(EngineSettings settings) => LocalModel.Explain(() =>
    {
        LocalModel.RequireInstructionSet();
        List<HostedModel> models = [Of(settings.Code, settings.ModelPath, settings) with { Package = new PackageOptions { Generation = settings.Generation, Load = LocalModel.OptionsOf(settings) } }];
        foreach (string other in settings.Others)
        {
            (string? code, string path) = Split(other);
            models.Add(Of(code, path, settings));
        }

        if (models.GroupBy(model => model.Code, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new GlimmerStartupException($"Two models have the code {twice.Key}. Give each its own: --model CODE=PATH (Glimmer:Model:Others).", 78);
        return models;
    });

    /// <summary>Memory that the models may need together.</summary>
    public static long MemoryFor(EngineSettings settings) => settings.MemoryBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Loads the first model, so that the start fails where it cannot be used.</summary>
    /// <exception cref="GlimmerStartupException">It cannot be loaded.</exception>
    public static async Task LoadFirstAsync(ModelHost host)
    {
        string code = host.Statistics.Models[0].Code;
        if (await host.LoadAsync(code) is { } error)
            throw new GlimmerStartupException(host.Statistics.Models[0].LastError ?? error.Message, 66);
    }

    private static HostedModel Of(string? code, string? path, EngineSettings settings)
    {
        string found = LocalModel.PathOf(path);
        return new HostedModel(code ?? ModelPackage.FindCode(found), found)
        {
            Package = new PackageOptions { Load = LocalModel.OptionsOf(settings) },
            Engine = settings.Engine,
            Repairs = settings.Repairs,
        };
    }
}
