using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Answers;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Transport;

/// <summary>HTTP/2 with prior knowledge, on the port that HTTP/1.1 has too.</summary>
public sealed class Http2Tests : IAsyncLifetime
{
    private const string Chat = "/api/paas/v4/chat/completions";
    private const string Streamed = """{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""";
    private ServerHarness _harness = null!;
    private HttpClient _client = null!;

    public async ValueTask InitializeAsync()
    {
        _harness = await ServerHarness.StartAsync();
        _client = Client();
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _harness.DisposeAsync();
    }

    [Theory]
    [InlineData(Chat, Streamed)]
    [InlineData(Chat, """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("/v1/messages", """{"model":"glm-4.7","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("/v1/responses", """{"model":"glm-4.7","stream":true,"input":"hi"}""")]
    [InlineData(Chat, """{"model":"glm-4.7","messages":[]}""")]
    public async Task Both_versions_say_the_same(string path, string body)
    {
        using HttpResponseMessage two = await PostAsync(_client, path, body);
        using HttpResponseMessage one = await _harness.PostAsync(body, path);
        Assert.Equal((HttpVersion.Version20, HttpVersion.Version11), (two.Version, one.Version));
        Assert.Equal(one.StatusCode, two.StatusCode);
        Assert.Equal(one.Content.Headers.ContentType, two.Content.Headers.ContentType);
        string ofTwo = await two.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), ofOne = await one.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.Equal(ofOne.Length, ofTwo.Length);
        Assert.Equal(string.Concat(ofOne.Where(static c => !char.IsAsciiHexDigit(c))).Length, string.Concat(ofTwo.Where(static c => !char.IsAsciiHexDigit(c))).Length);
    }

    [Fact]
    public async Task Many_streams_share_one_connection_and_none_waits_for_another()
    {
        const int Count = 120;
        Channel<int> gate = Channel.CreateUnbounded<int>();
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { Gate = gate.Reader };
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequests = Count, MaxOpenRequestsPerKey = Count }, backend: _harness.Backend);
        using HttpClient client = Client(harness, multiple: false);
        Task<HttpResponseMessage>[] asked = [.. Enumerable.Range(0, Count).Select(_ => PostAsync(client, Chat, Streamed))];
        await ServerHarness.UntilAsync(() => harness.Backend.Active == Count);
        using (HttpResponseMessage models = await client.SendAsync(Request(HttpMethod.Get, "/api/paas/v4/models", null), TestContext.Current.CancellationToken))
            Assert.Equal(HttpStatusCode.OK, models.StatusCode);
        for (int i = 0; i < Count * 2; i++)
            gate.Writer.TryWrite(i);
        foreach (HttpResponseMessage response in await Task.WhenAll(asked))
        {
            Assert.Contains("[DONE]", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
            response.Dispose();
        }
    }

    [Fact]
    public async Task A_token_goes_out_before_the_next_one_is_made_and_leaving_at_any_event_frees_the_backend()
    {
        for (int leaveAt = 0; leaveAt <= 6; leaveAt++)
        {
            Channel<int> gate = Channel.CreateUnbounded<int>();
            _harness.Backend.Script = _ => ChatScript.Of("a", "b", "c", "d", "e", "f") with { Gate = gate.Reader, HangAtEnd = true };
            using var leaving = new CancellationTokenSource();
            var since = Stopwatch.StartNew();
            for (int i = 0; i < leaveAt; i++)
                gate.Writer.TryWrite(i);
            Task<HttpResponseMessage> asking = _client.SendAsync(Request(HttpMethod.Post, Chat, Streamed), HttpCompletionOption.ResponseHeadersRead, leaving.Token);
            await ServerHarness.UntilAsync(() => _harness.Backend.Active == 1);
            if (leaveAt > 0)
            {
                using HttpResponseMessage response = await asking;
                await using Stream stream = await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
                int heard = 0;
                await foreach (SseEvent item in Eventually.EachAsync(SseReader.ReadAsync(stream)))
                {
                    Assert.Contains($"\"{(char)('a' + heard)}\"", item.Data, StringComparison.Ordinal);
                    if (++heard == leaveAt)
                        break;
                }
            }

            await leaving.CancelAsync();
            await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0 && _harness.Logs.Lines.Count(line => line.Id == 1001) == leaveAt + 1);
            if (leaveAt > 0)
                continue;
            Exception? fault = await Record.ExceptionAsync(async () => (await asking).Dispose());

            // Headers go ahead where the first event is long in coming, which it was if this thread was held up.
            if (fault is not null || since.Elapsed < AnswerEvents.HeaderPatience)
                Assert.IsAssignableFrom<OperationCanceledException>(fault);
        }

        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task A_reader_that_stops_holds_its_own_backend_and_not_its_neighbours()
    {
        // More than both windows of a stream hold.
        int said = 0;
        string piece = new('x', 32 << 10);
        _harness.Backend.Script = request => request.Conversation.Messages[0].Content.Count > 0 && _harness.Backend.Requests == 1
            ? new(new Counted(piece, 2000, () => Interlocked.Increment(ref said))) { Yield = true }
            : ChatScript.Of("quick");
        using HttpResponseMessage slow = await PostAsync(_client, Chat, Streamed);
        int before = -1;
        await ServerHarness.UntilAsync(() =>
        {
            int now = Volatile.Read(ref said);
            (bool same, before) = (now == before, now);
            return same && now > 0;
        });
        Assert.InRange(said, 1, 1999);
        using (HttpResponseMessage quick = await PostAsync(_client, Chat, """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}"""))
            Assert.Contains("quick", await quick.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        string all = await slow.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.EndsWith("data: [DONE]\n\n", all, StringComparison.Ordinal);
        Assert.Equal(2000, said);
    }

    [Fact]
    public async Task A_connection_that_breaks_ends_all_its_streams()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a") with { HangAtEnd = true };
        Socket? wire = null;
        using var leaving = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (target, cancel) =>
            {
                wire = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await wire.ConnectAsync(target.DnsEndPoint, cancel);
                return new NetworkStream(wire, ownsSocket: true);
            },
        })
        { BaseAddress = _client.BaseAddress, DefaultRequestHeaders = { Authorization = _client.DefaultRequestHeaders.Authorization } };
        using HttpResponseMessage first = await PostAsync(leaving, Chat, Streamed), second = await PostAsync(leaving, Chat, Streamed);
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 2);
        wire!.Close(0);
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0);
    }

    [Fact]
    public async Task A_connection_that_says_half_a_preface_nothing_or_something_else_harms_nobody()
    {
        foreach (string begin in new[] { "", "P", "PRI", "PRI * HTTP/2.0", "PRI * HTTP/1.1\r\n\r\n", "PRX", "\0\0" })
        {
            using var socket = new TcpClient();
            await socket.ConnectAsync(_harness.Server.Addresses[0].Host, _harness.Server.Addresses[0].Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(begin), TestContext.Current.CancellationToken);
        }

        // In pieces of one byte, HTTP/1.1 is HTTP/1.1.
        using var slow = new TcpClient { NoDelay = true };
        await slow.ConnectAsync(_harness.Server.Addresses[0].Host, _harness.Server.Addresses[0].Port);
        foreach (byte one in Encoding.ASCII.GetBytes("POST /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
            await slow.GetStream().WriteAsync(new[] { one }, TestContext.Current.CancellationToken);
        using var reader = new StreamReader(slow.GetStream());
        Assert.StartsWith("HTTP/1.1 404", await reader.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2)), StringComparison.Ordinal);
        using HttpResponseMessage fine = await PostAsync(_client, Chat, Streamed);
        Assert.Equal(HttpStatusCode.OK, fine.StatusCode);
        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_history_of_ten_megabytes_and_all_tools_arrive_whole(int version)
    {
        string word = new string('w', 1023) + " ";
        object[] messages = [.. Enumerable.Range(0, 2500).SelectMany(turn => new object[] { new { role = "user", content = $"{turn} {word}{word}" }, new { role = "assistant", content = $"{turn} {word}{word}" } }), new { role = "user", content = "last" }];
        object[] tools = [.. Enumerable.Range(0, 128).Select(i => new { type = "function", function = new { name = $"tool_{i}", description = word, parameters = new { type = "object", properties = new { city = new { type = "string" } } } } })];
        string body = JsonSerializer.Serialize(new { model = "glm-4.7", stream = true, messages, tools });
        Assert.True(body.Length > 10 << 20);
        using HttpResponseMessage response = version == 2 ? await PostAsync(_client, Chat, body) : await _harness.PostAsync(body);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal((5001, 128), (_harness.Backend.LastRequest!.Conversation.Messages.Count, _harness.Backend.LastRequest.Conversation.Tools.Count));
        Assert.Equal($"2499 {word}{word}", ((Dialogue.Conversations.TextPart)_harness.Backend.LastRequest.Conversation.Messages[^2].Content[0]).Text);
    }

    [Theory]
    [InlineData(Chat, Streamed)]
    [InlineData("/v1/chat/completions", Streamed)]
    [InlineData("/v1/messages", """{"model":"glm-4.7","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}""")]
    [InlineData("/api/chat", """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""")]
    public async Task Nothing_is_compressed_and_no_proxy_is_asked_to_hold_it_back(string path, string body)
    {
        foreach (HttpClient client in new[] { _client, _harness.Client })
        {
            using HttpRequestMessage request = Request(HttpMethod.Post, path, body);
            if (client != _client)
                request.Version = HttpVersion.Version11;
            request.Headers.TryAddWithoutValidation("Accept-Encoding", "gzip, deflate, br, zstd");
            using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
            Assert.Empty(response.Content.Headers.ContentEncoding);
            Assert.True(response.Headers.CacheControl!.NoCache);
            Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
            Assert.Null(response.Content.Headers.ContentLength);
        }
    }

    private HttpClient Client(ServerHarness? harness = null, bool multiple = true) => new(new SocketsHttpHandler { EnableMultipleHttp2Connections = multiple })
    {
        BaseAddress = (harness ?? _harness).Server.Addresses[0],
        Timeout = TimeSpan.FromSeconds(60),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", (harness ?? _harness).Key) },
    };

    private static Task<HttpResponseMessage> PostAsync(HttpClient client, string path, string body) =>
        client.SendAsync(Request(HttpMethod.Post, path, body), HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);

    private static HttpRequestMessage Request(HttpMethod method, string path, string? body) => new(method, path)
    {
        Version = HttpVersion.Version20,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = body is null ? null : new StringContent(body, Encoding.UTF8, "application/json"),
    };

    /// <summary>Pieces that are counted when they are said.</summary>
    private sealed class Counted(string text, int count, Action said) : IReadOnlyList<ChatEvent>
    {
        public int Count => count;

        public ChatEvent this[int index]
        {
            get
            {
                said();
                return new ChatEvent(ChatEventKind.Content, text);
            }
        }

        public IEnumerator<ChatEvent> GetEnumerator() => throw new NotSupportedException();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
