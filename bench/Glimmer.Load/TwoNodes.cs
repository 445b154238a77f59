using System.Diagnostics;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Load;

/// <summary>
/// How much more two processes on one PostgreSQL carry than one, for kinds of load, with the processor time of everybody beside it, so that it can be seen who was busy all the time. GLIMMER_LOAD_NODE1 and
/// GLIMMER_LOAD_NODE2 hold prefixes that pin each to a core of its own; callers and database run where this process does.
/// </summary>
internal sealed class TwoNodes
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { last: agent }
            reply: { text: "word ", repeat: 60 }
        fallback: Fine.
        """;

    private static readonly string[] _kinds = ["answers", "agents", "model"];
    private readonly ServerProcess[] _nodes;
    private readonly Target[] _targets;

    private TwoNodes(ServerProcess one, ServerProcess two)
    {
        _nodes = [one, two];
        _targets = [Target.Glimmer("node 1", one.Address, one.Key), Target.Glimmer("node 2", two.Address, one.Key)];
    }

    /// <summary>Measures and prints.</summary>
    /// <param name="program">A glimmer.dll.</param>
    /// <param name="seconds">Time of each part.</param>
    /// <param name="rounds">Turns.</param>
    /// <param name="connections">Connections to each node; an eighth of them for the model.</param>
    /// <param name="kinds">Which loads: answers, agents, model; all when empty.</param>
    public static async Task RunAsync(string program, int seconds, int rounds, int connections, IReadOnlyList<string> kinds)
    {
        if (PostgresServer.Missing is { } missing)
            throw new InvalidOperationException(missing);
        string scenario = Path.Combine(Path.GetTempPath(), $"glimmer-nodes-{Environment.ProcessId}.yaml");
        await File.WriteAllTextAsync(scenario, Scenario);
        try
        {
            string[] wanted = [.. _kinds.Where(kind => kinds.Count == 0 || kinds.Contains(kind, StringComparer.Ordinal))];
            string[] scripted = [.. wanted.Where(kind => kind != "model")];
            if (scripted.Length > 0)
            {
                await WithNodesAsync((data, prefix, store) => ServerProcess.EmulateAsync(program, scenario, data, prefix, store), async nodes =>
                {
                    foreach (string kind in scripted)
                        await nodes.CompareAsync(kind, connections, seconds, rounds);
                });
            }

            if (wanted.Contains("model"))
            {
                await WithNodesAsync(
                    (data, prefix, store) => ServerProcess.StartAsync(program, ["--threads", "1", "--set", "Log:Level=Warning"], data, prefix, store),
                    nodes => nodes.CompareAsync("model", Math.Max(1, connections / 8), seconds, rounds));
            }
        }
        finally
        {
            File.Delete(scenario);
        }
    }

    /// <summary>Two nodes on a schema of their own.</summary>
    private static async Task WithNodesAsync(Func<string, string, (string, string), Task<ServerProcess>> start, Func<TwoNodes, Task> measure)
    {
        (string, string) store = ("GLIMMER__STORE__CONNECTIONSTRING", PostgresServer.ConnectionString(out string schema));
        await using (NpgsqlConnection connection = new(PostgresServer.Administration))
        {
            await connection.OpenAsync();
            await using NpgsqlCommand make = new($"CREATE SCHEMA {schema}", connection);
            await make.ExecuteNonQueryAsync();
        }

        string first = Directory.CreateTempSubdirectory("glimmer-node-").FullName, second = Directory.CreateTempSubdirectory("glimmer-node-").FullName;
        try
        {
            await using ServerProcess one = await start(first, "GLIMMER_LOAD_NODE1", store);

            // Nodes of one store need the same sealing key.
            foreach (string file in Directory.GetFiles(first, "*.key"))
                File.Copy(file, Path.Combine(second, Path.GetFileName(file)));
            await using ServerProcess two = await start(second, "GLIMMER_LOAD_NODE2", store);
            await measure(new TwoNodes(one, two));
        }
        finally
        {
            Directory.Delete(first, recursive: true);
            Directory.Delete(second, recursive: true);
        }
    }

    private async Task CompareAsync(string kind, int connections, int seconds, int rounds)
    {
        byte[][] requests = [.. _targets.Select(target => RequestOf(target, kind))];
        await RunAsync([0, 1], requests, connections, Latency.Warm);
        Readings alone = new(), both = new();
        for (int round = 0; round < rounds; round++)
        {
            foreach (int node in (int[])[0, 1])
                alone.Add(await RunAsync([node], requests, connections, seconds));
            both.Add(await RunAsync([0, 1], requests, connections, seconds));
        }

        Console.WriteLine($"{kind}, requests of {requests[0].Length / 1024.0:0.0} KiB, {connections} connections to each node");
        Console.WriteLine($"  one node   {alone}");
        Console.WriteLine($"  two nodes  {both}   {Median.Of(both.Rates) / Median.Of(alone.Rates):0.00} times one");
    }

    private static byte[] RequestOf(Target target, string kind) => kind switch
    {
        "agents" => target.Request(AgentRequest.Body("agent, go on")),
        "model" => target.Request("""{"model":"glm-4.7","temperature":0,"max_tokens":32,"messages":[{"role":"user","content":"Tell me a story about a river."}]}"""),
        _ => target.Request("hello", stream: false),
    };

    private async Task<Reading> RunAsync(int[] nodes, byte[][] requests, int connections, double seconds)
    {
        Uses before = Uses.Now(_nodes);
        (Percentiles Times, double PerSecond)[] parts = await Task.WhenAll(nodes.Select(node => PlainLoad.RunAsync(_targets[node], requests[node], connections, seconds)));
        return new Reading([.. parts.Select(part => part.Times)], parts.Sum(part => part.PerSecond), Uses.Now(_nodes).Since(before));
    }

    /// <summary>Processor seconds of everybody, and the time.</summary>
    private readonly record struct Uses(double Nodes, double Callers, double Database, double Time)
    {
        public static Uses Now(ServerProcess[] nodes) => new(
            nodes.Sum(node => ProcessorUse.Of(node.Id)), ProcessorUse.Of(Environment.ProcessId), ProcessorUse.OfDescendants("postgres"), Stopwatch.GetTimestamp() / (double)Stopwatch.Frequency);

        public Uses Since(Uses before) => new(Nodes - before.Nodes, Callers - before.Callers, Database - before.Database, Time - before.Time);

        public Uses And(Uses other) => new(Nodes + other.Nodes, Callers + other.Callers, Database + other.Database, Time + other.Time);
    }

    private readonly record struct Reading(Percentiles[] Times, double PerSecond, Uses Used);

    private sealed class Readings
    {
        private readonly Percentiles _times = new();
        private Uses _used;

        public List<double> Rates { get; } = [];

        public void Add(Reading reading)
        {
            foreach (Percentiles times in reading.Times)
                _times.Add(times);
            Rates.Add(reading.PerSecond);
            _used = _used.And(reading.Used);
        }

        public override string ToString() =>
            $"{Median.Of(Rates),8:0} requests/s   {_times} ms   cores: nodes {_used.Nodes / _used.Time:0.00}, callers {_used.Callers / _used.Time:0.00}, PostgreSQL {_used.Database / _used.Time:0.00}"
            + $"   a request: nodes {_used.Nodes / _times.Count * 1e6:0} µs, PostgreSQL {_used.Database / _times.Count * 1e6:0.0} µs";
    }
}
