using Glimmer.Client.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Client.Tests;

/// <summary>Streams that go well, break, hang, and are left.</summary>
public sealed class StreamTests
{
    private static readonly CompletionRequest Request = new() { Model = "m", Messages = [Message.User("hello")] };

    private static string[] Whole =>
    [
        Chunk("""{"role":"assistant","reasoning_content":"Let me"}"""),
        Chunk("""{"role":"assistant","reasoning_content":" see."}"""),
        Chunk("""{"role":"assistant","content":"Héllo "}"""),
        Chunk("""{"role":"assistant","content":"世界"}"""),
        Chunk("""{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\""}}]}"""),
        Chunk("""{"tool_calls":[{"index":1,"id":"c2","type":"function","function":{"name":"g","arguments":""}}]}"""),
        Chunk("""{"tool_calls":[{"index":0,"function":{"arguments":":1}"}},{"index":1,"function":{"arguments":"{}"}}]}"""),
        """data: {"id":"a","created":1,"model":"m","choices":[{"index":0,"finish_reason":"tool_calls","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}""" + "\n\n",
        "data: [DONE]\n\n",
    ];

    [Fact]
    public async Task Chunks_fold_into_the_message()
    {
        await using var server = new RawServer(RawServer.Streams(Whole));
        using GlimmerClient client = server.Client();
        Completion answer = await client.Chat.StreamAsync(Request).FoldAsync();
        Assert.Equal("Let me see.", answer.Message!.ReasoningContent);
        Assert.Equal("Héllo 世界", answer.Text);
        Assert.Equal(["c1:f:{\"a\":1}", "c2:g:{}"], answer.Message.ToolCalls!.Select(call => $"{call.Id}:{call.Function!.Name}:{call.Function.Arguments}"));
        Assert.Equal("tool_calls", answer.FinishReason);
        Assert.Equal(7, answer.Usage!.TotalTokens);
        Assert.Contains("\"stream\":true", server.Requests.Single().Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1, false)]
    [InlineData(4, false)]
    [InlineData(8, false)]
    public async Task A_stream_without_its_closing_event_is_a_fault_and_is_only_tried_again_before_its_first_byte(int pieces, bool again)
    {
        await using var server = new RawServer(RawServer.Streams(Whole[..pieces]), RawServer.Streams(Whole));
        using GlimmerClient client = server.Client();
        var read = new List<CompletionChunk>();
        async Task ReadAsync()
        {
            await foreach (CompletionChunk chunk in client.Chat.StreamAsync(Request))
                read.Add(chunk);
        }

        if (again)
        {
            await ReadAsync();
            Assert.Equal(8, read.Count);
        }
        else
        {
            var fault = await Assert.ThrowsAsync<GlimmerConnectionException>(ReadAsync);
            Assert.Equal("r-1", fault.RequestId);
            Assert.Equal(pieces, read.Count);
        }

        Assert.Equal(again ? 2 : 1, server.Requests.Count);
    }

    [Fact]
    public async Task A_refused_stream_is_tried_again()
    {
        await using var server = new RawServer(RawServer.Refuses(429, 1302), RawServer.Streams(Whole));
        using GlimmerClient client = server.Client();
        Assert.Equal("Héllo 世界", (await client.Chat.StreamAsync(Request).FoldAsync()).Text);
        Assert.Equal(2, server.Requests.Count);
    }

    [Fact]
    public async Task An_error_in_the_stream_is_thrown_with_its_code()
    {
        await using var server = new RawServer(RawServer.Streams(Whole[0], "data: {\"error\":{\"code\":\"1301\",\"message\":\"unsafe\"}}\n\n"));
        using GlimmerClient client = server.Client();
        var fault = await Assert.ThrowsAsync<GlimmerInvalidRequestException>(() => client.Chat.StreamAsync(Request).FoldAsync());
        Assert.Equal(1301, fault.Code);
    }

    [Theory]
    [InlineData("data: {\n\n")]
    [InlineData("data: 3\n\n")]
    [InlineData("data: null\n\n")]
    public async Task An_event_that_cannot_be_read_is_a_fault(string piece)
    {
        await using var server = new RawServer(RawServer.Streams(Whole[0], piece));
        using GlimmerClient client = server.Client();
        await Assert.ThrowsAsync<GlimmerServerException>(() => client.Chat.StreamAsync(Request).FoldAsync());
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_is_given_up()
    {
        RawServer? server = null;
        server = new RawServer((stream, cancel) => server!.StreamsAndHangs(Whole[..2])(stream, cancel));
        await using (server)
        {
            var time = new PatientTime();
            using GlimmerClient client = server.Client(options => options with { Time = time });
            int chunks = 0;
            Task reading = Task.Run(async () =>
            {
                await foreach (CompletionChunk _ in client.Chat.StreamAsync(Request))
                    Interlocked.Increment(ref chunks);
            });
            await Eventually.HoldsAsync(() => Volatile.Read(ref chunks) == 2);
            await Eventually.HoldsAsync(() =>
            {
                // The wait for the next bytes may have yet to begin.
                time.Expire();
                return reading.IsCompleted;
            });
            await Assert.ThrowsAsync<GlimmerConnectionException>(() => reading);
            await server.ClientLeft.Task.WaitAsync(TimeSpan.FromMinutes(2));
            Assert.Single(server.Requests);
        }
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    [InlineData(4, true)]
    [InlineData(5, true)]
    [InlineData(8, true)]
    [InlineData(1, false)]
    [InlineData(5, false)]
    public async Task A_client_that_cancels_or_leaves_after_any_chunk_ends_the_request(int after, bool cancels)
    {
        RawServer? server = null;
        server = new RawServer((stream, cancel) => server!.StreamsAndHangs(Whole[..8])(stream, cancel));
        await using (server)
        {
            using GlimmerClient client = server.Client();
            using var cancel = new CancellationTokenSource();
            int read = 0;
            async Task ReadAsync()
            {
                await foreach (CompletionChunk _ in client.Chat.StreamAsync(Request, cancel.Token))
                {
                    if (++read < after)
                        continue;
                    if (!cancels)
                        break;
                    await cancel.CancelAsync();
                }
            }

            if (cancels)
                await Assert.ThrowsAnyAsync<OperationCanceledException>(ReadAsync);
            else
                await ReadAsync();
            await server.ClientLeft.Task.WaitAsync(TimeSpan.FromMinutes(2));
            Assert.Single(server.Requests);
        }
    }

    private static string Chunk(string delta) => $$"""data: {"id":"a","created":1,"model":"m","choices":[{"index":0,"delta":{{delta}}}]}""" + "\n\n";
}
