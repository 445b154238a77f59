using Glimmer.Load.Paced;

namespace Glimmer.Load;

/// <summary>
/// What the platform adds to the time of each token, beside a bare server on the same engine: paced answers through both, in turns.
/// </summary>
internal static class Latency
{
    /// <summary>Seconds of load until the code is compiled at its best.</summary>
    public static double Warm => double.TryParse(Environment.GetEnvironmentVariable("GLIMMER_LOAD_WARM"), System.Globalization.CultureInfo.InvariantCulture, out double asked) ? asked : 12;

    public static async Task RunAsync(int streams, int rounds, bool together)
    {
        await using ChildProcess host = ChildProcess.StartSelf("GLIMMER_LOAD_SERVER", "paced-host", together ? "together" : "apart");
        string[] platform = (await host.ReadLineAsync()).Split(' ');
        string[] bare = (await host.ReadLineAsync()).Split(' ');
        Target[] targets = [new("bare server", new Uri(bare[0]), "/v1/chat/completions", ""), Target.Glimmer("platform", new Uri(platform[0]), platform[1])];
        await CompareAsync(targets, streams, rounds, $"{streams} streams, tokens made {(together ? "at the same moment" : "spread over time")}");
    }

    /// <summary>Runs paced answers through all targets in turns and prints what each adds to the first.</summary>
    public static async Task CompareAsync(IReadOnlyList<Target> targets, int streams, int rounds, string title)
    {
        PacedReadings[] readings = [.. targets.Select(_ => new PacedReadings())];

        // Warm: it takes some ten thousand requests until all code is compiled at its best.
        foreach (Target target in targets)
        {
            await PacedProbe.RunAsync(target, streams, int.MaxValue, 20, 0, Warm);
            await PacedProbe.RunAsync(target, streams, 2, 50, 100);
        }

        (double Seconds, long Waits)[] costs = new (double, long)[targets.Count];
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < targets.Count; i++)
            {
                int process = targets[i].Process;
                (double seconds, long waits) = process == 0 ? default : (ProcessorUse.Of(process), ProcessorUse.Waits(process));
                readings[i].Add(await PacedProbe.RunAsync(targets[i], streams, 3, 60, 50));
                if (process != 0)
                    costs[i] = (costs[i].Seconds + ProcessorUse.Of(process) - seconds, costs[i].Waits + ProcessorUse.Waits(process) - waits);
            }
        }

        Console.WriteLine($"{title} ({readings[0].Token.Count} tokens each; ms)");
        for (int i = 0; i < targets.Count; i++)
        {
            PacedReadings mine = readings[i];
            Console.WriteLine($"  {targets[i].Name,-24} first {mine.First}   token {mine.Token}   last byte {mine.Last}");
            if (i > 0)
                Console.WriteLine($"  {"  added",-24} first {Difference(mine.First, readings[0].First)}   token {Difference(mine.Token, readings[0].Token)}   last byte {Difference(mine.Last, readings[0].Last)}");
            if (targets[i].Process != 0)
                Console.WriteLine($"  {"  cost of a token",-24} {costs[i].Seconds / mine.Token.Count * 1e6:0.0} µs of processor, {(double)costs[i].Waits / mine.Token.Count:0.00} waits of threads");
        }
    }

    private static string Difference(Percentiles mine, Percentiles floor) => $"p50 {mine.At(0.5) - floor.At(0.5),7:0.000}  p99 {mine.At(0.99) - floor.At(0.99),7:0.000}";
}
