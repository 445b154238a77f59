using System.Diagnostics;

namespace Glimmer.Testing;

/// <summary>A real llama-server with the bundled model, where the environment says where one is.</summary>
public sealed class LlamaServer : IAsyncDisposable
{
    /// <summary>Names the binary.</summary>
    public const string Variable = "GLIMMER_LLAMA_SERVER";

    /// <summary>Why a test that needs one is skipped.</summary>
    public const string Missing = $"Set {Variable} to the path of a llama-server to run this.";

    private readonly Process _process;

    private LlamaServer(Process process, Uri url)
    {
        _process = process;
        Url = url;
    }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>Starts one and waits until its model is loaded; null where there is none.</summary>
    public static async Task<LlamaServer?> StartAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path)
            return null;
        int port = LoopbackPorts.Take();
        ProcessStartInfo start = new(path) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])["--model", Fixtures.BundledModel, "--host", "127.0.0.1", "--port", $"{port}", "--threads", "1", "--ctx-size", "4096", "--parallel", "2", "--no-webui"])
            start.ArgumentList.Add(argument);
        Process process = Process.Start(start)!;
        process.OutputDataReceived += static (_, _) => { };
        process.ErrorDataReceived += static (_, _) => { };
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        LlamaServer server = new(process, new Uri($"http://127.0.0.1:{port}"));
        if (await server.IsReadyAsync())
            return server;
        await server.DisposeAsync();
        throw new InvalidOperationException($"{path} did not get ready.");
    }

    /// <summary>Waits until it works on nothing: it notices a while later that a client has left.</summary>
    public async Task IdleAsync()
    {
        using HttpClient client = new() { BaseAddress = Url };
        using CancellationTokenSource patience = new(Eventually.Patience);
        while ((await client.GetStringAsync("/slots", patience.Token)).Contains("\"is_processing\":true", StringComparison.Ordinal))
            await Task.Delay(20, patience.Token);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    // A process that starts cannot be waited for but by asking.
    private async Task<bool> IsReadyAsync()
    {
        using HttpClient client = new() { BaseAddress = Url, Timeout = TimeSpan.FromSeconds(5) };
        var watch = Stopwatch.StartNew();
        while (watch.Elapsed < Eventually.Patience && !_process.HasExited)
        {
            try
            {
                using HttpResponseMessage response = await client.GetAsync("/health");
                if (response.IsSuccessStatusCode)
                    return true;
            }
            catch (Exception fault) when (fault is HttpRequestException or TaskCanceledException)
            {
                // It does not listen yet.
            }

            await Task.Delay(100);
        }

        return false;
    }
}
