using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using Glimmer.Cli.Evaluation;
using Glimmer.Cli.Hosting;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer bench</c>: speed of the engine, without a server; other scenarios by <c>--scenario</c>.</summary>
internal static partial class BenchCommand
{
    private sealed record Plan(BenchTest[] Tests, int Rounds, bool WarmUp, bool Json, bool Profile);

    public static Command Create()
    {
        Option<string?> model = ModelOption.Create();
        Option<int> threads = ModelOption.Threads();
        Option<string?> kv = ModelOption.KvCache();
        Option<int[]> prompt = Counts("--prompt", "-p", "Tokens of the prompt, several separated by commas; 0 leaves prefill out.", 512, 65536);
        Option<int[]> decode = Counts("--decode", "-n", "Tokens to generate, several separated by commas; 0 leaves decode out.", 64, 65536);
        Option<int[]> depth = Counts("--depth", "-d", "Tokens in the cache before the clock starts, several separated by commas.", 0, 1 << 20);
        Option<int> streams = Count("--streams", null, "Conversations at once while decoding.", 1, 1024);
        Option<int> rounds = Count("--rounds", "-r", "Rounds; the median counts.", 5, 1000);
        Option<int?> batch = new("--batch", "-b") { Description = "Prompt tokens per pass, as the setting Engine:PrefillTokens." };
        Option<bool> cold = new("--no-warmup") { Description = "Measure from the first pass on, while code is compiled and pages are touched." };
        Option<bool> json = new("--json") { Description = "Print JSON, as --output json." };
        Option<string> output = new("--output", "-o") { Description = "text or json.", DefaultValueFactory = _ => "text" };
        output.AcceptOnlyFromAmong("text", "json");
        Option<string[]> set = new("--set") { Description = "Any other setting, KEY=VALUE, e.g. Engine:Activations=int8 (docs/configuration.md).", AllowMultipleArgumentsPerToken = false };
        Option<bool> profile = new("--profile") { Description = "Also show where the time of one more round goes." };
        Option<bool> check = new("--check") { Description = "Check instead how long loading takes, memory against the plan, and that all numbers are finite." };
        Option<string> scenario = new("--scenario")
        {
            Description = "What to measure: throughput (prefill and decode), stall (gaps between tokens while a prompt of --prompt tokens arrives), prefix (first token of a new and of a known prompt), speculation (with and without guesses), predict (more cores and sockets, by arithmetic).",
            DefaultValueFactory = _ => "throughput",
        };
        scenario.AcceptOnlyFromAmong("throughput", "stall", "prefix", "speculation", "predict");
        Option<int> guesses = Count("--guesses", null, "Tokens guessed per pass in the scenario speculation.", 3, 15);
        Command command = new("bench", "Measure the engine's speed.") { model, threads, kv, prompt, decode, depth, streams, rounds, batch, cold, json, output, set, profile, check, scenario, guesses };
        command.SetAction(async (result, cancel) =>
        {
            try
            {
                EngineSettings settings = EngineSettings.Read(Settings.Read([
                    ("Model:Path", result.GetValue(model)),
                    ("Engine:PrefillTokens", result.GetValue(batch)?.ToString(CultureInfo.InvariantCulture)),
                    ("Engine:KvCache", result.GetValue(kv)),
                    .. (result.GetValue(set) ?? []).Select(ServeCommand.Pair)]));
                int count = result.GetValue(threads);
                if (count > 0)
                    settings = settings with { Engine = settings.Engine with { Threads = count } };
                bool asJson = result.GetValue(json) || result.GetValue(output) == "json";
                int first = result.GetValue(prompt)![0], more = result.GetValue(decode)![0];
                if (result.GetValue(check))
                    return LoadCheck.Run(settings, first, more, asJson);
                Sizes sizes = new(first, more, result.GetValue(streams), result.GetValue(rounds), result.GetValue(guesses), asJson);
                if (result.GetValue(scenario) is { } named and not "throughput")
                    return await RunScenarioAsync(named, settings, sizes, cancel);
                BenchTest[] tests =
                [
                    .. from d in result.GetValue(depth)! from n in result.GetValue(prompt)! where n > 0 select new BenchTest("prefill", n, 1, d),
                    .. from d in result.GetValue(depth)! from n in result.GetValue(decode)! where n > 0 select new BenchTest("decode", n, result.GetValue(streams), d),
                ];
                return await RunAsync(settings, new Plan(tests, result.GetValue(rounds), !result.GetValue(cold), asJson, result.GetValue(profile)), cancel);
            }
            catch (GlimmerStartupException fault)
            {
                await Console.Error.WriteLineAsync($"bench: {fault.Message}");
                return fault.ExitCode;
            }
        });
        return command;
    }

