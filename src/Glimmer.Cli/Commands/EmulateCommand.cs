using System.CommandLine;
using System.Globalization;
using Glimmer.Cli.Emulator;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Inference.Script;
using Glimmer.Server.Hosting;
using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer emulate</c>: the platform with a written scenario in place of a model.</summary>
internal static class EmulateCommand
{
    /// <summary>Variable that holds the key of the service that is recorded from.</summary>
    private const string BackendKeyVariable = "GLIMMER_BACKEND_KEY";

    private static readonly (string Word, BackendKind Kind)[] Kinds = [("openai", BackendKind.OpenAI), ("anthropic", BackendKind.Anthropic), ("zai", BackendKind.Zai)];

    public static Command Create()
    {
        Argument<string[]> scenario = new("SCENARIO") { Description = "YAML files: what to answer to which request (docs/script.md), one after the other. Not needed with --record.", Arity = ArgumentArity.ZeroOrMore };
        Option<int?> port = new("--port", "-p") { Description = "Port; 0 takes a free one. Default: 8080." };
        Option<string?> host = new("--host") { Description = "Address to listen on; * for all. Default: 127.0.0.1." };
        Option<bool> watch = new("--watch") { Description = "Play the scenario from its beginning again whenever one of its files changes." };
        Option<string?> data = new("--data") { Description = "Data folder that is kept. Default: one that is taken away at the end." };
        Option<string?> tokenizer = new("--tokenizer") { Description = "A tokenizer.json, a tokenizer.model, or their folder. Default: the bundled model's." };
        Option<bool> strict = new("--strict") { Description = "Refuse requests that no rule matches, also where there is a fallback; end with code 1 when there were any, or when a rule's expect does not hold." };
        Option<string?> seed = new("--seed") { Description = "Seed of ids, jitter and vectors: the same seed, scenario and requests give the same bytes (with --clock)." };
        Option<string?> clock = new("--clock") { Description = "Moment at which the platform's clock stands, such as 2026-01-01T00:00:00Z. Default: it runs." };
        Option<string> delays = new("--delays") { Description = "How delays pass: real, virtual (by the clock) or none.", DefaultValueFactory = _ => "real" };
        delays.AcceptOnlyFromAmong("real", "virtual", "none");
        Option<string?> key = new("--key") { Description = $"Credential ID.SECRET of the key. Default: {EmulatorOptions.WellKnownKey}." };
        Option<string?> ready = new("--ready-file") { Description = "File to write address and key to, as JSON, once it listens." };
        Option<string?> record = new("--record") { Description = "File to record answers of --backend or --backends to: a scenario that says them again." };
        Option<string?> backend = new("--backend") { Description = "Base address of the service to record from, such as https://api.z.ai/api/paas/v4." };
        Option<string?> backends = new("--backends") { Description = "File of backends to record from (docs/backends.md), in place of --backend." };
        Option<string?> kind = new("--backend-kind") { Description = "What it speaks: openai, anthropic or zai. Default: by its address." };
        kind.AcceptOnlyFromAmong([.. Kinds.Select(pair => pair.Word)]);
        Option<string?> backendKey = new("--backend-key") { Description = $"Its key. Default: the variable {BackendKeyVariable}." };
        Option<string[]> models = new("--model") { Description = "Model code to record, again for more. Default: glm-4.7." };
        Option<string[]> embeddings = new("--embedding-model") { Description = "Code of a model of embeddings to record, again for more. Reranking is recorded with them." };
        Command command = new("emulate", "Start the platform as a test double: a scenario answers, no model is loaded.")
        {
            scenario, watch, port, host, data, tokenizer, strict, seed, clock, delays, key, ready, record, backend, backends, kind, backendKey, models, embeddings,
        };
        command.SetAction(result => GuardAsync(() =>
        {
            IConfiguration configuration = Settings.Read(
                ("Listen:Port", result.GetValue(port)?.ToString(CultureInfo.InvariantCulture)),
                ("Listen:Host", result.GetValue(host)),
                ("DataFolder", result.GetValue(data)),

                // A test that ends does not wait for answers that nobody reads any more.
                ("Shutdown:DrainSeconds", Settings.Read()["Glimmer:Shutdown:DrainSeconds"] is null ? "0" : null));
            EmulatorOptions options = new(GlimmerSettings.Read(configuration))
            {
                ScenarioPaths = result.GetValue(scenario) ?? [],
                Watch = result.GetValue(watch),
                KeepsData = result.GetValue(data) is not null,
                Tokenizer = result.GetValue(tokenizer),
                Strict = result.GetValue(strict),
                Seed = Read<ulong>(result.GetValue(seed), "--seed", "a whole number from 0", text => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number) ? number : null),
                Clock = Read<DateTimeOffset>(result.GetValue(clock), "--clock", "a date and time such as 2026-01-01T00:00:00Z", text =>
                    DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset moment) && moment.Year is >= 1971 and <= 9000 ? moment : null),
                Delays = result.GetValue(delays) switch { "virtual" => DelayMode.Virtual, "none" => DelayMode.None, _ => DelayMode.Real },
                Key = result.GetValue(key) ?? EmulatorOptions.WellKnownKey,
                ReadyFile = result.GetValue(ready),
                Record = result.GetValue(record),
                Upstream = Upstream(result.GetValue(backend), result.GetValue(kind), result.GetValue(backendKey), result.GetValue(models), result.GetValue(embeddings)),
                Upstreams = Upstreams(result.GetValue(backends)),
            };
            if (options.ScenarioPaths.Count == 0 && options.Record is null)
                throw new GlimmerStartupException("Name a scenario, or record one: glimmer emulate SCENARIO.yaml, or glimmer emulate --record OUT.yaml --backend URL.", 64);
            if (options.Watch && options.ScenarioPaths.Count == 0)
                throw new GlimmerStartupException("--watch looks at the files of a scenario: name one.", 64);
            if (options.Upstreams is not null && (result.GetValue(backend) ?? result.GetValue(kind) ?? result.GetValue(backendKey) ?? result.GetValue(models)?.FirstOrDefault() ?? result.GetValue(embeddings)?.FirstOrDefault()) is not null)
                throw new GlimmerStartupException("--backends names a file that says all of its backends; leave out --backend, --backend-kind, --backend-key, --model and --embedding-model.", 64);
            if (options.Record is not null != (options.Upstream is not null || options.Upstreams is not null))
                throw new GlimmerStartupException("--record and --backend or --backends belong together: one names the file, the other the service that is asked.", 64);

            // Whoever knows the well-known key could ask the service on the recorder's account.
            if (options.Record is not null && result.GetValue(key) is null && options.Options.Host is not ("127.0.0.1" or "localhost" or "::1"))
                throw new GlimmerStartupException("Recording on an address that others reach needs a key of its own: --key ID.SECRET.", 64);
            return EmulatorHost.RunAsync(options);
        }));
        return command;
    }

    private static BackendDefinition? Upstream(string? address, string? kind, string? key, string[]? models, string[]? embeddings)
    {
        if (address is null)
            return null;
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https"))
            throw new GlimmerStartupException($"--backend is \"{address}\". Use an address such as https://api.z.ai/api/paas/v4.", 64);
        BackendKind speaks = kind is not null ? Array.Find(Kinds, pair => pair.Word == kind).Kind
            : url.AbsolutePath.Contains("anthropic", StringComparison.OrdinalIgnoreCase) || url.Host.Contains("anthropic", StringComparison.OrdinalIgnoreCase) ? BackendKind.Anthropic
            : url.AbsolutePath.Contains("/paas/", StringComparison.OrdinalIgnoreCase) ? BackendKind.Zai
            : BackendKind.OpenAI;
        if (speaks == BackendKind.Anthropic && embeddings is { Length: > 0 })
            throw new GlimmerStartupException("--embedding-model: a service of the kind anthropic makes no embeddings. Record them from another, with --backends for both.", 64);
        return new BackendDefinition
        {
            Name = "live",
            Kind = speaks,
            Url = url,
            ApiKey = key ?? Environment.GetEnvironmentVariable(BackendKeyVariable),
            Models =
            [
                .. (models is { Length: > 0 } ? models : ["glm-4.7"]).Select(static code => new BackendModel { Code = code }),
                .. (embeddings ?? []).Select(static code => new BackendModel { Code = code, Kind = BackendModelKind.Embedding }),
            ],
        };
    }

    private static BackendSet? Upstreams(string? path)
    {
        if (path is null)
            return null;
        try
        {
            return BackendFile.ReadFile(path);
        }
        catch (BackendFileException fault)
        {
            throw new GlimmerStartupException(fault.Message, 78, fault);
        }
    }

    private static T? Read<T>(string? text, string option, string legal, Func<string, T?> read)
        where T : struct => text is null ? null : read(text) ?? throw new GlimmerStartupException($"{option} is \"{text}\". Use {legal}.", 64);

    private static async Task<int> GuardAsync(Func<Task<int>> run)
    {
        try
        {
            return await run();
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
    }

    private static async Task<int> FailAsync(string message, int code)
    {
        await Console.Error.WriteLineAsync($"emulate: {message}");
        return code;
    }
}
