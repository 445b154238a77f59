using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using Glimmer.Dialogue.Output;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Chat;

public sealed class ChatCancellationTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_at_any_event_frees_the_backend(bool stream)
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequests = 1 });
        for (int leaveAt = 0; leaveAt <= 6; leaveAt++)
        {
            Channel<int> gate = Channel.CreateUnbounded<int>();
            for (int i = 0; i < leaveAt; i++)
                gate.Writer.TryWrite(i);
            harness.Backend.Script = _ => ChatScript.Of("a", "b", "c", "d", "e", "f") with { Gate = gate.Reader, HangAtEnd = true };
            using (var socket = new TcpClient())
            {
                await socket.ConnectAsync(harness.Server.Addresses[0].Host, harness.Server.Addresses[0].Port);
                NetworkStream connection = socket.GetStream();
                await connection.WriteAsync(Encoding.UTF8.GetBytes(harness.RawChat($$"""{"model":"glm-4.7","stream":{{(stream ? "true" : "false")}},"messages":[{"role":"user","content":"hi"}]}""")));
                await ServerHarness.UntilAsync(() => harness.Backend.Active == 1);
                if (stream && leaveAt > 0)
                    await ReadUntilAsync(connection, $"\"{(char)('a' + leaveAt - 1)}\"");
                socket.LingerState = new LingerOption(leaveAt % 2 == 0, 0);
            }

            int ended = leaveAt + 1;
            await ServerHarness.UntilAsync(() => harness.Backend.Active == 0 && harness.Logs.Lines.Count(line => line.Id == 1001) == ended);
        }

        // The only place in flight is free again, and nothing went wrong.
        harness.Backend.Script = _ => ChatScript.Of("fine");
        await harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""");
        Assert.DoesNotContain(harness.Logs.Lines, line => line.Level >= LogLevel.Warning);
        Assert.Contains(harness.Logs.Lines, line => line.Text.Contains("left=True", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Places_in_flight_are_bounded()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequestsPerKey = 2, QueueLength = 0 });
        Channel<int> gate = Channel.CreateUnbounded<int>();
        harness.Backend.Script = _ => ChatScript.Of("a") with { Gate = gate.Reader };
        const string Body = """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""";
        Task<HttpResponseMessage>[] held = [harness.PostAsync(Body), harness.PostAsync(Body)];
        await ServerHarness.UntilAsync(() => harness.Backend.Active == 2);
        using (HttpResponseMessage refused = await harness.PostAsync(Body))
        {
            Assert.Equal(429, (int)refused.StatusCode);
            Assert.Equal("1302", (await ChatRefusalTests.ErrorAsync(refused)).GetProperty("code").GetString());
        }

        gate.Writer.TryWrite(0);
        gate.Writer.TryWrite(0);
        foreach (HttpResponseMessage response in await Task.WhenAll(held))
        {
            Assert.Equal(200, (int)response.StatusCode);
            response.Dispose();
        }

        gate.Writer.TryWrite(0);
        using HttpResponseMessage again = await harness.PostAsync(Body);
        Assert.Equal(200, (int)again.StatusCode);
    }

    [Fact]
    public async Task The_place_of_an_answer_is_free_before_its_last_byte_has_left()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        harness.Backend.Script = _ => ChatScript.Of(new string('x', 16 << 20));
        using var socket = new TcpClient { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(harness.Server.Addresses[0].Host, harness.Server.Addresses[0].Port);
        NetworkStream connection = socket.GetStream();
        await connection.WriteAsync(Encoding.UTF8.GetBytes(harness.RawChat("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""")));
        await ReadUntilAsync(connection, "200 OK");
        await ServerHarness.UntilAsync(() => harness.Server.Places.InFlight == 0);
        Assert.DoesNotContain(harness.Logs.Lines, line => line.Id == 1001);
    }

    [Fact]
    public async Task A_stopping_server_lets_answers_finish_within_the_drain_time()
    {
        ServerHarness harness = await ServerHarness.StartAsync(options => options with { DrainTime = TimeSpan.FromMinutes(2) });
        Channel<int> gate = Channel.CreateUnbounded<int>();
        harness.Backend.Script = _ => ChatScript.Of("a", "b") with { Gate = gate.Reader };
        gate.Writer.TryWrite(0);
        using HttpResponseMessage response = await harness.PostAsync("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", completion: HttpCompletionOption.ResponseHeadersRead);
        Task stopping = harness.Server.StopAsync();
        gate.Writer.TryWrite(1);
        string body = await response.Content.ReadAsStringAsync();
        Assert.Contains("\"b\"", body);
        Assert.Contains("\"finish_reason\":\"stop\"", body);
        await stopping;
        await harness.DisposeAsync();
    }

    [Fact]
    public async Task Answers_that_do_not_finish_in_time_end_in_the_dialect_s_way()
    {
        // By this clock the time to finish is short, and that to send the ends after it is not.
        ServerHarness harness = await ServerHarness.StartAsync(options => options with { DrainTime = TimeSpan.FromMinutes(2) }, time: new HurriedTime());
        harness.Backend.Script = _ => ChatScript.Of("a") with { HangAtEnd = true };
        using HttpResponseMessage stream = await harness.PostAsync("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", completion: HttpCompletionOption.ResponseHeadersRead);
        Task<HttpResponseMessage> plain = harness.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""");
        await ServerHarness.UntilAsync(() => harness.Backend.Active == 2);
        Task stopping = harness.Server.StopAsync();
        string body = await stream.Content.ReadAsStringAsync();
        Assert.Contains("\"finish_reason\":\"network_error\"", body);
        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
        using HttpResponseMessage response = await plain;
        Assert.Equal(503, (int)response.StatusCode);
        await stopping;
        await harness.DisposeAsync();
    }

    [Fact]
    public async Task A_slow_reader_holds_the_backend_and_not_the_memory()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        int made = 0;
        string piece = new('x', 2000);
        harness.Backend.Script = _ => new ChatScript(new CountingEvents(5000, piece, () => Interlocked.Increment(ref made)));
        using var socket = new TcpClient { ReceiveBufferSize = 4096 };
        await socket.ConnectAsync(harness.Server.Addresses[0].Host, harness.Server.Addresses[0].Port);
        NetworkStream connection = socket.GetStream();
        await connection.WriteAsync(Encoding.UTF8.GetBytes(harness.RawChat("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""")));
        await ServerHarness.UntilAsync(() => Volatile.Read(ref made) > 0);
        int before = -1;
        while (before != Volatile.Read(ref made))
        {
            before = Volatile.Read(ref made);
            await Task.Delay(300);
        }

        Assert.InRange(before, 1, 4500);
        using var reader = new StreamReader(connection, Encoding.UTF8);
        string all = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(5000, all.Split(piece).Length - 1);
        Assert.Contains("data: [DONE]\n\n", all);
    }

    [Theory]
    [InlineData(-1, "stop")]
    [InlineData(0, "network_error")]
    public async Task When_the_first_event_is_long_in_coming_the_headers_go_ahead(int faultAt, string finish)
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(time: new HastyTime());
        var opened = new TaskCompletionSource();
        harness.Backend.Script = _ => ChatScript.Of("late") with { Opened = opened.Task, FaultAt = faultAt };
        using HttpResponseMessage response = await harness.PostAsync(
            """{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""", completion: HttpCompletionOption.ResponseHeadersRead).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal(200, (int)response.StatusCode);
        Assert.False(opened.Task.IsCompleted);
        opened.SetResult();
        string body = await response.Content.ReadAsStringAsync();
        Assert.Contains($"\"finish_reason\":\"{finish}\"", body);
        Assert.Equal(faultAt < 0, body.Contains("late", StringComparison.Ordinal));
    }

    private static async Task ReadUntilAsync(NetworkStream stream, string part)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[4096];
        while (!text.ToString().Contains(part, StringComparison.Ordinal))
        {
            int read = await stream.ReadAsync(buffer).AsTask().WaitAsync(TimeSpan.FromMinutes(2));
            Assert.NotEqual(0, read);
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
    }

    private sealed class CountingEvents(int count, string piece, Action onMade) : IReadOnlyList<ChatEvent>
    {
        public int Count => count;

        public ChatEvent this[int index]
        {
            get
            {
                onMade();
                return new ChatEvent(ChatEventKind.Content, piece);
            }
        }

        public IEnumerator<ChatEvent> GetEnumerator() => throw new NotSupportedException();

        System.Collections.IEnumerator System.Collections.IEnumerable.GetEnumerator() => GetEnumerator();
    }

    /// <summary>A clock whose waits are all short.</summary>
    private sealed class HastyTime : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            System.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.FromMilliseconds(20) : dueTime, period);
    }
}
