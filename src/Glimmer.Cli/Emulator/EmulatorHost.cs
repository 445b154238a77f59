using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Inference;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Inference.Script;
using Glimmer.Platform.Store;
using Glimmer.Server.Emulator;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Emulator;

/// <summary>Runs the platform with a scenario in place of a model.</summary>
internal static partial class EmulatorHost
{
    private const int Unmet = 1;

    /// <summary>Runs it until it is told to stop.</summary>
    /// <param name="emulator">How.</param>
    /// <returns>The exit code: 0, or 1 when a strict run did not go as its scenario expects.</returns>
    /// <exception cref="ScenarioException">The scenario cannot be used.</exception>
    /// <exception cref="GlimmerStartupException">The platform cannot start.</exception>
    public static async Task<int> RunAsync(EmulatorOptions emulator)
    {
        // :: Step 1: its clock and its data, opened beside everything that follows, as the bundled tokenizer is. A tokenizer that was named is opened before it listens.
        Lazy<ITokenizer> tokenizer = emulator.Tokenizer is { } vocabulary ? new Lazy<ITokenizer>(TokenizerFiles.Open(vocabulary)) : new Lazy<ITokenizer>(BundledTokenizer);
        Task warming = Task.Run(() => _ = tokenizer.Value);
        VirtualClock clock = emulator.Clock is { } at ? new VirtualClock(at) : new VirtualClock();
        using TemporaryFolder? folder = emulator.KeepsData ? null : TemporaryFolder.Make();
        GlimmerOptions options = folder is null ? emulator.Options : emulator.Options with { DataFolder = folder.Path, StoreDurability = StoreDurability.Off, StoreConnectionString = "" };
        GlimmerServices services = new() { Time = clock, FixedKey = emulator.Key };
        await using PlatformOpening opening = GlimmerServer.BeginOpening(options, services);

        // :: Step 2: what is played, its server.
        var warnings = new LateLog();
        await using RecordingFile? recordings = emulator.Record is { } record ? RecordingFile.Open(record, StartOf(emulator), warnings.Warn) : null;
        (DateTime, long)[] files = ScenarioWatch.Look(emulator.ScenarioPaths);
        Scenario scenario = emulator.ScenarioPaths.Count > 0 ? ScenarioReader.ReadFiles(emulator.ScenarioPaths) : recordings!.Scenario;
        ILoggerFactory? logs = null;
        using var live = new LateBackend(scenario.Models, () => emulator.Upstreams is { } set ? new LivePool(set, logs!) : RelayBackends.Create(emulator.Upstream!, TimeProvider.System, logs!));
        await using var vectors = new LateRelays(() => RelayBackends.CreateEmbeddings(emulator.Upstream!, TimeProvider.System, logs!));
        ScriptChatBackend backend = new(scenario, tokenizer, new ScriptOptions
        {
            Clock = clock,
            Pace = emulator.Delays switch { DelayMode.Real => TimeProvider.System, DelayMode.Virtual => clock.Waits, _ => null },
            Seed = emulator.Seed ?? 0,
            Strict = emulator.Strict,
            Live = recordings is null ? null : new RecordingChatBackend(live, recordings),
            LiveEmbeddings = recordings is null ? [] : [.. CodesOf(emulator, BackendModelKind.Embedding).Select(code => new RecordingEmbeddingBackend(
                new LateEmbeddings(code, cancel => emulator.Upstreams is null ? vectors.FindAsync(code) : ((LivePool)live.Opened).FindEmbeddingsAsync(code, cancel)), recordings))],
            Unmatched = warnings.Unmatched,
        });
        ChatBackendSlot slot = new();
        backend.Changed = () => Fill(slot, backend, emulator);
        Fill(slot, backend, emulator);
        services = services with { Seed = emulator.Seed ?? scenario.Seed, Emulation = new Emulation(backend, clock) };
        await using GlimmerServer server = GlimmerServer.Create(options, slot, services, opening);
        logs = server.Logs;
        warnings.Open(logs.CreateLogger("Glimmer.Emulator"));
        await server.StartAsync();

        // :: Step 3: say where, then wait.
        Tell(emulator, server);
        Banner.Write(Console.Out, server, options, $"the scenario {emulator.Title}: {string.Join(", ", scenario.Models)}", scenario.Models[0], standIn: false);
        TemporaryFolder.Sweep(TimeProvider.System.GetUtcNow());
        Task ended = server.WaitForShutdownAsync();
        using CancellationTokenSource stopping = new();
        Task watching = emulator.Watch ? ScenarioWatch.RunAsync(emulator.ScenarioPaths, files, backend, warnings.Read, warnings.Warn, stopping.Token) : Task.CompletedTask;
        if (await Task.WhenAny(warming, ended) == warming)
            await warming;
        await ended;
        await stopping.CancelAsync();
        await watching;
        if (!backend.IsStrict || backend.Judge() is not { } fault)
            return 0;
        await Console.Error.WriteAsync($"emulate: the run did not go as the scenario expects.\n{fault}");
        return Unmet;
    }