    private static Option<int> Count(string name, string? letter, string meaning, int start, int most)
    {
        Option<int> option = new(name, letter is null ? [] : [letter]) { Description = meaning, DefaultValueFactory = _ => start };
        option.Validators.Add(result =>
        {
            if (result.Checked<int>() is var value && (value < 1 || value > most))
                result.AddError($"{name} must be 1 to {most}.");
        });
        return option;
    }

    private static Option<int[]> Counts(string name, string letter, string meaning, int start, int most) => new(name, letter)
    {
        Description = meaning,
        DefaultValueFactory = _ => [start],
        CustomParser = result => Parse(result, name, most),
        Arity = ArgumentArity.ExactlyOne,
    };

    private static int[] Parse(ArgumentResult result, string name, int most)
    {
        List<int> values = [];
        foreach (string part in result.Tokens[0].Value.Split(','))
        {
            if (int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value <= most)
            {
                values.Add(value);
                continue;
            }

            result.AddError($"{name}: '{part}' is not a whole number from 0 to {most}.");
            return [];
        }

        return [.. values];
    }

    private static async Task<int> RunAsync(EngineSettings settings, Plan plan, CancellationToken cancel)
    {
        if (plan.Tests.Length == 0)
        {
            await Console.Error.WriteLineAsync("bench: there is nothing to measure; give --prompt or --decode a number above 0.");
            return 64;
        }

        using ModelPackage package = LocalModel.Load(settings);
        await package.Rearranged;
        bool deep = plan.Tests.Any(test => test.Depth > 0);
        // All conversations run at once. Without a depth every round computes everything anew; with one, the depth is computed once.
        EngineOptions options = settings.Engine with { PrefixCache = deep, MaxBatch = Math.Max(plan.Tests.Max(test => test.Streams), settings.Engine.MaxBatch) };
        using InferenceEngine engine = new(package.Model, options, package.Tokenizer);
        int most = plan.Tests.Max(test => test.Context);
        if (most > engine.ContextLength)
        {
            await Console.Error.WriteLineAsync($"bench: {most} tokens do not fit the context of {engine.ContextLength}; use a smaller --prompt, --decode or --depth.");
            return 64;
        }

        EngineBench bench = new(engine);
        List<BenchReading> readings = [];
        foreach (BenchTest test in plan.Tests)
        {
            if (plan.WarmUp)
                await bench.MeasureAsync(test with { Depth = 0 }, 0, cancel);
            List<double> samples = [];
            for (int round = 1; round <= plan.Rounds; round++)
                samples.Add(await bench.MeasureAsync(test, round, cancel));
            readings.Add(BenchReading.Of(test, samples));
        }

        if (plan.Json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { model = package.Code, architecture = package.Description.Architecture, threads = options.Threads, kernels = InstructionSets.Current.ToString(), readings }, JsonSerializerOptions.Web));
            return 0;
        }

        Console.WriteLine($"{package.Code} ({package.Description.Architecture}, {package.Description.Parameters / 1e6:0.#} M parameters), tokens per second, median of {plan.Rounds}");
        foreach (BenchReading reading in readings)
            Console.WriteLine($"  {reading.Name,-8} {reading.Tokens,6} tokens{(reading.Streams > 1 ? $" x {reading.Streams}" : ""),-6}{(reading.Depth > 0 ? $" after {reading.Depth}" : ""),-13} {reading.Median,10:0.0}   ({reading.Min:0.0} … {reading.Max:0.0})");
        if (plan.Profile)
        {
            foreach (BenchTest test in plan.Tests)
            {
                OperatorClock.Start();
                double speed = await bench.MeasureAsync(test, plan.Rounds + 1, cancel);
                PrintProfile(test.Name, test.Tokens * test.Streams, TimeSpan.FromSeconds(test.Tokens * test.Streams / speed));
            }
        }

        return 0;
    }

    private static void PrintProfile(string name, int tokens, TimeSpan whole)
    {
        IReadOnlyList<(string Name, TimeSpan Time, long Calls)> times = OperatorClock.Stop();
        Console.WriteLine($"{name}: {whole.TotalMilliseconds / tokens:0.000} ms per token");
        foreach ((string operation, TimeSpan time, long calls) in times)
            Console.WriteLine($"  {operation,-40} {time.TotalMilliseconds / tokens,10:0.0000} ms {time / whole,7:0.0 %} {calls,8} calls");
        TimeSpan rest = whole - times.Aggregate(TimeSpan.Zero, (sum, entry) => sum + entry.Time);
        Console.WriteLine($"  {"not in parallel operations",-40} {rest.TotalMilliseconds / tokens,10:0.0000} ms {rest / whole,7:0.0 %}");
    }
}
