using System.Text.Json;
using System.Text.RegularExpressions;

namespace Glimmer.Compare.Contenders;

/// <summary>Glimmer itself, from its built program.</summary>
/// <param name="name">Name in the tables.</param>
/// <param name="program">Path of <c>glimmer.dll</c>.</param>
/// <param name="settings">Settings, <c>KEY=VALUE</c>.</param>
internal sealed partial class GlimmerContender(string name, string program, IReadOnlyList<string> settings) : Contender(name)
{
    public override string HealthPath => "/health/ready";

    public override string ChatPath => "/api/paas/v4/chat/completions";

    public override bool NeedsKey => true;

    public override ProgramCall? AskVersion => new("dotnet", [program, "--version"]);

    private IEnumerable<string> Set => settings.SelectMany(setting => (string[])["--set", setting]);

    public override ProgramCall? Bench(string modelFile, PlanStep step) => new("dotnet",
    [
        program, "bench", "--model", modelFile, "-t", $"{step.Threads}", "-r", "1", "-o", "json",
        "-p", $"{step.Get("prompt", 0)}", "-n", $"{step.Get("decode", 0)}", "-d", $"{step.Get("depth", 0)}", "--streams", $"{step.Get("streams", 1)}", .. Set,
    ]);

    public override IReadOnlyList<(string Metric, double Rate)> ReadBench(string output)
    {
        using JsonDocument document = JsonIn(output, '{');
        try
        {
            return
            [
                .. from reading in document.RootElement.GetProperty("readings").EnumerateArray()
                   let metric = MetricOf($"{reading.GetProperty("name").GetString()}", reading.GetProperty("tokens").GetInt32(), reading.GetProperty("streams").GetInt32(), reading.GetProperty("depth").GetInt32())
                   from sample in reading.GetProperty("samples").EnumerateArray()
                   select (metric, sample.GetDouble())
            ];
        }
        catch (Exception fault) when (fault is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException("a reading of the bench lacks name, tokens, streams, depth or samples, or one of them has another form", fault);
        }
    }

    public override ProgramCall Serve(ServerCall call) => new("dotnet",
    [
        program, "serve", "--model", call.ModelFile, "-t", $"{call.Threads}", "--host", "127.0.0.1", "--port", $"{call.Port}", "--data", call.DataFolder,
        "--context", $"{call.Context}", "--set", "Model:Code=compared", "--set", $"Engine:MaxBatch={Math.Max(call.Streams, 1)}", .. Set,
    ]);

    public override byte[] ChatBody(string prompt, int tokens) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        model = "compared",
        stream = true,
        do_sample = false,
        max_tokens = tokens,
        messages = new[] { new { role = "user", content = prompt } },
    });

    public override string? KeyIn(string line) => Credential().Match(line) is { Success: true } found ? found.Value : null;

    [GeneratedRegex(@"\b[0-9a-zA-Z]{16,}\.[0-9a-zA-Z]{16,}\b", RegexOptions.NonBacktracking)]
    private static partial Regex Credential();
}
