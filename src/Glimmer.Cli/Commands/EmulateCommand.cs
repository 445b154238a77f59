using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Script;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer emulate</c>: the platform with a written scenario in place of a model.</summary>
internal static class EmulateCommand
{
    public static Command Create()
    {
        Argument<string> scenario = new("SCENARIO") { Description = "YAML file: what to answer to which request (docs/script.md)." };
        Option<int?> port = new("--port", "-p") { Description = "Port; 0 takes a free one. Default: 8080." };
        Option<string?> host = new("--host") { Description = "Address to listen on; * for all. Default: 127.0.0.1." };
        Option<string?> data = new("--data") { Description = "Data folder: keys and settings. Default: ./data." };
        Option<string?> tokenizer = new("--tokenizer") { Description = "A tokenizer.json, a tokenizer.model, or their folder. Default: the bundled model's." };
        Command command = new("emulate", "Start the platform as a test double: a scenario answers, no model is loaded.") { scenario, port, host, data, tokenizer };
        command.SetAction(async result =>
        {
            try
            {
                IConfiguration configuration = Settings.Read(
                    ("Listen:Port", result.GetValue(port)?.ToString(CultureInfo.InvariantCulture)),
                    ("Listen:Host", result.GetValue(host)),
                    ("DataFolder", result.GetValue(data)));
                await RunAsync(GlimmerSettings.Read(configuration), result.GetValue(scenario)!, result.GetValue(tokenizer));
                return 0;
            }
            catch (ScenarioException fault)
            {
                return await FailAsync(fault.Message, 65);
            }
            catch (GlimmerStartupException fault)
            {
                return await FailAsync(fault.Message, fault.ExitCode);
            }
            catch (Exception fault) when (fault is TokenizerFileException or IOException or UnauthorizedAccessException)
            {
                return await FailAsync(fault.Message, 66);
            }
        });
        return command;
    }

    private static async Task RunAsync(GlimmerOptions options, string path, string? vocabulary)
    {
        Scenario scenario = ScenarioReader.ReadFile(path);
        using ModelPackage? package = vocabulary is null ? LocalModel.LoadForText(EngineSettings.Read(Settings.Read())) : null;
        ScriptChatBackend backend = new(scenario, package?.Tokenizer ?? TokenizerFiles.Open(vocabulary!), TimeProvider.System);
        ChatBackendSlot slot = new();
        slot.Fill([backend], backend, $"{path} is played.");
        await using GlimmerServer server = GlimmerServer.Create(options, slot);
        await server.StartAsync();
        Banner.Write(Console.Out, server, options, $"the scenario {path}: {string.Join(", ", scenario.Models)}", scenario.Models[0], standIn: false);
        await server.WaitForShutdownAsync();
    }

    private static async Task<int> FailAsync(string message, int code)
    {
        await Console.Error.WriteLineAsync($"emulate: {message}");
        return code;
    }
}
