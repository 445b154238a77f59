using System.Globalization;
using System.Text.Json;

namespace Glimmer.Compare.Contenders;

/// <summary>llama.cpp or a program with its command line: <c>llama-bench</c> and <c>llama-server</c> in a folder of binaries.</summary>
/// <param name="name">Name in the tables.</param>
/// <param name="folder">Folder of the binaries.</param>
/// <param name="benchFlags">More flags of <c>llama-bench</c>.</param>
/// <param name="serverFlags">More flags of <c>llama-server</c>.</param>
/// <param name="knowsDepth">Whether the bench has <c>-d</c>; otherwise <c>-gp</c> (decode after a prompt) stands in.</param>
internal sealed class LlamaContender(string name, string folder, IReadOnlyList<string> benchFlags, IReadOnlyList<string> serverFlags, bool knowsDepth) : Contender(name)
{
    /// <summary>Mainline: weights are repacked as they are loaded by default; flash attention on.</summary>
    public static LlamaContender Mainline(string folder) =>
        new("llama.cpp", folder, ["-fa", "1"], ["-fa", "on", "--no-webui"], knowsDepth: true);

    /// <summary>ik_llama.cpp: repacking while loading is asked for; flash attention and fused experts are its defaults.</summary>
    public static LlamaContender Ik(string folder) =>
        new("ik_llama.cpp", folder, ["-rtr", "1", "-fa", "1", "-fmoe", "1"], ["-rtr", "-fa", "on", "--webui", "none"], knowsDepth: false);

    public override string HealthPath => "/health";

    public override string ChatPath => "/v1/completions";

    public override ProgramCall? Bench(string modelFile, PlanStep step)
    {
        int prompt = step.Get("prompt", 0), decode = step.Get("decode", 0), depth = step.Get("depth", 0);
        if (step.Get("streams", 1) > 1 || (depth > 0 && !knowsDepth && decode == 0))
            return null;
        string[] test = depth > 0 && !knowsDepth
            ? ["-p", "0", "-n", "0", "-gp", $"{depth},{decode}"]
            : ["-p", $"{prompt}", "-n", $"{decode}", .. depth > 0 ? (string[])["-d", $"{depth}"] : []];
        return new ProgramCall(Path.Combine(folder, "llama-bench"), ["-m", modelFile, "-t", $"{step.Threads}", "-r", "1", "-o", "json", .. test, .. benchFlags]);
    }

    public override IReadOnlyList<(string Metric, double Rate)> ReadBench(string output)
    {
        using JsonDocument document = JsonIn(output, '[');
        List<(string, double)> readings = [];
        try
        {
            foreach (JsonElement row in document.RootElement.EnumerateArray())
            {
                int prompt = row.GetProperty("n_prompt").GetInt32(), decode = row.GetProperty("n_gen").GetInt32();
                int depth = row.TryGetProperty("n_depth", out JsonElement deep) ? deep.GetInt32() : 0;
                if (prompt > 0 && decode > 0) // decode after a prompt: only the decode is timed
                    (prompt, depth) = (0, prompt);
                Version = $"{row.GetProperty("build_commit").GetString()}";
                foreach (JsonElement sample in row.GetProperty("samples_ts").EnumerateArray())
                    readings.Add((MetricOf(prompt > 0 ? "prefill" : "decode", Math.Max(prompt, decode), 1, depth), sample.GetDouble()));
            }
        }
        catch (Exception fault) when (fault is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new FormatException($"{Name}: a row of the bench lacks n_prompt, n_gen, build_commit or samples_ts, or one of them has another form", fault);
        }

        return readings;
    }

    public override ProgramCall Serve(ServerCall call) => new(Path.Combine(folder, "llama-server"),
    [
        "-m", call.ModelFile, "-t", $"{call.Threads}", "-tb", $"{call.Threads}", "--host", "127.0.0.1", "--port", call.Port.ToString(CultureInfo.InvariantCulture),
        "-np", $"{call.Streams}", "-c", $"{call.Context * call.Streams}", .. serverFlags.Where(flag => !call.QuickStart || flag != "-rtr"),
    ]);

    public override byte[] ChatBody(string prompt, int tokens) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        stream = true,
        stream_options = new { include_usage = true },
        temperature = 0,
        max_tokens = tokens,
        ignore_eos = true,
        cache_prompt = true,
        prompt,
    });
}
