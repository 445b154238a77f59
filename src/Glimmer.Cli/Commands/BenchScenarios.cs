using System.Globalization;
using System.Text.Json;
using Glimmer.Cli.Benchmarks;
using Glimmer.Cli.Hosting;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Engine.Placement;

namespace Glimmer.Cli.Commands;

/// <summary>The scenarios of <c>glimmer bench</c> beside throughput.</summary>
internal static partial class BenchCommand
{
    private sealed record Sizes(int Prompt, int Decode, int Streams, int Rounds, int Guesses, bool Json);

    private static async Task<int> RunScenarioAsync(string scenario, EngineSettings settings, Sizes sizes, CancellationToken cancel)
    {
        if (scenario == "predict")
        {
            Console.Write(ScalingModel.Table(ScalingModel.ReferenceMachine, ScalingModel.ReferenceModels));
            return 0;
        }

        using ModelPackage package = LocalModel.Load(settings);
        await package.Rearranged;
        EngineOptions options = settings.Engine with { MaxBatch = Math.Max(sizes.Streams + 1, settings.Engine.MaxBatch) };
        if (scenario == "speculation")
            return await SpeculationAsync(package, options, sizes, cancel);
        using InferenceEngine engine = new(package.Model, options, package.Tokenizer);
        if (sizes.Prompt + 1 > engine.ContextLength)
        {
            await Console.Error.WriteLineAsync($"bench: {sizes.Prompt} tokens do not fit the context of {engine.ContextLength}; use a smaller --prompt.");
            return 64;
        }

        return scenario == "stall" ? await StallAsync(engine, sizes, cancel) : await PrefixAsync(engine, sizes, cancel);
    }

    private static async Task<int> StallAsync(InferenceEngine engine, Sizes sizes, CancellationToken cancel)
    {
        List<StallScenario.Reading> readings = [];
        for (int round = 0; round <= sizes.Rounds; round++)
            readings.Add(await StallScenario.MeasureAsync(engine, sizes.Streams, sizes.Prompt, round, cancel));
        readings.RemoveAt(0); // warmed up
        if (Printed(sizes, readings))
            return 0;
        Console.WriteLine($"{sizes.Streams} running answers while a prompt of {sizes.Prompt} tokens arrives; milliseconds between two tokens of an answer, median of {sizes.Rounds} rounds");
        double quiet = Of(reading => reading.QuietMedian), median = Of(reading => reading.Median), p99 = Of(reading => reading.P99);
        Console.WriteLine(Text($"  before it arrives   median {quiet:0.000}"));
        Console.WriteLine(Text($"  while it is read    median {median:0.000}   p99 {p99:0.000}   longest {Of(reading => reading.Max):0.000}"));
        Console.WriteLine(Text($"  p99 is {p99 / median:0.00} times the median of that time and {p99 / quiet:0.00} times the one before"));
        Console.WriteLine(Text($"  first token of the prompt after {Of(reading => reading.FirstToken):0} ms"));
        return 0;

        double Of(Func<StallScenario.Reading, double> value) => SpeculationScenario.Median([.. readings.Select(value)]);
    }

    private static async Task<int> PrefixAsync(InferenceEngine engine, Sizes sizes, CancellationToken cancel)
    {
        List<PrefixScenario.Reading> readings = [];
        for (int round = 0; round <= sizes.Rounds; round++)
            readings.Add(await PrefixScenario.MeasureAsync(engine, sizes.Prompt, round, cancel));
        readings.RemoveAt(0);
        if (Printed(sizes, readings))
            return 0;
        double cold = SpeculationScenario.Median([.. readings.Select(reading => reading.Cold)]), cached = SpeculationScenario.Median([.. readings.Select(reading => reading.Cached)]);
        Console.WriteLine(Text($"first token of a prompt of {sizes.Prompt} tokens, median of {sizes.Rounds}: new {cold:0.00} ms, with {readings[0].CachedTokens} tokens cached {cached:0.00} ms: {cold / cached:0.0} times shorter"));
        return 0;
    }

    private static async Task<int> SpeculationAsync(ModelPackage package, EngineOptions options, Sizes sizes, CancellationToken cancel)
    {
        options = options with { PrefixCache = false };
        using InferenceEngine without = new(package.Model, options with { SpeculativeTokens = 0 }, package.Tokenizer);
        using InferenceEngine with = new(package.Model, options with { SpeculativeTokens = sizes.Guesses }, package.Tokenizer);
        List<SpeculationScenario.Reading> readings = [];
        foreach (SpeculationScenario.Kind kind in SpeculationPrompts.For(package))
            readings.Add(await SpeculationScenario.MeasureAsync(without, with, kind, sizes.Decode, sizes.Streams, sizes.Rounds, cancel));
        if (Printed(sizes, readings))
            return readings.All(reading => reading.Same) ? 0 : 1;
        Console.WriteLine($"{package.Code}, {sizes.Decode} tokens x {sizes.Streams}, up to {sizes.Guesses} guesses a pass{(package.Model.Draft is null ? "" : ", with the model's draft layer")}; tokens per second, median of {sizes.Rounds} interleaved rounds");
        foreach (SpeculationScenario.Reading reading in readings)
        {
            Console.WriteLine(Text($"  {reading.Kind,-8} without {reading.Without,9:0.0}   with {reading.With,9:0.0}   x{reading.With / reading.Without:0.00}   {reading.Acceptance:0%} of guesses right, {reading.PerPass:0.00} tokens a pass   answers {(reading.Same ? "equal" : "DIFFER")}"));
        }

        return readings.All(reading => reading.Same) ? 0 : 1;
    }

    private static bool Printed<T>(Sizes sizes, List<T> readings)
    {
        if (sizes.Json)
            Console.WriteLine(JsonSerializer.Serialize(readings, JsonSerializerOptions.Web));
        return sizes.Json;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
