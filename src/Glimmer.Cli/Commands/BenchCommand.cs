using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer bench</c>: prefill and decode tokens per second of the engine, without a server.</summary>
internal static class BenchCommand
{
    private sealed record Reading(string Name, int Tokens, int Streams, double Median, double Min, double Max, int Rounds);

    public static Command Create()
    {
        Option<string?> model = ModelOption.Create();
        Option<int> threads = ModelOption.Threads();
        Option<int> prompt = Count("--prompt", "Tokens of the prompt.", 512, 65536);
        Option<int> decode = Count("--decode", "Tokens to generate.", 64, 65536);
        Option<int> streams = Count("--streams", "Conversations at once while decoding.", 1, 1024);
        Option<int> rounds = Count("--rounds", "Rounds; the median counts.", 5, 1000);
        Option<bool> json = new("--json") { Description = "Print JSON." };
        Option<bool> check = new("--check") { Description = "Check instead how long loading takes, memory against the plan, and that all numbers are finite." };
        Command command = new("bench", "Measure prefill and decode speed.") { model, threads, prompt, decode, streams, rounds, json, check };
        command.SetAction(async (result, cancel) =>
        {
            try
            {
                EngineSettings settings = EngineSettings.Read(Settings.Read(("Model:Path", result.GetValue(model))));
                int count = result.GetValue(threads);
                if (count > 0)
                    settings = settings with { Engine = settings.Engine with { Threads = count } };
                if (result.GetValue(check))
                    return LoadCheck.Run(settings, result.GetValue(prompt), result.GetValue(decode), result.GetValue(json));
                return await RunAsync(settings, result.GetValue(prompt), result.GetValue(decode), result.GetValue(streams), result.GetValue(rounds), result.GetValue(json), cancel);
            }
            catch (GlimmerStartupException fault)
            {
                await Console.Error.WriteLineAsync($"bench: {fault.Message}");
                return fault.ExitCode;
            }
        });
        return command;
    }

    private static Option<int> Count(string name, string meaning, int start, int most)
    {
        Option<int> option = new(name) { Description = meaning, DefaultValueFactory = _ => start };
        option.Validators.Add(result =>
        {
            if (result.Checked<int>() is var value && (value < 1 || value > most))
                result.AddError($"{name} must be 1 to {most}.");
        });
        return option;
    }

    private static async Task<int> RunAsync(EngineSettings settings, int prompt, int decode, int streams, int rounds, bool json, CancellationToken cancel)
    {
        using ModelPackage package = LocalModel.Load(settings);
        // Every round computes everything anew, and all conversations run at once.
        EngineOptions options = settings.Engine with { PrefixCache = false, MaxBatch = Math.Max(streams, settings.Engine.MaxBatch) };
        using InferenceEngine engine = new(package.Model, options, package.Tokenizer);
        if (Math.Max(prompt + 1, decode + 1) > engine.ContextLength)
        {
            await Console.Error.WriteLineAsync($"bench: {Math.Max(prompt, decode)} tokens do not fit the context of {engine.ContextLength}; use a smaller --prompt or --decode.");
            return 64;
        }

        await MeasureAsync(engine, prompt, 1, 1, 0, cancel); // code is compiled, pages are touched
        await MeasureAsync(engine, 1, decode, streams, 0, cancel);
        List<double> prefills = [], decodes = [];
        for (int round = 1; round <= rounds; round++)
        {
            prefills.Add(prompt / (await MeasureAsync(engine, prompt, 1, 1, round, cancel)).Prefill.TotalSeconds);
            decodes.Add(decode * streams / (await MeasureAsync(engine, 1, decode + 1, streams, round, cancel)).Decode.TotalSeconds);
        }

        Reading[] readings = [Read("prefill", prompt, 1, prefills), Read("decode", decode, streams, decodes)];
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { model = package.Code, architecture = package.Description.Architecture, threads = options.Threads, kernels = InstructionSets.Current.ToString(), readings }, JsonSerializerOptions.Web));
            return 0;
        }

        Console.WriteLine($"{package.Code} ({package.Description.Architecture}, {package.Description.Parameters / 1e6:0.#} M parameters), tokens per second, median of {rounds}");
        foreach (Reading reading in readings)
            Console.WriteLine($"  {reading.Name,-8} {reading.Tokens,6} tokens{(reading.Streams > 1 ? $" x {reading.Streams}" : ""),-6} {reading.Median,10:0.0}   ({reading.Min:0.0} … {reading.Max:0.0})");
        return 0;
    }

    private static async Task<(TimeSpan Prefill, TimeSpan Decode)> MeasureAsync(InferenceEngine engine, int prompt, int tokens, int streams, int round, CancellationToken cancel)
    {
        Random random = new(round * 7919 + prompt);
        Clock[] clocks = [.. Enumerable.Range(0, streams).Select(_ => new Clock())];
        long start = Stopwatch.GetTimestamp();
        foreach (Clock clock in clocks)
        {
            GenerationRequest request = new()
            {
                Prompt = [.. Enumerable.Range(0, prompt).Select(_ => random.Next(1, Math.Min(engine.VocabularySize, 1000)))],
                Sampling = new SamplingOptions { Greedy = true },
                MaxTokens = tokens,
                StopTokens = new HashSet<int>(),
                Sink = clock,
            };
            SubmissionOutcome outcome = engine.Submit(request, cancel, out _);
            if (outcome != SubmissionOutcome.Accepted)
                throw new InvalidOperationException($"The engine refused the request: {outcome}.");
        }

        await Task.WhenAll(clocks.Select(clock => clock.Done));
        long first = clocks.Max(clock => clock.First), last = clocks.Max(clock => clock.Last);
        return (Stopwatch.GetElapsedTime(start, first), Stopwatch.GetElapsedTime(first, last));
    }

    private static Reading Read(string name, int tokens, int streams, List<double> values)
    {
        values.Sort();
        double median = values.Count % 2 == 1 ? values[values.Count / 2] : (values[values.Count / 2 - 1] + values[values.Count / 2]) / 2;
        return new Reading(name, tokens, streams, Math.Round(median, 1), Math.Round(values[0], 1), Math.Round(values[^1], 1), values.Count);
    }

    private sealed class Clock : ITokenSink
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long First { get; private set; }

        public long Last { get; private set; }

        public Task Done => _done.Task;

        public void OnPrefilled(int promptTokens, int cachedTokens)
        {
        }

        public bool OnToken(int token)
        {
            Last = Stopwatch.GetTimestamp();
            if (First == 0)
                First = Last;
            return true;
        }

        public void OnEnded(GenerationEnd end, GenerationUsage usage)
        {
            if (end is GenerationEnd.MaxTokens or GenerationEnd.ContextFull)
                _done.TrySetResult();
            else if (end == GenerationEnd.Cancelled)
                _done.TrySetCanceled();
            else
                _done.TrySetException(new InvalidOperationException($"The engine ended with {end}."));
        }
    }
}
