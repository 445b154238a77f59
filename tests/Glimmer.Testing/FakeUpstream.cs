using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Glimmer.Testing;

/// <summary>
/// A service on a free port of loopback that answers as a test tells it to, down to the bytes: it can be slow, break off, or speak nonsense. HTTP/1.1 with
/// connections that stay open; enough of it for the clients of this house.
/// </summary>
public sealed class FakeUpstream : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stopping = new();
    private readonly Func<FakeExchange, Task> _answer;
    private readonly ConcurrentDictionary<Task, byte> _connections = new();
    private readonly Task _accepting;

    private FakeUpstream(Func<FakeExchange, Task> answer)
    {
        _answer = answer;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public Uri Address { get; }

    /// <summary>The requests so far.</summary>
    public ConcurrentQueue<FakeExchange> Requests { get; } = new();

    /// <summary>Starts one.</summary>
    /// <param name="answer">Answers a request.</param>
    public static FakeUpstream Start(Func<FakeExchange, Task> answer) => new(answer);

    /// <summary>Starts one that answers every request with the same bytes of an event stream.</summary>
    public static FakeUpstream Stream(string events) => new(exchange => exchange.StreamAsync(events));

    /// <summary>Starts one that answers every request with the same status and JSON.</summary>
    public static FakeUpstream Json(int status, string body) => new(exchange => exchange.RespondAsync(status, body));

    /// <summary>
    /// Starts one that answers every request with as many pieces of content at a rate, in OpenAI's chunks: what is measured through a relay of it, less what is
    /// measured of it directly, is the relay's.
    /// </summary>
    /// <param name="pieces">Pieces of each answer.</param>
    /// <param name="interval">Time between them; zero for none.</param>
    public static FakeUpstream Rate(int pieces, TimeSpan interval)
    {
        byte[] piece = Encoding.UTF8.GetBytes("data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n");
        byte[] end = Encoding.UTF8.GetBytes("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":" + pieces.ToString(CultureInfo.InvariantCulture) + ",\"total_tokens\":9}}\n\ndata: [DONE]\n\n");
        return new FakeUpstream(async exchange =>
        {
            await exchange.BeginStreamAsync();
            for (int i = 0; i < pieces; i++)
            {
                if (interval > TimeSpan.Zero)
                    await Task.Delay(interval);
                await exchange.WriteAsync(piece);
            }

            await exchange.EndAsync(end);
        });
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections.Keys).WaitAsync(Eventually.Patience);
        _listener.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                TcpClient client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                client.NoDelay = true;
                Task serving = ServeAsync(client);
                _connections.TryAdd(serving, 0);
                _ = serving.ContinueWith(done => _connections.TryRemove(done, out _), TaskScheduler.Default);
            }
        }
        catch (Exception fault) when (fault is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // It is being stopped.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                while (await FakeExchange.ReadAsync(client, stream, _stopping.Token) is { } exchange)
                {
                    Requests.Enqueue(exchange);
                    await _answer(exchange);
                    if (exchange.IsAborted)
                        return;
                }
            }
            catch (Exception fault) when (fault is IOException or OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // The client has left, which is its right.
            }
        }
    }
}

/// <summary>One request to a <see cref="FakeUpstream"/> and its answer.</summary>
public sealed class FakeExchange
{
    private static readonly byte[] _end = "0\r\n\r\n"u8.ToArray();
    private readonly TcpClient _client;
    private readonly NetworkStream _stream;
    private readonly CancellationToken _stopping;

    private FakeExchange(TcpClient client, NetworkStream stream, string method, string path, Dictionary<string, string> headers, byte[] body, CancellationToken stopping)
    {
        (_client, _stream, _stopping) = (client, stream, stopping);
        (Method, Path, Headers, Body) = (method, path, headers, Encoding.UTF8.GetString(body));
    }

    /// <summary>Method of the request.</summary>
    public string Method { get; }

    /// <summary>Its path with its query.</summary>
    public string Path { get; }

    /// <summary>Its headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>Its body.</summary>
    public string Body { get; }

    /// <summary>The connection that it came by.</summary>
    public object Connection => _client;

    /// <summary>Whether the answer was broken off.</summary>
    public bool IsAborted { get; private set; }

    /// <summary>Answers whole.</summary>
    public async Task RespondAsync(int status, string body, string type = "application/json", params (string Name, string Value)[] headers)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(body);
        string more = string.Concat(headers.Select(header => $"{header.Name}: {header.Value}\r\n"));
        await SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 {status} X\r\nContent-Type: {type}\r\nContent-Length: {bytes.Length}\r\n{more}\r\n")));
        await SendAsync(bytes);
    }

    /// <summary>Answers with an event stream and ends it well.</summary>
    public async Task StreamAsync(string events)
    {
        await BeginStreamAsync();
        await WriteAsync(Encoding.UTF8.GetBytes(events));
        await EndAsync();
    }

    /// <summary>Begins an event stream.</summary>
    public Task BeginStreamAsync() => SendAsync("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());

    /// <summary>Sends bytes of the stream.</summary>
    public Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length == 0)
            return Task.CompletedTask;
        return SendAsync(Chunk(bytes.Span));
    }

    /// <summary>Sends text of the stream.</summary>
    public Task WriteAsync(string text) => WriteAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>Ends the stream.</summary>
    public Task EndAsync() => SendAsync(_end);

    /// <summary>Sends the last bytes of the stream and its end in one piece: who stops reading at the last event finds the connection free.</summary>
    public Task EndAsync(ReadOnlyMemory<byte> last) => SendAsync([.. Chunk(last.Span), .. _end]);

    /// <summary>Breaks the connection.</summary>
    public void Abort()
    {
        IsAborted = true;
        _client.Client.LingerState = new LingerOption(true, 0);
        _client.Close();
    }

    /// <summary>Completes when the client has closed the connection.</summary>
    public async Task ClosedAsync()
    {
        try
        {
            while (await _stream.ReadAsync(new byte[256], _stopping) > 0)
            {
                // What it still says is of no interest.
            }
        }
        catch (IOException)
        {
            // Closed without a word.
        }
    }

    internal static async Task<FakeExchange?> ReadAsync(TcpClient client, NetworkStream stream, CancellationToken stopping)
    {
        List<byte> head = [];
        byte[] one = new byte[1];
        while (head.Count < 4 || head[^1] != '\n' || head[^2] != '\r' || head[^3] != '\n')
        {
            if (await stream.ReadAsync(one, stopping) == 0)
                return null;
            head.Add(one[0]);
        }

        string[] lines = Encoding.ASCII.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        string[] first = lines[0].Split(' ');
        Dictionary<string, string> headers = new(StringComparer.OrdinalIgnoreCase);
        foreach (string line in lines.Skip(1))
            headers[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
        byte[] body = new byte[headers.TryGetValue("Content-Length", out string? length) ? int.Parse(length, CultureInfo.InvariantCulture) : 0];
        await stream.ReadExactlyAsync(body, stopping);
        return new FakeExchange(client, stream, first[0], first[1], headers, body, stopping);
    }

    private static byte[] Chunk(ReadOnlySpan<byte> bytes) => [.. Encoding.ASCII.GetBytes(bytes.Length.ToString("x", CultureInfo.InvariantCulture)), .. "\r\n"u8, .. bytes, .. "\r\n"u8];

    private async Task SendAsync(byte[] bytes)
    {
        if (!IsAborted)
            await _stream.WriteAsync(bytes, _stopping);
    }
}
