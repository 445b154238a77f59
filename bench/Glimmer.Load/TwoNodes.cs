using Glimmer.Testing;

namespace Glimmer.Load;

/// <summary>How much more two processes on one PostgreSQL carry than one. GLIMMER_LOAD_NODE1 and GLIMMER_LOAD_NODE2 hold prefixes that pin each to a core of its own.</summary>
internal static class TwoNodes
{
    private const string Scenario = """
        models: [glm-4.7]
        rules:
          - when: { last: words }
            reply: { text: "word ", repeat: 200 }
        fallback: Fine.
        """;

    public static async Task RunAsync(string program, int seconds, int rounds, int connections)
    {
        if (PostgresServer.Missing is { } missing)
            throw new InvalidOperationException(missing);
        string store = PostgresServer.Administration;
        string scenario = Path.Combine(Path.GetTempPath(), $"glimmer-nodes-{Environment.ProcessId}.yaml");
        await File.WriteAllTextAsync(scenario, Scenario);
        string first = Directory.CreateTempSubdirectory("glimmer-node-").FullName, second = Directory.CreateTempSubdirectory("glimmer-node-").FullName;
        try
        {
            await using ServerProcess one = await ServerProcess.EmulateAsync(program, scenario, first, "GLIMMER_LOAD_NODE1", ("GLIMMER__STORE__CONNECTIONSTRING", store));

            // Nodes of one store need the same sealing key.
            foreach (string file in Directory.GetFiles(first, "*.key"))
                File.Copy(file, Path.Combine(second, Path.GetFileName(file)));
            await using ServerProcess two = await ServerProcess.EmulateAsync(program, scenario, second, "GLIMMER_LOAD_NODE2", ("GLIMMER__STORE__CONNECTIONSTRING", store));
            Target[] targets = [Target.Glimmer("node 1", one.Address, one.Key), Target.Glimmer("node 2", two.Address, one.Key)];
            foreach (string question in (string[])["hello", "words"])
            {
                await Task.WhenAll(targets.Select(target => PlainLoad.RunAsync(target, question, connections, 15))); // warm
                List<double> alone = [], both = [];
                Percentiles aloneTimes = new(), bothTimes = new();
                for (int round = 0; round < rounds; round++)
                {
                    foreach (Target target in targets)
                    {
                        (Percentiles times, double rate) = await PlainLoad.RunAsync(target, question, connections, seconds);
                        alone.Add(rate);
                        aloneTimes.Add(times);
                    }

                    (Percentiles Times, double PerSecond)[] shared = await Task.WhenAll(targets.Select(target => PlainLoad.RunAsync(target, question, connections, seconds)));
                    both.Add(shared.Sum(part => part.PerSecond));
                    foreach ((Percentiles times, _) in shared)
                        bothTimes.Add(times);
                }

                Console.WriteLine($"\"{question}\", {connections} connections to each node");
                Console.WriteLine($"  one node   {Median.Of(alone),8:0} requests/s   {aloneTimes} ms");
                Console.WriteLine($"  two nodes  {Median.Of(both),8:0} requests/s   {bothTimes} ms   {Median.Of(both) / Median.Of(alone):0.00} times one");
            }
        }
        finally
        {
            File.Delete(scenario);
            Directory.Delete(first, recursive: true);
            Directory.Delete(second, recursive: true);
        }
    }
}
