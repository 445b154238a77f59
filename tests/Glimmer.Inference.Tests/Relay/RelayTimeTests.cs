using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Services that are silent, clients that leave.</summary>
public sealed class RelayTimeTests
{
    private const string Piece = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

    [Fact]
    public async Task A_service_that_sends_no_headers_in_time_is_the_backends_fault()
    {
        ManualTime time = new();
        TaskCompletionSource asked = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            asked.SetResult();
            await exchange.ClosedAsync();
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), time, new LogLines());
        Task<ChatStart> starting = backend.StartAsync(Ask(), default).AsTask();
        await asked.Task;
        time.Advance(TimeSpan.FromSeconds(299));
        Assert.False(starting.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        ChatStart start = await starting;
        Assert.Equal((StartFault.Backend, BusinessCode.Network), (start.Fault, start.Error!.Code));
    }

    [Theory]
    [InlineData(false, 301, true)]
    [InlineData(false, 200, false)]
    [InlineData(true, 61, true)]
    [InlineData(true, 50, false)]
    public async Task A_stream_that_falls_silent_is_the_backends_fault(bool begun, int seconds, bool ends)
    {
        ManualTime time = new();
        TaskCompletionSource go = new(), closed = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            if (begun)
                await exchange.WriteAsync(Piece);
            await Task.WhenAny(go.Task, exchange.ClosedAsync());
            closed.SetResult();
            if (go.Task.IsCompleted)
            {
                await exchange.WriteAsync(Chunks("stop", """{"content":"b"}"""));
                await exchange.EndAsync();
            }
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), time, new LogLines());
        ChatStart start = await backend.StartAsync(Ask(), default);
        IAsyncEnumerator<ChatEvent> events = start.Answer!.ReadAsync(default).GetAsyncEnumerator();
        if (begun)
            Assert.True(await events.MoveNextAsync());
        Task<bool> next = events.MoveNextAsync().AsTask();
        time.Advance(TimeSpan.FromSeconds(seconds));
        if (!ends)
            go.SetResult();
        Assert.Equal(!ends, await next);
        while (!ends && await events.MoveNextAsync())
        {
            // To the end.
        }

        await events.DisposeAsync();
        Assert.Equal(ends ? FinishReason.BackendFault : FinishReason.Stop, start.Answer.Finish);
        await closed.Task;
    }

    [Fact]
    public async Task Signs_of_life_alone_do_not_keep_a_stream_for_ever()
    {
        ManualTime time = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            await exchange.WriteAsync(Piece);
            while (!exchange.IsAborted)
            {
                await exchange.WriteAsync(": still here\n\n");
                await Task.Delay(2);
            }
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), time, new LogLines());
        ChatStart start = await backend.StartAsync(Ask(), default);
        IAsyncEnumerator<ChatEvent> events = start.Answer!.ReadAsync(default).GetAsyncEnumerator();
        Assert.True(await events.MoveNextAsync());
        Task<bool> next = events.MoveNextAsync().AsTask();
        for (int i = 0; i < 60_000 && !next.IsCompleted; i++)
        {
            time.Advance(TimeSpan.FromSeconds(2));
            await Task.Delay(2);
        }

        Assert.False(await next);
        Assert.Equal(FinishReason.BackendFault, start.Answer.Finish);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_leaves_closes_the_request(bool byToken)
    {
        TaskCompletionSource closed = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            await exchange.WriteAsync(Piece);
            await exchange.ClosedAsync();
            closed.SetResult();
            exchange.Abort();
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        ChatStart start = await backend.StartAsync(Ask(), default);
        using CancellationTokenSource cancel = new();
        int events = 0;
        await foreach (ChatEvent said in start.Answer!.ReadAsync(cancel.Token))
        {
            events++;
            if (!byToken)
                break;
            await cancel.CancelAsync();
        }

        Assert.Equal((1, FinishReason.Cancelled), (events, start.Answer.Finish));
        Assert.Null(start.Answer.Error);
        await closed.Task;
    }

    [Fact]
    public async Task A_client_that_leaves_before_the_headers_closes_the_request()
    {
        TaskCompletionSource asked = new(), closed = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            asked.SetResult();
            await exchange.ClosedAsync();
            closed.SetResult();
            exchange.Abort();
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        using CancellationTokenSource cancel = new();
        Task<ChatStart> starting = backend.StartAsync(Ask(), cancel.Token).AsTask();
        await asked.Task;
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => starting);
        await closed.Task;
    }

    [Fact]
    public async Task An_answer_whose_reader_had_left_before_is_closed_unread()
    {
        TaskCompletionSource closed = new();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            await exchange.ClosedAsync();
            closed.SetResult();
            exchange.Abort();
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        Told told = await AskAsync(backend, Ask(), cancel: new CancellationToken(canceled: true));
        Assert.Equal((0, FinishReason.Cancelled), (told.Events.Count, told.Finish));
        await closed.Task;
    }

    [Fact]
    public async Task Connections_are_used_again()
    {
        await using FakeUpstream upstream = FakeUpstream.Rate(50, TimeSpan.Zero);
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        for (int i = 0; i < 3; i++)
            Assert.Equal((50, FinishReason.Stop), ((await AskAsync(backend, Ask())) is { } told ? (told.Events.Count, told.Finish) : default));
        Assert.Equal(3, upstream.Requests.Count);
        Assert.Single(upstream.Requests.Select(static sent => sent.Connection).Distinct());
    }

    /// <summary>Many answers at once, some of them left in the middle, over shared connections and buffers: each gets its own.</summary>
    [Fact]
    public async Task Answers_at_once_are_kept_apart()
    {
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            // The question is the seed of the answer.
            int seed = int.Parse(System.Text.Json.JsonDocument.Parse(exchange.Body).RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!, System.Globalization.CultureInfo.InvariantCulture);
            byte[] stream = System.Text.Encoding.UTF8.GetBytes(Chunks("stop", [.. Words(seed).Select(static word => $"{{\"content\":\"{word}\"}}")]));
            Random random = new(seed);
            await exchange.BeginStreamAsync();
            for (int at = 0; at < stream.Length;)
            {
                int count = Math.Min(random.Next(1, 900), stream.Length - at);
                await exchange.WriteAsync(stream.AsMemory(at, count));
                at += count;
                await Task.Yield();
            }

            await exchange.EndAsync();
        });
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address), TimeProvider.System, new LogLines());
        await Parallel.ForAsync(0, 200, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (seed, _) =>
        {
            using CancellationTokenSource cancel = new();
            ChatStart start = await backend.StartAsync(Ask(seed.ToString(System.Globalization.CultureInfo.InvariantCulture)), default);
            List<string> said = [];
            await foreach (ChatEvent piece in start.Answer!.ReadAsync(cancel.Token))
            {
                said.Add(piece.Text);
                if (seed % 5 == 0 && said.Count == 7)
                    await cancel.CancelAsync();
            }

            string[] words = Words(seed);
            if (seed % 5 == 0)
                Assert.Equal(words.Take(said.Count), said);
            else
                Assert.Equal((FinishReason.Stop, string.Concat(words)), (start.Answer.Finish, string.Concat(said)));
        });

        static string[] Words(int seed)
        {
            Random random = new(seed);
            return [.. Enumerable.Range(0, random.Next(20, 80)).Select(i => $"w{seed}-{i}" + new string('ä', random.Next(30)))];
        }
    }

    /// <summary>A clock that a test moves.</summary>
    private sealed class ManualTime : TimeProvider
    {
        private readonly Lock _gate = new();
        private readonly List<ManualTimer> _timers = [];
        private long _now = 1_000_000;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Volatile.Read(ref _now);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            ManualTimer timer = new(this, () => callback(state));
            timer.Change(dueTime, period);
            lock (_gate)
                _timers.Add(timer);
            return timer;
        }

        public void Advance(TimeSpan by)
        {
            Interlocked.Add(ref _now, by.Ticks);
            ManualTimer[] timers;
            lock (_gate)
                timers = [.. _timers];
            foreach (ManualTimer timer in timers)
                timer.Look();
        }

        private sealed class ManualTimer(ManualTime owner, Action fire) : ITimer
        {
            private long _due = long.MaxValue;

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                Volatile.Write(ref _due, dueTime == Timeout.InfiniteTimeSpan ? long.MaxValue : owner.GetTimestamp() + dueTime.Ticks);
                return true;
            }

            public void Look()
            {
                if (owner.GetTimestamp() < Volatile.Read(ref _due))
                    return;
                Volatile.Write(ref _due, long.MaxValue);
                fire();
            }

            public void Dispose() => Volatile.Write(ref _due, long.MaxValue);

            public ValueTask DisposeAsync()
            {
                Dispose();
                return default;
            }
        }
    }
}
