using System.Globalization;
using System.Net;
using System.Text.Json;
using Glimmer.Client.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Client.Tests;

/// <summary>What is tried again, what is not, and how long is waited.</summary>
public sealed class RetryTests
{
    private const string Answer = """{"id":"a","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}],"new_field":[1]}""";
    private static readonly CompletionRequest Request = new() { Model = "m", Messages = [Message.User("hello")] };

    [Theory]
    [InlineData(408, 0)]
    [InlineData(409, 0)]
    [InlineData(429, 1302)]
    [InlineData(429, 1303)]
    [InlineData(429, 1305)]
    [InlineData(429, 1312)]
    [InlineData(500, 500)]
    [InlineData(503, 1305)]
    [InlineData(529, 0)]
    public async Task A_passing_fault_is_tried_again_with_the_same_request_id(int status, int code)
    {
        await using var server = new RawServer(RawServer.Refuses(status, code), RawServer.Refuses(status, code), RawServer.Says(200, Answer));
        using GlimmerClient client = server.Client();
        Completion answer = await client.Chat.CompleteAsync(Request);
        Assert.Equal("hi", answer.Text);
        Assert.Equal("[1]", answer.Extra!["new_field"]!.ToJsonString());
        Assert.Equal(3, server.Requests.Count);
        Assert.Single(server.Requests.Select(sent => sent.Body).Distinct());
        using JsonDocument body = JsonDocument.Parse(server.Requests.First().Body);
        Assert.Equal(36, body.RootElement.GetProperty("request_id").GetString()!.Length);
    }

    [Theory]
    [InlineData(400, 1214)]
    [InlineData(400, 1221)]
    [InlineData(401, 1002)]
    [InlineData(404, 1211)]
    [InlineData(429, 1113)]
    [InlineData(429, 1308)]
    [InlineData(429, 1309)]
    [InlineData(429, 1310)]
    [InlineData(429, 1311)]
    [InlineData(429, 1313)]
    [InlineData(429, 1317)]
    [InlineData(429, 1321)]
    public async Task A_lasting_fault_is_thrown_at_once(int status, int code)
    {
        await using var server = new RawServer(RawServer.Refuses(status, code), RawServer.Says(200, Answer));
        using GlimmerClient client = server.Client();
        GlimmerException fault = await Assert.ThrowsAnyAsync<GlimmerException>(() => client.Chat.CompleteAsync(Request));
        Assert.Equal(code, fault.Code);
        Assert.Equal((HttpStatusCode)status, fault.Status);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(429, 1113, "true", 1)] // not even when the server asks for it
    [InlineData(429, 1302, "false", 1)]
    [InlineData(400, 1214, "true", 2)]
    public async Task The_server_can_say_whether_a_second_try_helps(int status, int code, string should, int sent)
    {
        await using var server = new RawServer(RawServer.Refuses(status, code, $"x-should-retry: {should}"), RawServer.Says(200, Answer));
        using GlimmerClient client = server.Client();
        if (sent == 1)
            await Assert.ThrowsAnyAsync<GlimmerException>(() => client.Chat.CompleteAsync(Request));
        else
            await client.Chat.CompleteAsync(Request);
        Assert.Equal(sent, server.Requests.Count);
    }

    [Fact]
    public async Task Tries_end_and_the_last_fault_is_thrown()
    {
        await using var server = new RawServer(RawServer.Refuses(503, 1305));
        using GlimmerClient client = server.Client(options => options with { MaxRetries = 2 });
        var fault = await Assert.ThrowsAsync<GlimmerOverloadedException>(() => client.Chat.CompleteAsync(Request));
        Assert.Equal(3, fault.Attempts);
        Assert.Equal(3, server.Requests.Count);
    }

    [Fact]
    public async Task A_broken_connection_is_tried_again()
    {
        await using var server = new RawServer((_, _) => Task.CompletedTask, RawServer.Says(200, Answer));
        using GlimmerClient client = server.Client();
        Assert.Equal("hi", (await client.Chat.CompleteAsync(Request)).Text);
    }

