// Measures a built server from outside: start-up, time to first token, throughput and memory under open streams.
//   dotnet run -c Release --project bench/Glimmer.Load -- PATH/glimmer.dll [ROUNDS] [-- arguments for serve]
//   dotnet run -c Release --project bench/Glimmer.Load -- PATH/glimmer.dll gateway [SECONDS] [PARTS]   the server alone, with a scenario in place of a model
//   dotnet run -c Release --project bench/Glimmer.Load -- PATH/glimmer.dll relay [PATH/start-server.js] [PATH/other/glimmer.dll] [apart|together] [ROUNDS]   in front of a service, beside another gateway or another build
//   dotnet run -c Release --project bench/Glimmer.Load -- PATH/glimmer.dll two-nodes [SECONDS] [CONNECTIONS] [KINDS]   two processes on one PostgreSQL beside one
//   dotnet run -c Release --project bench/Glimmer.Load -- PATH/glimmer.dll affinity [CONVERSATIONS] [AT_ONCE]   cached prompt tokens of four backends behind one beside one alone
//   dotnet run -c Release --project bench/Glimmer.Load -- latency [STREAMS] [ROUNDS]               what the platform adds to the time of a token
using System.Globalization;
using System.Net.Http;
using Glimmer.Load;
using Glimmer.Load.Paced;

if (args is ["paced-host", var pace])
{
    await PacedHost.RunAsync(platform: true, pace == "together");
    return 0;
}

if (args is ["paced-upstream", var upstreamPace])
{
    await PacedHost.RunAsync(platform: false, upstreamPace == "together");
    return 0;
}

if (args is ["latency", ..])
{
    int streams = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 16, turns = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 3;
    await Latency.RunAsync(streams, turns, together: false);
    await Latency.RunAsync(streams, turns, together: true);
    return 0;
}

if (args.Length == 0 || !File.Exists(args[0]))
{
    Console.Error.WriteLine("usage: Glimmer.Load PATH/glimmer.dll [ROUNDS] [-- arguments for serve], or one of the modes that bench/README.md names");
    return 2;
}

string program = Path.GetFullPath(args[0]);
if (args.Length > 1 && args[1] == "gateway")
{
    await Gateway.RunAsync(program, args.Length > 2 && int.TryParse(args[2], CultureInfo.InvariantCulture, out int seconds) ? seconds : 8, args.Length > 3 ? args[3..] : []);
    return 0;
}

int Number(int place, int otherwise) => args.Length > place && int.TryParse(args[place], CultureInfo.InvariantCulture, out int given) ? given : otherwise;
switch (args.Length > 1 ? args[1] : "")
{
    case "relay":
        string[] paces = [.. args[2..].Where(argument => argument is "apart" or "together")];
        await Relay.RunAsync(program, args[2..], paces.Length > 0 ? paces : ["apart", "together"], streams: 16, rounds: args.Length > 2 && int.TryParse(args[^1], CultureInfo.InvariantCulture, out int turns) ? turns : 5);
        return 0;
    case "two-nodes":
        await TwoNodes.RunAsync(program, Number(2, 4), rounds: 3, Number(3, 128), args.Length > 4 ? args[4..] : []);
        return 0;
    case "affinity":
        await Affinity.RunAsync(program, Number(2, 200), Number(3, 16));
        return 0;
}

int separator = Array.IndexOf(args, "--");
string[] serve = separator < 0 ? [] : args[(separator + 1)..];
int rounds = args.Length > 1 && int.TryParse(args[1], CultureInfo.InvariantCulture, out int asked) ? asked : 7;

List<double> starts = [], again = [];
string data = Directory.CreateTempSubdirectory("glimmer-load-").FullName;
string key = "";
for (int round = 0; round < rounds; round++)
{
    await using ServerProcess server = await ServerProcess.StartAsync(program, serve, data);
    (round == 0 ? starts : again).Add(server.Ready.TotalMilliseconds);
    if (round == 0)
        key = server.Key;
}

Console.WriteLine($"{"start to ready, first start",-52} {Median.Of(starts),10:0} ms");
Console.WriteLine($"{"start to ready, later starts",-52} {Median.Of(again),10:0} ms   (min {again.Min():0}, max {again.Max():0}, n {again.Count})");

await using (ServerProcess server = await ServerProcess.StartAsync(program, serve, data))
{
    using HttpClient client = new(new SocketsHttpHandler { MaxConnectionsPerServer = 1000 }) { Timeout = TimeSpan.FromMinutes(10) };
    Console.WriteLine($"{"memory, idle",-52} {server.ResidentBytes / 1048576.0,10:0.0} MiB");
    await ChatStream.RunAsync(client, server.Address, key, "warm up", 32);

    List<double> first = [], warm = [], decode = [];
    int promptTokens = 0;
    for (int round = 0; round < Math.Max(rounds, 15); round++)
    {
        // A different first word each round, so that nothing is reused.
        string prompt = $"{Words.Number(round)} " + string.Join(' ', Enumerable.Range(0, 150).Select(i => Words.At(i)));
        StreamTiming cold = await ChatStream.RunAsync(client, server.Address, key, prompt, 64);
        StreamTiming cached = await ChatStream.RunAsync(client, server.Address, key, prompt, 64);
        promptTokens = cold.PromptTokens;
        first.Add(cold.FirstToken.TotalMilliseconds);
        warm.Add(cached.FirstToken.TotalMilliseconds);
        if (cold.CompletionTokens > 8)
            decode.Add((cold.CompletionTokens - 1) / (cold.Total - cold.FirstToken).TotalSeconds);
    }

    Console.WriteLine($"{$"first token, {promptTokens}-token prompt, cold",-52} {Median.Of(first),10:0.0} ms   (min {first.Min():0.0}, max {first.Max():0.0})");
    Console.WriteLine($"{$"first token, {promptTokens}-token prompt, cached",-52} {Median.Of(warm),10:0.0} ms   (min {warm.Min():0.0}, max {warm.Max():0.0})");
    if (decode.Count > 0)
        Console.WriteLine($"{"decode, one stream",-52} {Median.Of(decode),10:0} tokens/s");

    foreach (int streams in (int[])[1, 8, 64, 200])
    {
        long peak = 0;
        long start = System.Diagnostics.Stopwatch.GetTimestamp();
        Task<StreamTiming>[] running = [.. Enumerable.Range(0, streams).Select(i => ChatStream.RunAsync(
            client, server.Address, key, $"{Words.Number(i)}: tell me a story about {Words.At(i)}.", 160))];
        Task<StreamTiming[]> all = Task.WhenAll(running);
        while (!all.IsCompleted)
        {
            peak = Math.Max(peak, server.ResidentBytes);
            await Task.WhenAny(all, Task.Delay(20));
        }

        StreamTiming[] done = await all;
        double seconds = System.Diagnostics.Stopwatch.GetElapsedTime(start).TotalSeconds;
        double[] gaps = [.. done.SelectMany(stream => stream.Gaps).Order()];
        Console.WriteLine($"{$"{streams} open streams",-52} {done.Sum(stream => stream.CompletionTokens) / seconds,10:0} tokens/s, at most {peak / 1048576.0:0.0} MiB, gap p50 {gaps[gaps.Length / 2]:0.0} ms, p99 {gaps[(int)(gaps.Length * 0.99)]:0.0} ms");
    }
}

Directory.Delete(data, recursive: true);
return 0;
