using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Glimmer.Client.Tests.Support;

/// <summary>A server that says byte by byte what a test wants, one script per connection, and keeps what was sent to it.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _loop;
    private readonly Func<NetworkStream, CancellationToken, Task>[] _scripts;
    private int _served;

    public RawServer(params Func<NetworkStream, CancellationToken, Task>[] scripts)
    {
        _scripts = scripts;
        _listener.Start();
        _loop = Task.Run(LoopAsync);
    }

    public Uri Base => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/api/paas/v4");

    public ConcurrentQueue<(string Head, string Body)> Requests { get; } = [];

    /// <summary>Done when a client has closed a connection that its script left open.</summary>
    public TaskCompletionSource ClientLeft { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public GlimmerClient Client(Func<GlimmerClientOptions, GlimmerClientOptions>? change = null)
    {
        var options = new GlimmerClientOptions { ApiKey = "id.secret", BaseUrl = Base, FirstDelay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(4) };
        return new GlimmerClient(change?.Invoke(options) ?? options);
    }

    public static Func<NetworkStream, CancellationToken, Task> Says(int status, string body, params string[] headers) => (stream, cancel) =>
        WriteAsync(stream, $"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n{string.Concat(headers.Select(header => header + "\r\n"))}\r\n{body}", cancel);

    public static Func<NetworkStream, CancellationToken, Task> Refuses(int status, int code, params string[] headers) =>
        Says(status, $$$"""{"error":{"code":"{{{code}}}","message":"no"}}""", headers);

    /// <summary>A stream of pieces, then the end of the connection.</summary>
    public static Func<NetworkStream, CancellationToken, Task> Streams(params string[] pieces) => async (stream, cancel) =>
    {
        await WriteAsync(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nx-request-id: r-1\r\n\r\n", cancel);
        foreach (string piece in pieces)
            await WriteAsync(stream, piece, cancel);
    };

    /// <summary>A stream of pieces, then silence until the client leaves.</summary>
    public Func<NetworkStream, CancellationToken, Task> StreamsAndHangs(params string[] pieces) => async (stream, cancel) =>
    {
        try
        {
            await Streams(pieces)(stream, cancel);
        }
        catch (IOException)
        {
            // The client left before all was said.
            ClientLeft.TrySetResult();
            return;
        }

        await HangAsync(stream, cancel);
    };

    /// <summary>Says nothing until the client leaves.</summary>
    public async Task HangAsync(NetworkStream stream, CancellationToken cancel)
    {
        byte[] one = new byte[1];
        try
        {
            while (await stream.ReadAsync(one, cancel) > 0)
            {
                // Nothing more is expected.
            }
        }
        catch (IOException)
        {
            // A reset is a way of leaving.
        }

        ClientLeft.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        _listener.Stop();
        await _loop;
        _ended.Dispose();
    }

    private static Task WriteAsync(NetworkStream stream, string text, CancellationToken cancel) => stream.WriteAsync(Encoding.UTF8.GetBytes(text), cancel).AsTask();

    private async Task LoopAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true)
                open.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_ended.Token)));
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            await Task.WhenAll(open);
        }
    }

    private async Task ServeAsync(TcpClient socket)
    {
        using (socket)
        {
            try
            {
                NetworkStream stream = socket.GetStream();
                if (!await ReadRequestAsync(stream))
                    return;
                int turn = Interlocked.Increment(ref _served) - 1;
                await _scripts[Math.Min(turn, _scripts.Length - 1)](stream, _ended.Token);
            }
            catch (Exception fault) when (fault is OperationCanceledException or IOException)
            {
                // The client has left, or the test has ended.
            }
        }
    }

    private async Task<bool> ReadRequestAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        byte[] one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(one, _ended.Token) == 0)
                return false;
            head.Append((char)one[0]);
        }

        string text = head.ToString();
        string? length = text.Split("\r\n").FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))?[15..];
        byte[] body = new byte[length is null ? 0 : int.Parse(length, System.Globalization.CultureInfo.InvariantCulture)];
        await stream.ReadExactlyAsync(body, _ended.Token);
        Requests.Enqueue((text, Encoding.UTF8.GetString(body)));
        return true;
    }
}