    [Fact]
    public async Task A_server_that_nobody_is_at_is_a_connection_fault()
    {
        var server = new RawServer();
        using GlimmerClient client = server.Client(options => options with { MaxRetries = 1 });
        await server.DisposeAsync();
        var fault = await Assert.ThrowsAsync<GlimmerConnectionException>(() => client.Chat.CompleteAsync(Request));
        Assert.Equal(2, fault.Attempts);
        Assert.Null(fault.Status);
    }

    [Fact]
    public async Task A_slow_try_is_given_up_and_tried_again()
    {
        RawServer? server = null;
        server = new RawServer((stream, cancel) => server!.HangAsync(stream, cancel), RawServer.Says(200, Answer));
        await using (server)
        {
            var time = new PatientTime();
            using GlimmerClient client = server.Client(options => options with { Time = time });
            Task<Completion> call = client.Chat.CompleteAsync(Request);
            await Eventually.HoldsAsync(() => !server.Requests.IsEmpty);
            time.Expire();
            Assert.Equal("hi", (await call).Text);
            Assert.Equal(2, server.Requests.Count);
        }
    }

    [Fact]
    public async Task Cancelling_ends_the_request_and_is_no_fault_of_the_server()
    {
        RawServer? server = null;
        server = new RawServer((stream, cancel) => server!.HangAsync(stream, cancel));
        await using (server)
        {
            using GlimmerClient client = server.Client();
            using var cancel = new CancellationTokenSource();
            Task<Completion> call = client.Chat.CompleteAsync(Request, cancel.Token);
            await Eventually.HoldsAsync(() => !server.Requests.IsEmpty);
            await cancel.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
            await server.ClientLeft.Task.WaitAsync(TimeSpan.FromMinutes(2));
            Assert.Single(server.Requests);
        }
    }

    [Fact]
    public void Waits_grow_stay_bounded_and_honour_the_server()
    {
        var options = new GlimmerClientOptions { MaxRetries = 9 };
        var tries = new Tries(options);
        double[] expected = [0.5, 1, 2, 4, 8, 8, 8, 8, 8];
        foreach (double most in expected)
        {
            tries.Begin();
            TimeSpan? wait = tries.DelayAfter(new GlimmerServerException("x") { Status = HttpStatusCode.InternalServerError }, null);
            Assert.InRange(wait!.Value.TotalSeconds, most * 0.75, most);
        }

        tries.Begin();
        Assert.Null(tries.DelayAfter(new GlimmerServerException("x") { Status = HttpStatusCode.InternalServerError }, null));

        var asked = new Tries(options);
        asked.Begin();
        Assert.Equal(TimeSpan.FromSeconds(20), asked.DelayAfter(Busy(20), null));
        Assert.InRange(asked.DelayAfter(Busy(0), null)!.Value.TotalSeconds, 0.37, 0.5);
        Assert.Null(asked.DelayAfter(Busy(61), null));

        static GlimmerException Busy(int seconds) => new GlimmerRateLimitException("x") { Status = HttpStatusCode.TooManyRequests, Code = 1302, RetryAfter = TimeSpan.FromSeconds(seconds) };
    }

    [Fact]
    public async Task Retry_After_is_read_in_seconds_and_as_a_date()
    {
        string date = DateTimeOffset.UtcNow.AddHours(2).ToString("r", CultureInfo.InvariantCulture);
        await using var server = new RawServer(RawServer.Refuses(429, 1302, "Retry-After: 4000", "x-request-id: r-7"), RawServer.Refuses(429, 1302, $"Retry-After: {date}"));
        using GlimmerClient client = server.Client();
        var seconds = await Assert.ThrowsAsync<GlimmerRateLimitException>(() => client.Chat.CompleteAsync(Request));
        Assert.Equal(TimeSpan.FromSeconds(4000), seconds.RetryAfter);
        Assert.Equal("r-7", seconds.RequestId);
        var dated = await Assert.ThrowsAsync<GlimmerRateLimitException>(() => client.Chat.CompleteAsync(Request));
        Assert.InRange(dated.RetryAfter!.Value.TotalMinutes, 110, 120);
        Assert.Equal(2, server.Requests.Count);
    }
}