    private static void Fill(ChatBackendSlot slot, ScriptChatBackend backend, EmulatorOptions emulator)
    {
        slot.FillEmbeddings(backend.Embeddings);
        slot.Fill([backend], backend, $"{emulator.Title} is played.");
    }

    /// <summary>One line that programs read, and the file that they wait for.</summary>
    private static void Tell(EmulatorOptions emulator, GlimmerServer server)
    {
        string ready = JsonSerializer.Serialize(new Ready(server.Addresses[0].ToString().TrimEnd('/'), emulator.Key, Environment.ProcessId), ReadyJson.Default.Ready);
        Console.Out.WriteLine(ready);
        Console.Out.Flush();
        if (emulator.ReadyFile is not { } file)
            return;
        string draft = $"{file}.{Environment.ProcessId}.tmp";
        File.WriteAllText(draft, ready + "\n");
        File.Move(draft, file, overwrite: true);
    }

    /// <summary>The scenario of a file that is recorded from nothing.</summary>
    private static string StartOf(EmulatorOptions emulator) =>
        $"# Recorded answers. Rules may be written above them; they are tried first.\n{(CodesOf(emulator, BackendModelKind.Chat).ToArray() is { Length: > 0 } codes ? $"models: [{string.Join(", ", codes.Select(RecordingQuote))}]\n" : "")}";

    private static IEnumerable<string> CodesOf(EmulatorOptions emulator, BackendModelKind kind) =>
        (emulator.Upstreams?.Backends.SelectMany(static backend => backend.Models) ?? emulator.Upstream!.Models)
            .Where(model => model.Kind == kind).Select(static model => model.Code).Distinct(StringComparer.OrdinalIgnoreCase);

    private static string RecordingQuote(string code) => JsonSerializer.Serialize(code, ReadyJson.Default.String);

    /// <summary>Relays of embeddings, made with their first use.</summary>
    private sealed class LateRelays(Func<IReadOnlyList<RelayEmbeddingBackend>> make) : IAsyncDisposable
    {
        private readonly Lazy<IReadOnlyList<RelayEmbeddingBackend>> _relays = new(make);

        public ValueTask<IEmbeddingBackend?> FindAsync(string code) =>
            new(_relays.Value.FirstOrDefault(relay => string.Equals(relay.Model, code, StringComparison.OrdinalIgnoreCase)));

        public async ValueTask DisposeAsync()
        {
            foreach (RelayEmbeddingBackend relay in _relays.IsValueCreated ? _relays.Value : [])
                await relay.DisposeAsync();
        }
    }

    /// <summary>Reads the vocabulary of the bundled model, or of the one that the settings name; none of its weights.</summary>
    private static Tokenizer BundledTokenizer() => LocalModel.LoadTokenizer(EngineSettings.Read(Settings.Read()));

    /// <summary>Logs through the server's log once there is one.</summary>
    private sealed partial class LateLog
    {
        private ILogger? _log;

        public void Open(ILogger log) => _log = log;

        public void Warn(string warning)
        {
            if (_log is { } log)
                Warning(log, warning);
        }

        public void Read(string what)
        {
            if (_log is { } log)
                Changed(log, what);
        }

        public void Unmatched(string message)
        {
            if (_log is { } log)
                Unknown(log, message);
        }

        [LoggerMessage(2301, LogLevel.Warning, "{Warning}")]
        private static partial void Warning(ILogger log, string warning);

        [LoggerMessage(2303, LogLevel.Information, "{What}")]
        private static partial void Changed(ILogger log, string what);

        [LoggerMessage(2302, LogLevel.Error, "{Message}")]
        private static partial void Unknown(ILogger log, string message);
    }
}
