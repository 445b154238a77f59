using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;

namespace Glimmer.Inference.Tests.Routing;

/// <summary>Sets of backends that are replaced under load.</summary>
public sealed class ReloadTests
{
    private static readonly RoutingOptions _patient = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero }, Wait = TimeSpan.FromMinutes(1), WaitLength = 100_000 };

    [Theory]
    [InlineData(256)]
    [InlineData(1)]
    public async Task No_request_is_lost_and_no_stream_is_cut_while_sets_are_replaced(int places)
    {
        await using FakePool pool = new(null, _patient, Definition(0, places));
        pool.Coming = static backend => backend.Reply = static _ => new FakeReply([.. "one two three four five six".Split(' ')]);
        pool.Apply(_patient, Definition(1, places));
        int streams = 0;
        Task asking = Parallel.ForAsync(0, 2_000, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, cancel) =>
        {
            ChatStart start = await pool.Chat.StartAsync(FakePool.Ask($"{i}"), cancel);
            Assert.True(start.Answer is not null, start.Error?.Message);
            Assert.Equal("onetwothreefourfivesix", await FakePool.ReadAsync(start.Answer, cancel));
            Assert.Equal(FinishReason.Stop, start.Answer.Finish);
            Interlocked.Increment(ref streams);
        });
        for (int version = 2; version < 400 || !asking.IsCompleted; version++)
        {
            pool.Apply(_patient, Definition(version, places));
            await Task.Yield();
        }

        await asking;
        Assert.Equal(2_000, streams);
        Assert.Equal(0, pool.Chat.Waiting);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    public async Task Who_looks_at_a_set_while_it_is_replaced_is_served_by_the_next(int patience)
    {
        RoutingOptions options = _patient with { Wait = TimeSpan.FromSeconds(patience) };
        await using FakePool pool = new(null, options, Definition(0, 1));
        FakeBackend old = pool["a"];
        int looks = 0, asker = Environment.CurrentManagedThreadId;
        old.Looked = () =>
        {
            // Its first probe looks too, from elsewhere.
            if (Environment.CurrentManagedThreadId == asker && looks++ == 0)
                pool.Apply(options, Definition(1, 1));
        };
        Assert.Equal("a", (await pool.SayAsync(FakePool.Ask("0"))).Text);
        Assert.Equal((0, 1), (old.Started, pool["a"].Started));
    }

    [Fact]
    public async Task Who_waits_is_served_by_the_backend_that_takes_the_place_of_a_full_one()
    {
        await using FakePool pool = new(null, _patient, Definition(0, 1));
        TaskCompletionSource end = new();
        pool["a"].Reply = _ => new FakeReply("old") { End = end.Task };
        Task<string> running = FakePool.ReadAsync((await pool.Chat.StartAsync(FakePool.Ask("0"), default)).Answer!);
        Task<ChatStart> waiting = pool.Chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        Assert.Equal(1, pool.Chat.Waiting);
        pool.Coming = static backend => backend.Reply = static _ => new FakeReply("new");
        pool.Apply(_patient, Definition(1, 1));
        Assert.Equal("new", await FakePool.ReadAsync((await waiting).Answer!));
        end.SetResult();
        Assert.Equal("old", await running);
    }

    [Fact]
    public async Task Who_waits_for_a_model_that_goes_is_told_so_at_once()
    {
        await using FakePool pool = new(null, _patient, Definition(0, 1));
        ChatStart running = await pool.Chat.StartAsync(FakePool.Ask("0"), default);
        PooledChatBackend chat = pool.Chat;
        Task<ChatStart> waiting = chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        Assert.Equal(1, chat.Waiting);
        pool.Apply(_patient, FakePool.Define("b", models: "another"));
        ChatStart refused = await waiting;
        Assert.Equal((503, 0), (refused.Error!.Status, chat.Waiting));
        Assert.Equal("a", await FakePool.ReadAsync(running.Answer!));
    }

    [Fact]
    public async Task Who_needs_another_kind_of_backend_holds_up_nobody()
    {
        await using FakePool pool = new(null, _patient, FakePool.Define("raw", maxInFlight: 1), FakePool.Define("chat", maxInFlight: 1));
        pool["raw"].TakesRawPrompts = true;
        ChatRequest raw = FakePool.Ask("x") with { Raw = new RawPrompt("x", [1, 2]) };
        ChatStart one = await pool.Chat.StartAsync(raw, default);
        ChatStart two = await pool.Chat.StartAsync(FakePool.Ask("0"), default);
        Task<ChatStart> needsRaw = pool.Chat.StartAsync(raw, default).AsTask(), needsAny = pool.Chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        Assert.Equal(2, pool.Chat.Waiting);
        await FakePool.ReadAsync(two.Answer!);
        Assert.Equal("chat", await FakePool.ReadAsync((await needsAny).Answer!));
        Assert.False(needsRaw.IsCompleted);
        await FakePool.ReadAsync(one.Answer!);
        Assert.Equal("raw", await FakePool.ReadAsync((await needsRaw).Answer!));
    }

    private static BackendDefinition Definition(int version, int places) => FakePool.Define("a", maxInFlight: places) with { Url = new Uri($"http://127.0.0.1:1/{version}") };
}
