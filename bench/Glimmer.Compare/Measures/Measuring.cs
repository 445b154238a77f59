using System.Diagnostics;
using Glimmer.Compare.Contenders;
using Glimmer.Compare.Processes;

namespace Glimmer.Compare.Measures;

/// <summary>The measures of a plan. Each takes one contender through one round.</summary>
internal static class Measuring
{
    public static Task RunAsync(MeasureContext context, PlanStep step, Contender contender, int round) => step.Measure switch
    {
        "bench" => BenchAsync(context, step, contender, round),
        "start" => StartAsync(context, step, contender, round),
        "prefix" => PrefixAsync(context, step, contender, round),
        "streams" => StreamsAsync(context, step, contender, round),
        _ => PausesAsync(context, step, contender, round),
    };

    // Prefill and decode speed as each contender's own bench program says it.
    private static async Task BenchAsync(MeasureContext context, PlanStep step, Contender contender, int round)
    {
        if (contender.Bench(context.FileOf(step), step) is not { } call)
        {
            context.Note($"{contender.Name} has no option to measure {Describe(step)}.");
            return;
        }

        string output = await FinishedProcess.RunAsync(context.Cores.Start(call, step.Threads), context.Limit);
        foreach ((string metric, double rate) in contender.ReadBench(output))
        {
            context.Add(step, contender, round, metric, "tokens/s", rate);
            if (context.Bandwidth.TryGetValue((step, round), out double bandwidth) && metric.StartsWith("decode", StringComparison.Ordinal))
                context.Add(step, contender, round, $"{metric}: share of the read bandwidth", "%", 100 * rate * WeightBytes.PerToken(context.FileOf(step)) / (bandwidth * 1e9));
        }
    }

    // The file is in the page cache: the first round of a run may have brought it there, so each file is read once before.
    private static async Task StartAsync(MeasureContext context, PlanStep step, Contender contender, int round)
    {
        await WarmFileAsync(context.FileOf(step));
        await using ModelServer server = await ModelServer.StartAsync(contender, context.Cores, new ServerCall(context.FileOf(step), step.Threads, 0, 1, 4096, "", QuickStart: true));
        context.Add(step, contender, round, "start to ready", "ms", server.Ready.TotalMilliseconds);
        StreamTiming first = await ChatStream.RunAsync(server, Prompts.Text(16, round), 1);
        context.Add(step, contender, round, "start to first token of an answer", "ms", Stopwatch.GetElapsedTime(server.Started, first.Arrivals[0]).TotalMilliseconds);
    }

    private static async Task PrefixAsync(MeasureContext context, PlanStep step, Contender contender, int round)
    {
        int tokens = step.Get("prompt", 4000);
        await using ModelServer server = await ModelServer.StartAsync(contender, context.Cores, new ServerCall(context.FileOf(step), step.Threads, 0, 1, RoundUp(tokens + 512), ""));
        await ChatStream.RunAsync(server, Prompts.Text(64, -round), 8);
        string prefix = Prompts.Text(tokens, round);
        StreamTiming cold = await ChatStream.RunAsync(server, prefix + Prompts.Text(16, round + 1000), 4);
        StreamTiming warm = await ChatStream.RunAsync(server, prefix + Prompts.Text(16, round + 2000), 4);
        context.Add(step, contender, round, $"first token, {tokens} tokens of prefix new", "ms", cold.FirstToken.TotalMilliseconds);
        context.Add(step, contender, round, $"first token, {tokens} tokens of prefix cached", "ms", warm.FirstToken.TotalMilliseconds);
        context.Add(step, contender, round, "first token, cached against new", "× shorter", cold.FirstToken / warm.FirstToken);
        context.Note($"{contender.Name} counts {cold.PromptTokens} tokens in the prompts of the prefix measure.");
    }

    private static async Task StreamsAsync(MeasureContext context, PlanStep step, Contender contender, int round)
    {
        int streams = step.Get("streams", 8), tokens = step.Get("tokens", 64), prompt = step.Get("prompt", 64);
        await using ModelServer server = await ModelServer.StartAsync(contender, context.Cores, new ServerCall(context.FileOf(step), step.Threads, 0, streams, RoundUp(prompt + tokens + 256), ""));
        await ChatStream.RunAsync(server, Prompts.Text(prompt, -round), 8);
        long start = Stopwatch.GetTimestamp();
        StreamTiming[] done = await Task.WhenAll(Enumerable.Range(0, streams).Select(stream => ChatStream.RunAsync(server, Prompts.Text(prompt, round * 100 + stream), tokens)));
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        context.Add(step, contender, round, $"{streams} streams of {prompt} + {tokens} tokens", "tokens/s", done.Sum(stream => stream.Tokens) / seconds);
        if (done.Any(stream => stream.Tokens < tokens))
            context.Note($"{contender.Name}: {done.Count(stream => stream.Tokens < tokens)} of {streams} answers on {step.Model} ended before {tokens} tokens.");
    }

    // One answer runs; a long prompt arrives. What are the pauses of the answer until that prompt's first token?
    private static async Task PausesAsync(MeasureContext context, PlanStep step, Contender contender, int round)
    {
        int prompt = step.Get("prompt", 8000), tokens = step.Get("tokens", 400);
        await using ModelServer server = await ModelServer.StartAsync(contender, context.Cores, new ServerCall(context.FileOf(step), step.Threads, 0, 2, RoundUp(prompt + tokens + 256), ""));
        await ChatStream.RunAsync(server, Prompts.Text(64, -round), 8);
        int pieces = 0;
        TaskCompletionSource running = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<StreamTiming> answer = ChatStream.RunAsync(server, Prompts.Text(64, round), tokens, () =>
        {
            if (++pieces == 8)
                running.TrySetResult();
        });
        await Task.WhenAny(running.Task, answer);
        StreamTiming intruder = await ChatStream.RunAsync(server, Prompts.Text(prompt, round + 5000), 1);
        StreamTiming watched = await answer;
        long from = intruder.Sent, to = intruder.Arrivals[0];
        List<double> gaps = [];
        for (int i = 1; i < watched.Arrivals.Count; i++)
        {
            if (watched.Arrivals[i] > from && watched.Arrivals[i - 1] < to)
                gaps.Add(Stopwatch.GetElapsedTime(watched.Arrivals[i - 1], watched.Arrivals[i]).TotalMilliseconds);
        }

        string name = $"beside a prompt of {prompt}";
        context.Add(step, contender, round, $"median pause {name}", "ms", Spread.Percentile(gaps, 0.5));
        context.Add(step, contender, round, $"99th percentile pause {name}", "ms", Spread.Percentile(gaps, 0.99));
        context.Add(step, contender, round, $"first token of the prompt of {prompt}", "ms", intruder.FirstToken.TotalMilliseconds);
        context.Note($"{contender.Name}: {gaps.Count} pauses {name} on {step.Model}; {(watched.Arrivals[^1] < to ? "the answer ended before the prompt was computed" : "the answer went on after it")}.");
    }

    private static string Describe(PlanStep step) => string.Join(' ', step.Numbers.Select(number => $"{number.Key}={number.Value}"));

    private static int RoundUp(int tokens) => (tokens + 255) / 256 * 256;

    private static async Task WarmFileAsync(string path)
    {
        byte[] buffer = new byte[1 << 22];
        await using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        while (await file.ReadAsync(buffer) > 0)
        {
            // Only into the page cache.
        }
    }
}
