using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Tests.Remote;

/// <summary>A real llama-server with the bundled model, where the environment says where one is; started once.</summary>
public sealed class LlamaServerProcess : IAsyncLifetime
{
    /// <summary>Names the binary.</summary>
    public const string Variable = "GLIMMER_LLAMA_SERVER";

    private Process? _process;

    /// <summary>The backend that asks it; null when there is none.</summary>
    public IRemoteBackend? Backend { get; private set; }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } path)
            return;
        int port = FreePort();
        ProcessStartInfo start = new(path) { UseShellExecute = false, RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in (string[])["--model", Fixtures.BundledModel, "--host", "127.0.0.1", "--port", $"{port}", "--threads", "1", "--ctx-size", "4096", "--parallel", "2", "--no-webui"])
            start.ArgumentList.Add(argument);
        _process = Process.Start(start)!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        Backend = RawBackends.Create(
            new BackendDefinition { Name = "llama", Kind = BackendKind.LlamaServer, Url = new Uri($"http://127.0.0.1:{port}"), Models = [new BackendModel { Code = "glimmer-tiny" }] },
            TimeProvider.System,
            NullLoggerFactory.Instance);

        // A process that starts cannot be waited for but by asking.
        BackendProbe probe = new(false, "");
        for (int i = 0; i < 300 && !probe.Alive && !_process.HasExited; i++)
        {
            await Task.Delay(100);
            probe = await Backend.ProbeAsync(CancellationToken.None);
        }

        Assert.True(probe.Alive, $"{path} did not get ready: {probe.Detail}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Backend is not null)
            await Backend.DisposeAsync();
        if (_process is null)
            return;
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
