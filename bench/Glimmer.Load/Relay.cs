using System.Globalization;

namespace Glimmer.Load;

/// <summary>Gateways in front of one and the same service, in turns: what each adds to the time of a token, and how many whole answers it passes on.</summary>
internal static class Relay
{
    /// <summary>Measures and prints.</summary>
    /// <param name="program">A glimmer.dll.</param>
    /// <param name="beside">What to measure beside it: another glimmer.dll, the start script of the npm package @portkey-ai/gateway.</param>
    /// <param name="paces">How tokens are made: apart, together, or both.</param>
    /// <param name="streams">Streams at a time.</param>
    /// <param name="rounds">Turns.</param>
    public static async Task RunAsync(string program, IReadOnlyList<string> beside, IReadOnlyList<string> paces, int streams, int rounds)
    {
        string? other = beside.FirstOrDefault(path => path.EndsWith(".js", StringComparison.Ordinal));
        foreach (bool together in paces.Select(pace => pace == "together"))
        {
            await using ChildProcess upstream = ChildProcess.StartSelf("GLIMMER_LOAD_UPSTREAM", "paced-upstream", together ? "together" : "apart");
            Uri service = new((await upstream.ReadLineAsync()).Split(' ')[0]);
            string file = Path.Combine(Path.GetTempPath(), $"glimmer-backends-{Environment.ProcessId}.yaml");
            await File.WriteAllTextAsync(file, Backends([service], "openai", "affinity"));
            await using ServerProcess server = await ServerProcess.FrontAsync(program, file);
            await using ChildProcess? gateway = other is null ? null : await StartOtherAsync(other);
            List<Target> targets = [new("service itself", service, "/v1/chat/completions", ""), Target.Glimmer("Glimmer", server.Address, server.Key) with { Process = server.Id }];
            List<ServerProcess> builds = [];
            foreach (string build in beside.Where(path => path.EndsWith(".dll", StringComparison.Ordinal)))
            {
                builds.Add(await ServerProcess.FrontAsync(Path.GetFullPath(build), file));
                targets.Add(Target.Glimmer(Path.GetFileName(Path.GetDirectoryName(Path.GetFullPath(build)))!, builds[^1].Address, builds[^1].Key) with { Process = builds[^1].Id });
            }

            if (gateway is not null)
                targets.Add(Other(service));
            await Latency.CompareAsync(targets, streams, rounds, $"{streams} streams, tokens made {(together ? "at the same moment" : "spread over time")}");
            if (!together)
                await WholeAsync(targets, rounds);
            foreach (ServerProcess build in builds)
                await build.DisposeAsync();
            File.Delete(file);
        }
    }

    /// <summary>A file of backends that all answer for glm-4.7.</summary>
    public static string Backends(IReadOnlyList<Uri> addresses, string kind, string policy, IReadOnlyList<string>? keys = null)
    {
        IEnumerable<string> entries = addresses.Select((address, i) => string.Create(
            CultureInfo.InvariantCulture,
            $"  - name: backend-{i}\n    kind: {kind}\n    url: {new Uri(address, kind == "zai" ? "/api/paas/v4" : "/v1")}\n{(keys is null ? "" : $"    api_key: \"{keys[i]}\"\n")}    max_in_flight: 2000\n    models: [glm-4.7]\n"));
        return $"backends:\n{string.Concat(entries)}routing:\n  policy: {policy}\n";
    }

    private static async Task WholeAsync(IReadOnlyList<Target> targets, int rounds)
    {
        Console.WriteLine("whole answers, 64 connections");
        Percentiles[] times = [.. targets.Select(_ => new Percentiles())];
        List<double>[] rates = [.. targets.Select(_ => new List<double>())];
        double[] seconds = new double[targets.Count];
        foreach (Target target in targets)
            await PlainLoad.RunAsync(target, "hello", 64, Latency.Warm / 2, maxTokens: 1);
        for (int round = 0; round < rounds; round++)
        {
            for (int i = 0; i < targets.Count; i++)
            {
                double before = ProcessorUse.Of(targets[i].Process);
                (Percentiles took, double rate) = await PlainLoad.RunAsync(targets[i], "hello", 64, 3, maxTokens: 1);
                times[i].Add(took);
                rates[i].Add(rate);
                seconds[i] += ProcessorUse.Of(targets[i].Process) - before;
            }
        }

        for (int i = 0; i < targets.Count; i++)
            Console.WriteLine($"  {targets[i].Name,-24} {Median.Of(rates[i]),8:0} requests/s (min {rates[i].Min():0}, max {rates[i].Max():0})   {times[i]} ms{(targets[i].Process == 0 ? "" : $"   {seconds[i] / times[i].Count * 1e6:0.0} µs of processor each")}");
    }

    private static async Task<ChildProcess> StartOtherAsync(string script)
    {
        ChildProcess process = ChildProcess.Start("GLIMMER_LOAD_SERVER", ["node", script, $"--port={OtherPort}", "--headless"]);
        _ = process.Output.ReadToEndAsync();
        using HttpClient client = new();
        for (int i = 0; i < 200; i++)
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(new Uri($"http://127.0.0.1:{OtherPort}/"));
                return process;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(50);
            }
        }

        throw new InvalidOperationException($"{script} does not answer on port {OtherPort}.");
    }

    private static Target Other(Uri service) => new(
        "@portkey-ai/gateway", new Uri($"http://127.0.0.1:{OtherPort}"), "/v1/chat/completions",
        $"Authorization: Bearer none\r\nx-portkey-provider: openai\r\nx-portkey-custom-host: {new Uri(service, "/v1")}\r\n");

    // The program takes no port 0.
    private const int OtherPort = 18787;
}
