using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Glimmer.Samples.Emulator;

/// <summary>Starts <c>glimmer emulate</c>. GLIMMER_COMMAND may name the program ("dotnet /path/glimmer.dll").</summary>
public sealed class GlimmerEmulator : IAsyncDisposable
{
    private readonly Process _process;

    private GlimmerEmulator(Process process, Uri url, string key)
    {
        _process = process;
        Key = key;
        Client = new HttpClient { BaseAddress = url };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    public HttpClient Client { get; }

    public string Key { get; }

    public static async Task<GlimmerEmulator> StartAsync(string scenario, params string[] arguments)
    {
        string[] command = (Environment.GetEnvironmentVariable("GLIMMER_COMMAND") ?? "glimmer").Split(' ');
        ProcessStartInfo start = new(command[0], [.. command[1..], "emulate", scenario, "--port", "0", .. arguments]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        Process process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();

        // The first line is {"url": …, "key": …, "pid": …}.
        string? line = await process.StandardOutput.ReadLineAsync();
        if (line is null)
            throw new InvalidOperationException("The emulator did not start.");
        _ = process.StandardOutput.ReadToEndAsync();
        using JsonDocument ready = JsonDocument.Parse(line);
        return new GlimmerEmulator(process, new Uri(ready.RootElement.GetProperty("url").GetString()!), ready.RootElement.GetProperty("key").GetString()!);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
