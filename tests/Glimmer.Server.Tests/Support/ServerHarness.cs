using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Support;

/// <summary>A server on a free port with a scripted backend, a key and its log.</summary>
internal sealed class ServerHarness : IAsyncDisposable
{
    private readonly string _folder;

    private ServerHarness(GlimmerServer server, ScriptedBackend backend, ChatBackendSlot slot, LogCapture logs, string folder)
    {
        _folder = folder;
        Server = server;
        Backend = backend;
        Slot = slot;
        Logs = logs;
        Key = server.FirstKey!.Value.Credential;
        Client = new HttpClient { BaseAddress = server.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public GlimmerServer Server { get; }

    public ScriptedBackend Backend { get; }

    public ChatBackendSlot Slot { get; }

    public LogCapture Logs { get; }

    public string Key { get; }

    public HttpClient Client { get; }

    public string Folder => _folder;

    public static async Task<ServerHarness> StartAsync(Func<GlimmerOptions, GlimmerOptions>? change = null, bool fill = true, ScriptedBackend? backend = null, TimeProvider? time = null)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-server-test-").FullName;
        var options = new GlimmerOptions { Port = 0, DataFolder = folder, LogLevel = LogLevel.Trace, DrainTime = TimeSpan.FromSeconds(1), StoreDurability = StoreDurability.Off };
        options = change?.Invoke(options) ?? options;
        backend ??= new ScriptedBackend("glimmer-tiny") { Name = "embedded" };
        var slot = new ChatBackendSlot();
        if (fill)
            slot.Fill([backend], backend);
        var logs = new LogCapture();
        try
        {
            var server = GlimmerServer.Create(options, slot, new GlimmerServices { Logs = logs, Time = time ?? TimeProvider.System });
            await server.StartAsync();
            return new ServerHarness(server, backend, slot, logs, folder);
        }
        catch
        {
            Directory.Delete(folder, recursive: true);
            throw;
        }
    }

    public Task<HttpResponseMessage> PostAsync(string body, string path = "/api/paas/v4/chat/completions", HttpCompletionOption completion = HttpCompletionOption.ResponseContentRead) =>
        Client.SendAsync(new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, "application/json") }, completion);

    public async Task<JsonElement> ChatAsync(string body, string path = "/api/paas/v4/chat/completions")
    {
        using HttpResponseMessage response = await PostAsync(body, path);
        string text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonDocument.Parse(text).RootElement;
    }

    public async Task<List<JsonElement>> StreamAsync(string body, string path = "/api/paas/v4/chat/completions")
    {
        using HttpResponseMessage response = await PostAsync(body, path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var chunks = new List<JsonElement>();
        bool done = false;
        await foreach (SseEvent item in Eventually.EachAsync(SseReader.ReadAsync(await response.Content.ReadAsStreamAsync())))
        {
            Assert.False(done);
            done = item.IsDone;
            if (!done)
                chunks.Add(JsonDocument.Parse(item.Data).RootElement);
        }

        Assert.True(done);
        return chunks;
    }

    /// <summary>Sends bytes as they are and reads until the server closes.</summary>
    public async Task<string> RawAsync(string request)
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(Server.Addresses[0].Host, Server.Addresses[0].Port);
        NetworkStream stream = socket.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request));
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
    }

    /// <summary>A raw chat request over HTTP/1.0 semantics of closing, for byte checks.</summary>
    public string RawChat(string body) =>
        $"POST /api/paas/v4/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: {Key}\r\nConnection: close\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public static Task UntilAsync(Func<bool> condition) => Eventually.HoldsAsync(condition);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.StopAsync();
        await Server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>Keeps every log line.</summary>
internal sealed class LogCapture : ILoggerProvider
{
    public ConcurrentQueue<(LogLevel Level, int Id, string Text)> Lines { get; } = [];

    public ILogger CreateLogger(string categoryName) => new Capture(this);

    public void Dispose()
    {
    }

    private sealed class Capture(LogCapture owner) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            // The web server's warning that the machine is slow.
            if (eventId.Name != "HeartbeatSlow")
                owner.Lines.Enqueue((logLevel, eventId.Id, $"{formatter(state, exception)} {exception} {string.Join(' ', state as IEnumerable<KeyValuePair<string, object?>> ?? [])}"));
        }
    }
}
