using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Glimmer.Load;

/// <summary>A server started for measuring: a fresh data folder, a free port.</summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private static readonly (string Name, string Value)[] _many = [("GLIMMER__LIMITS__OPENREQUESTS", "2000"), ("GLIMMER__LIMITS__OPENREQUESTSPERKEY", "2000"), ("GLIMMER__LOG__LEVEL", "Warning")];
    private readonly Process _process;
    private readonly string _data;

    private ServerProcess(Process process, string data, Uri address, string key, TimeSpan ready)
    {
        _process = process;
        _data = data;
        Address = address;
        Key = key;
        Ready = ready;
    }

    public Uri Address { get; }

    public string Key { get; }

    /// <summary>From the start of the process to the first 200 of /health/ready.</summary>
    public TimeSpan Ready { get; }

    /// <summary>Number of the process.</summary>
    public int Id => _process.Id;

    /// <summary>Processor time used so far.</summary>
    public TimeSpan ProcessorTime
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime;
        }
    }

    /// <summary>Resident memory now, in bytes.</summary>
    public long ResidentBytes => Status("VmRSS:");

    /// <summary>Of it, memory of its own and pages of files.</summary>
    public (long Anonymous, long File) ResidentParts => (Status("RssAnon:"), Status("RssFile:"));

    /// <summary>What <c>/metrics</c> says, by name and labels as they stand there.</summary>
    public async Task<Dictionary<string, double>> MetricsAsync()
    {
        using HttpClient client = new();
        Dictionary<string, double> samples = [];
        foreach (string line in (await client.GetStringAsync(new Uri(Address, "/metrics"))).Split('\n'))
        {
            if (!line.StartsWith('#') && line.LastIndexOf(' ') is > 0 and var at)
                samples[line[..at]] = double.Parse(line.AsSpan(at + 1), CultureInfo.InvariantCulture);
        }

        return samples;
    }

    private long Status(string name)
    {
        string line = File.ReadLines($"/proc/{_process.Id}/status").First(text => text.StartsWith(name, StringComparison.Ordinal));
        return long.Parse(line.AsSpan(name.Length, line.Length - name.Length - " kB".Length), NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) * 1024;
    }

    /// <summary>Starts <paramref name="program"/> (a glimmer.dll) and waits until it is ready. <paramref name="data"/> is kept when given.</summary>
    public static Task<ServerProcess> StartAsync(string program, string[] arguments, string? data = null, string prefixVariable = "GLIMMER_LOAD_SERVER", params (string Name, string Value)[] environment) =>
        BeginAsync(program, ["serve", "--set", "Limits:OpenRequestsPerKey=1000", "--set", "Limits:OpenRequests=1000", .. arguments], data, environment, prefixVariable);

    /// <summary>Starts <paramref name="program"/> with a scenario in place of a model, and without a log line per request. A variable may hold a prefix such as "taskset -c 2,3".</summary>
    public static Task<ServerProcess> EmulateAsync(string program, string scenario, string? data = null, string prefixVariable = "GLIMMER_LOAD_SERVER", params (string Name, string Value)[] environment) => BeginAsync(
        program, ["emulate", scenario], data, [.. _many, .. environment], prefixVariable);

    /// <summary>Starts <paramref name="program"/> in front of the backends of a file, without a log line per request.</summary>
    public static Task<ServerProcess> FrontAsync(string program, string backends, string prefixVariable = "GLIMMER_LOAD_SERVER") =>
        BeginAsync(program, ["serve", "--backends", backends], null, _many, prefixVariable);

    private static async Task<ServerProcess> BeginAsync(string program, string[] arguments, string? data, (string Name, string Value)[] environment, string prefixVariable)
    {
        string folder = data ?? Directory.CreateTempSubdirectory("glimmer-load-").FullName;
        long start = Stopwatch.GetTimestamp();
        string[] command = [.. (Environment.GetEnvironmentVariable(prefixVariable) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries), "dotnet", program, .. arguments, "--port", "0", "--data", folder];
        ProcessStartInfo info = new(command[0], command[1..])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach ((string name, string value) in environment)
            info.Environment[name] = value;
        Process process = Process.Start(info)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        Uri? address = null;
        string? key = null;
        while (address is null && await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (Credential().Match(line) is { Success: true } found)
                key = found.Value;
            if (BaseAddress().Match(line) is { Success: true } url)
                address = new Uri(url.Value);
        }

        if (address is null)
            throw new InvalidOperationException($"{program} ended before it was ready, with code {process.ExitCode}.");
        using HttpClient client = new();
        while (!await IsReadyAsync(client, address))
            await Task.Delay(1);
        TimeSpan ready = Stopwatch.GetElapsedTime(start);
        while (key is null && await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (Credential().Match(line) is { Success: true } found)
                key = found.Value;
            if (line.Contains("Ctrl", StringComparison.Ordinal))
                break;
        }

        _ = process.StandardOutput.ReadToEndAsync();
        return new ServerProcess(process, data is null ? folder : "", address, key ?? "", ready);
    }

    private static async Task<bool> IsReadyAsync(HttpClient client, Uri address)
    {
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(new Uri(address, "/health/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            // The address may be told a moment before it is listened on.
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (_data.Length > 0)
            Directory.Delete(_data, recursive: true);
    }

    [GeneratedRegex(@"\b[0-9a-zA-Z]{16,}\.[0-9a-zA-Z]{16,}\b", RegexOptions.NonBacktracking)]
    private static partial Regex Credential();

    [GeneratedRegex(@"http://[\d.]+:\d+", RegexOptions.NonBacktracking)]
    private static partial Regex BaseAddress();
}
