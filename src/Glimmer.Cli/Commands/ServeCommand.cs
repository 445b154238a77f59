using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Hosting;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Inference.Embeddings;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer serve</c>: the platform.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        Option<int?> port = new("--port", "-p") { Description = "Port; 0 takes a free one. Default: 8080." };
        Option<string?> host = new("--host") { Description = "Address to listen on; * for all. Default: 127.0.0.1." };
        Option<string?> data = new("--data") { Description = "Data folder: keys and settings. Default: ./data." };
        Option<string[]> model = new("--model", "-m")
        {
            Description = "GGUF file, checkpoint folder, or the name of a pulled model; CODE=PATH gives it a code. Several may be given: the first is loaded at once, the others when they are asked for. Default: the bundled model.",
            AllowMultipleArgumentsPerToken = false,
        };
        Option<long?> memory = new("--memory") { Description = "Bytes that all models may need together; models that nobody uses make room." };
        Option<int?> threads = new("--threads", "-t") { Description = "Threads of the engine; 0 for one per physical core." };
        Option<int?> context = new("--context", "-c") { Description = "Longest conversation in tokens; 0 for the model's." };
        Option<string?> quantise = new("--quantize") { Description = "Bring F32, F16 and BF16 weights to this format while loading, e.g. q8_0 or q4_k_m." };
        Option<string?> kv = ModelOption.KvCache();
        Option<bool> copy = new("--no-mmap") { Description = "Copy weights into memory while loading, so that files may be written to afterwards." };
        Option<string?> embeddings = new("--embeddings") { Description = "Model that makes embeddings: GGUF file, checkpoint folder or the name of a pulled model. Default: none are made." };
        Option<string?> backends = new("--backends") { Description = "YAML file of the engines and services that answer (docs/backends.md). Without --model no model is loaded here." };
        Option<string[]> set = new("--set") { Description = "Any other setting, KEY=VALUE, e.g. Log:Level=Warning (docs/configuration.md).", AllowMultipleArgumentsPerToken = false };
        Command command = new("serve", "Start the platform. Every setting can also come from appsettings.json or GLIMMER__… variables.") { port, host, data, model, memory, threads, context, quantise, kv, copy, set, embeddings, backends };
        command.SetAction(result => RunAsync(
            result.GetValue(set) ?? [],
            [
            ("Listen:Port", Text(result.GetValue(port))),
            ("Listen:Host", result.GetValue(host)),
            ("DataFolder", result.GetValue(data)),
            .. HostedModels.SettingsFor(result.GetValue(model) ?? []),
            ("Model:MemoryBytes", result.GetValue(memory)?.ToString(CultureInfo.InvariantCulture)),
            ("Model:Quantise", result.GetValue(quantise)),
            ("Embeddings:Path", result.GetValue(embeddings)),
            ("Backends:File", result.GetValue(backends)),
            ("Model:Mapped", result.GetValue(copy) ? "false" : null),
            ("Engine:Threads", Text(result.GetValue(threads))),
            ("Engine:Context", Text(result.GetValue(context))),
            ("Engine:KvCache", result.GetValue(kv)),
            ]));
        return command;
    }

    private static async Task<int> RunAsync(string[] set, (string Key, string? Value)[] options)
    {
        try
        {
            IConfiguration configuration = Settings.Read([.. options, .. set.Select(Pair)]);
            GlimmerOptions server = GlimmerSettings.Read(configuration);
            EngineSettings settings = EngineSettings.Read(configuration);
            if (server.BackendsFile.Length > 0)
                await PooledServer.RunAsync(server, settings);
            else if (settings.Others.Count > 0 || settings.MemoryBytes is not null)
                await ServeHostAsync(server, settings);
            else
                await ServeAsync(server, settings);
            return 0;
        }
        catch (GlimmerStartupException fault)
        {
            await Console.Error.WriteLineAsync($"serve: {fault.Message}");
            return fault.ExitCode;
        }
        catch (Exception fault) when (fault is InvalidDataException or FormatException)
        {
            await Console.Error.WriteLineAsync($"serve: appsettings.json cannot be read: {fault.Message}");
            return 78;
        }
    }

    private static async Task ServeAsync(GlimmerOptions options, EngineSettings settings)
    {
        // Weights are mapped while the server starts to listen: neither waits for the other.
        Task<ModelPackage> loading = Task.Run(() => LocalModel.Load(settings));
        ChatBackendSlot slot = new();
        GlimmerServer server;
        try
        {
            server = await GlimmerServer.CreateWhenReadyAsync(options, slot);
        }
        catch
        {
            await DropAsync(loading);
            throw;
        }

        await using (server)
        {
            try
            {
                await server.StartAsync();
            }
            catch
            {
                await DropAsync(loading);
                throw;
            }

            ModelPackage package = await loading;
            await using EmbeddedChatBackend backend = LocalModel.Start(package, settings, server.Logs.CreateLogger<InferenceEngine>());
            await using ModelFileWatch? watch = !settings.Mapped ? null : ModelFileWatch.Start(LocalModel.PathOf(settings.ModelPath), () => backend.StopAsync(TimeSpan.Zero), server.Logs);
            await using EmbeddedEmbeddingBackend? embeddings = LocalModel.StartEmbeddings(settings);
            slot.FillEmbeddings(embeddings is null ? [] : [embeddings]);
            slot.Fill([backend], settings.StandIn ? backend : null, $"{package.Code} is loaded.");
            Banner.Write(Console.Out, server, options, package, settings.StandIn);
            await server.WaitForShutdownAsync();
            await backend.StopAsync(TimeSpan.FromSeconds(1)); // answers have had the server's drain time by now
        }
    }

    private static async Task ServeHostAsync(GlimmerOptions options, EngineSettings settings)
    {
        IReadOnlyList<HostedModel> models = HostedModels.Read(settings);
        ChatBackendSlot slot = new();
        await using GlimmerServer server = await GlimmerServer.CreateWhenReadyAsync(options, slot);
        await server.StartAsync();
        await using ModelHost host = new(models, new ModelHostOptions { MemoryBytes = HostedModels.MemoryFor(settings) }, server.Logs);
        ModelHostMetrics.Publish(host, server.Meter);
        await HostedModels.LoadFirstAsync(host);
        await using EmbeddedEmbeddingBackend? embeddings = LocalModel.StartEmbeddings(settings);
        slot.FillEmbeddings(embeddings is null ? [] : [embeddings]);
        string codes = string.Join(", ", models.Select(model => model.Code));
        slot.Fill(host.Backends, settings.StandIn ? host.Backends[0] : null, $"{models[0].Code} is loaded.");
        Banner.Write(Console.Out, server, options, codes, models[0].Code, settings.StandIn);
        await server.WaitForShutdownAsync();
        await host.StopAsync(TimeSpan.FromSeconds(1)); // answers have had the server's drain time by now
    }

    // The start has failed for another reason; that one is told, and the model is closed again if it came to be.
    private static async Task DropAsync(Task<ModelPackage> loading)
    {
        await loading.ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        if (loading.IsCompletedSuccessfully)
            (await loading).Dispose();
    }

    internal static (string Key, string? Value) Pair(string text)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
            throw new GlimmerStartupException($"--set {text}: not a setting. Use KEY=VALUE, for example --set Log:Level=Warning.", 64);
        string key = text[..equals].Replace("__", ":", StringComparison.Ordinal);
        return (key.StartsWith("Glimmer:", StringComparison.OrdinalIgnoreCase) ? key["Glimmer:".Length..] : key, text[(equals + 1)..]);
    }

    private static string? Text(int? number) => number?.ToString(CultureInfo.InvariantCulture);
}
