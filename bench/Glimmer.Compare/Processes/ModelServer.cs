using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Glimmer.Compare.Contenders;

namespace Glimmer.Compare.Processes;

/// <summary>A contender's server, started for one measurement and ended with it.</summary>
internal sealed class ModelServer : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly string _data;
    private readonly Contender _contender;
    private string? _key;

    private ModelServer(Process process, string data, Contender contender, int port)
    {
        _process = process;
        _data = data;
        _contender = contender;
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 256 }) { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(10) };
    }

    public HttpClient Client { get; }

    public Contender Contender => _contender;

    /// <summary>From the start of the process to the first 200 of its health path.</summary>
    public TimeSpan Ready { get; private set; }

    /// <summary>When the process was started (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    public long Started { get; private init; }

    /// <summary>The key that it printed, if it needs one.</summary>
    public string? Key => Volatile.Read(ref _key);

    public static async Task<ModelServer> StartAsync(Contender contender, Cores cores, ServerCall call)
    {
        int port = FreePort();
        string data = Directory.CreateTempSubdirectory("glimmer-compare-").FullName;
        ProcessStartInfo info = cores.Start(contender.Serve(call with { Port = port, DataFolder = data }), call.Threads);
        long start = Stopwatch.GetTimestamp();
        ModelServer server = new(Process.Start(info)!, data, contender, port) { Started = start };
        try
        {
            await server.WaitAsync(start);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited)
            _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        Directory.Delete(_data, recursive: true);
    }

    private async Task WaitAsync(long start)
    {
        Queue<string> last = new();
        void Take(string? line)
        {
            if (line is null)
                return;
            lock (last)
            {
                last.Enqueue(line);
                if (last.Count > 5)
                    last.Dequeue();
            }

            if (_contender.NeedsKey && Key is null && _contender.KeyIn(line) is { } key)
                Volatile.Write(ref _key, key);
        }

        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        while (true)
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(start) > _patience)
            {
                lock (last)
                    throw new InvalidOperationException($"the server {(_process.HasExited ? "ended" : "was not ready in time")}: {string.Join(" / ", last)}");
            }

            try
            {
                using HttpResponseMessage response = await Client.GetAsync(new Uri(_contender.HealthPath, UriKind.Relative));
                if (response.StatusCode == HttpStatusCode.OK)
                    break;
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }

            await Task.Delay(2);
        }

        Ready = Stopwatch.GetElapsedTime(start);
        while (_contender.NeedsKey && Key is null && Stopwatch.GetElapsedTime(start) < _patience)
            await Task.Delay(2);
    }

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
