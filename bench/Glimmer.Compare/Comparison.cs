using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Glimmer.Compare.Contenders;
using Glimmer.Compare.Measures;
using Glimmer.Compare.Processes;
using Glimmer.Compare.Reports;

namespace Glimmer.Compare;

/// <summary>Runs a plan: in each round every contender takes its turn, then the report is written anew, so that a run that is cut short leaves what it has.</summary>
internal sealed class Comparison(ComparisonOptions options, IReadOnlyList<PlanStep> plan)
{
    private const string Ours = "Glimmer";

    private static readonly JsonSerializerOptions _json = new(JsonSerializerOptions.Web) { WriteIndented = false };

    private readonly MeasureContext _context = new(new Cores(options.Cores, options.Launcher), options.Models, options.Limit, [], []);
    private readonly Dictionary<int, List<double>> _bandwidth = [];
    private readonly Contender[] _contenders =
    [
        new GlimmerContender(Ours, options.Glimmer, options.Settings),
        .. options.Llama is { Length: > 0 } llama ? [LlamaContender.Mainline(llama)] : (Contender[])[],
        .. options.Ik is { Length: > 0 } ik ? [LlamaContender.Ik(ik)] : (Contender[])[],
    ];

    // The same program with a kept copy of the rearranged weights; it matters to the start alone.
    private readonly GlimmerContender? _packed = options.Packed is { } folder ? new GlimmerContender(Ours + ", copy kept", options.Glimmer, [.. options.Settings, "Model:PackedFolder=" + folder]) : null;
    private readonly DateTime _began = DateTime.UtcNow;
    private readonly string _loadBefore = Load();

    public async Task<int> RunAsync()
    {
        Directory.CreateDirectory(options.Out);
        long start = Stopwatch.GetTimestamp();
        bool whole = true;
        foreach (Contender contender in _contenders)
        {
            if (contender.AskVersion is { } call)
                contender.ReadVersion(await FinishedProcess.RunAsync(_context.Cores.Start(call, 1), options.Limit));
        }

        foreach (PlanStep step in plan)
        {
            if (step.Measure == "start" && _packed is not null)
                await FillAsync(step, _packed);
            for (int round = 1; round <= step.Rounds; round++)
            {
                if (Stopwatch.GetElapsedTime(start) > options.Time)
                {
                    _context.Note($"The time was up before round {round} of {step.Measure} on {step.Model} with {step.Threads} threads ({string.Join(' ', step.Numbers.Select(number => $"{number.Key}={number.Value}"))}).");
                    whole = false;
                    break;
                }

                Console.Error.WriteLine($"{Stopwatch.GetElapsedTime(start):mm\\:ss} {step.Measure} {step.Model} threads {step.Threads} round {round}");
                if (step.Measure == "bench" && step.Get("decode", 0) > 0)
                    await ReadMemoryAsync(step, round);
                // The order changes with the round, so that nobody always comes first.
                for (int i = 0; i < _contenders.Length; i++)
                    await TakeTurnAsync(step, _contenders[(i + round - 1) % _contenders.Length], round);
                if (step.Measure == "start" && _packed is not null)
                    await TakeTurnAsync(step, _packed, round);
            }

            await WriteAsync();
        }

        return whole ? 0 : 75;
    }

    private Task FillAsync(PlanStep step, GlimmerContender contender) => GuardAsync(step, contender, async () =>
    {
        await using ModelServer server = await ModelServer.StartAsync(contender, _context.Cores, new ServerCall(_context.FileOf(step), step.Threads, 0, 1, 4096, ""));
        await ChatStream.RunAsync(server, Prompts.Text(16, 0), 1);
    });

    private async Task ReadMemoryAsync(PlanStep step, int round)
    {
        double bandwidth = await ReadBandwidth.MeasureAsync(_context.Cores, step.Threads, options.Limit);
        _context.Bandwidth[(step, round)] = bandwidth;
        if (!_bandwidth.TryGetValue(step.Threads, out List<double>? readings))
            _bandwidth[step.Threads] = readings = [];
        readings.Add(bandwidth);
    }

    private Task TakeTurnAsync(PlanStep step, Contender contender, int round) => GuardAsync(step, contender, () => Measuring.RunAsync(_context, step, contender, round));

    private async Task GuardAsync(PlanStep step, Contender contender, Func<Task> turn)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            await turn();
            Console.Error.WriteLine($"    {contender.Name}: {Stopwatch.GetElapsedTime(start).TotalSeconds:0} s in all");
        }
        catch (Exception fault) when (fault is InvalidOperationException or FormatException or IOException or HttpRequestException or System.ComponentModel.Win32Exception)
        {
            _context.Note($"{contender.Name} failed at {step.Measure} on {step.Model}: {fault.Message.Replace(options.Models, "", StringComparison.Ordinal)}");
            Console.Error.WriteLine($"    {contender.Name} failed: {fault.Message}");
        }
    }

    private async Task WriteAsync()
    {
        List<Sample> samples = [.. _context.Samples, .. Target.Slowdowns(_context.Samples)];
        IReadOnlyList<Row> rows = Row.From(samples, Ours);
        Contender[] shown = _packed is not null && samples.Exists(sample => sample.Contender == _packed.Name) ? [.. _contenders, _packed] : _contenders;
        string[] names = [.. shown.Select(contender => contender.Name)];
        ReportHead head = new(
            Ours,
            [.. shown.Select(contender => (contender.Name, VersionOf(contender)))],
            Facts(),
            _bandwidth.ToDictionary(pair => pair.Key, pair => Spread.Of(pair.Value)),
            _context.Notes);
        await File.WriteAllTextAsync(Path.Combine(options.Out, "report.md"), MarkdownReport.Write(head, rows));
        await File.WriteAllTextAsync(Path.Combine(options.Out, "speed.svg"), BarChart.Draw("Tokens per second: longer is faster", names, [.. rows.Where(row => row.Unit == "tokens/s")]));
        await File.WriteAllTextAsync(Path.Combine(options.Out, "time.svg"), BarChart.Draw("Times: shorter is better", names, [.. rows.Where(row => row.Unit == "ms")]));
        await File.WriteAllTextAsync(Path.Combine(options.Out, "samples.json"), JsonSerializer.Serialize(new { facts = head.Facts.ToDictionary(fact => fact.Name, fact => fact.Value, StringComparer.Ordinal), versions = head.Versions.ToDictionary(version => version.Name, version => version.Version, StringComparer.Ordinal), bandwidth = _bandwidth, samples, notes = head.Notes }, _json));
    }

    private string VersionOf(Contender contender) => contender == _packed ? "the same with Model:PackedFolder"
        : options.Versions.FirstOrDefault(version => version.Name == contender.Name).Text ?? contender.Version;

    private List<(string Name, string Value)> Facts()
    {
        List<(string, string)> facts =
        [
            ("time", $"{_began.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} to {DateTime.UtcNow.ToString("HH:mm", CultureInfo.InvariantCulture)} UTC"),
            ("processor", Processor()),
            ("cores used", options.Cores.Count > 0 ? $"{options.Cores.Count}, the same ones for everybody" : options.Launcher is null ? "any" : "as the launcher says, the same ones for everybody"),
            ("runtime", RuntimeInformation.FrameworkDescription),
            ("load average before and now", $"{_loadBefore} and {Load()}"),
        ];
        if (options.Settings.Count > 0)
            facts.Add(("settings of Glimmer", string.Join(", ", options.Settings)));
        return facts;
    }

    private static string Processor() => File.Exists("/proc/cpuinfo")
        ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown"
        : RuntimeInformation.ProcessArchitecture.ToString();

    private static string Load() => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
