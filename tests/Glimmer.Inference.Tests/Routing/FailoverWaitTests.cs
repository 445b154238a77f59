using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Tests.Embedded.Hosting;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Routing;

/// <summary>
/// A request that failed somewhere while all others are full waits for one of them. Without that a backend that fails at once and may not be
/// ejected, as too many others are, draws every request to it and fails them all.
/// </summary>
public sealed class FailoverWaitTests
{
    private static readonly RoutingOptions _options = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero }, Eject = new EjectOptions { Failures = 0, Rate = 0 } };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_waits_for_one_that_is_full(bool atStart)
    {
        await using Scene scene = await Scene.BeginAsync(null, _options with { Wait = TimeSpan.FromMinutes(5) });
        scene.Pool["a"].Reply = _ => atStart ? FakeReply.Down() : new FakeReply("x") { FailsAt = 0 };
        Task<(string Text, IChatAnswer Answer)> saying = scene.Pool.SayAsync(scene.ForA);
        await FakePool.UntilAsync(() => scene.Pool.Chat.Waiting == 1);
        Assert.False(saying.IsCompleted);
        await scene.EndAsync();
        (string text, IChatAnswer answer) = await saying;
        Assert.Equal(("b", FinishReason.Stop, 2), (text, answer.Finish, ((IRoutedAnswer)answer).Attempts));
        Assert.Equal((0, 1L), (scene.Pool.Chat.Waiting, scene.Pool.Status("a").FailedOver));
        Assert.All(scene.Pool.Pool.List(), backend => Assert.Equal(0, backend.InFlight));
    }

    [Fact]
    public async Task It_stands_before_those_that_have_been_nowhere_and_holds_up_nobody()
    {
        await using Scene scene = await Scene.BeginAsync(null, _options with { Wait = TimeSpan.FromMinutes(5) });
        scene.Pool["a"].Reply = _ => FakeReply.Down();
        Task<ChatStart> again = scene.Pool.Chat.StartAsync(scene.ForA, default).AsTask();
        await FakePool.UntilAsync(() => scene.Pool.Chat.Waiting == 1);

        // What waits for the other lets who may go to this one through.
        TaskCompletionSource end = new();
        scene.Pool["a"].Reply = _ => new FakeReply("a") { End = end.Task };
        ChatStart through = await scene.Pool.Chat.StartAsync(scene.ForA, default);
        Assert.Equal("a", ((IRoutedAnswer)through.Answer!).Backend);
        Task<string> reading = FakePool.ReadAsync(through.Answer!);

        // Now both are full, and who came last stands last, though either would do for it.
        Task<ChatStart> first = scene.Pool.Chat.StartAsync(scene.ForA, default).AsTask();
        Assert.Equal(2, scene.Pool.Chat.Waiting);
        await scene.EndAsync();
        ChatStart served = await again;
        Assert.Equal(("b", false), (((IRoutedAnswer)served.Answer!).Backend, first.IsCompleted));
        end.SetResult();
        Assert.Equal("a", await reading);
        Assert.Equal("b", await FakePool.ReadAsync(served.Answer!));
        Assert.NotNull((await first).Answer);
        await FakePool.ReadAsync((await first).Answer!);
        Assert.Equal(0, scene.Pool.Chat.Waiting);
    }

    [Fact]
    public async Task It_hears_at_once_how_the_last_one_failed_when_no_other_is_well_any_more()
    {
        await using Scene scene = await Scene.BeginAsync(null, _options with { Wait = TimeSpan.FromMinutes(5) });
        scene.Pool["a"].Reply = _ => FakeReply.Down("it is on fire");
        Task<ChatStart> start = scene.Pool.Chat.StartAsync(scene.ForA, default).AsTask();
        await FakePool.UntilAsync(() => scene.Pool.Chat.Waiting == 1);
        scene.Pool.Pool.Drain("b", true);
        Assert.Equal("it is on fire", (await start).Error!.Message);
        Assert.Equal(0, scene.Pool.Chat.Waiting);

        // And who comes later does not even begin to wait.
        Assert.Equal("it is on fire", (await scene.Pool.Chat.StartAsync(scene.ForA, default)).Error!.Message);
    }

    [Fact]
    public async Task It_hears_at_once_when_the_one_that_was_coming_turns_out_to_be_away()
    {
        ManualTime time = new();
        TaskCompletionSource<BackendProbe> probe = new();
        await using FakePool pool = new(time, _options with { Wait = TimeSpan.FromMinutes(5) }, FakePool.Define("a"));
        await pool.Pool.FirstProbesAsync(TimeSpan.FromMinutes(1));
        pool["a"].Reply = _ => FakeReply.Down("it is on fire");
        pool.Coming = coming =>
        {
            coming.IsReady = false;
            coming.Probe = () => probe.Task;
        };
        pool.Apply(_options with { Wait = TimeSpan.FromMinutes(5) }, FakePool.Define("a"), FakePool.Define("b"));
        await FakePool.UntilAsync(() => pool["b"].Probes == 1);
        Task<ChatStart> start = pool.Chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        await FakePool.UntilAsync(() => pool.Chat.Waiting == 1);
        probe.SetResult(new BackendProbe(false, "nobody answers"));
        Assert.Equal("it is on fire", (await start.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken)).Error!.Message);
    }

    [Fact]
    public async Task It_goes_to_one_that_was_ejected_as_soon_as_its_time_is_over()
    {
        ManualTime time = new();
        RoutingOptions options = _options with { Wait = TimeSpan.FromMinutes(5), Attempts = 1, Eject = new EjectOptions { Failures = 1, Rate = 0, Time = TimeSpan.FromSeconds(10) } };
        await using Scene scene = await Scene.BeginAsync(time, options);
        scene.Pool["a"].Reply = _ => FakeReply.Down();
        Assert.NotNull((await scene.Pool.Chat.StartAsync(scene.ForA, default)).Error);
        Assert.Equal(BackendState.Ejected, scene.Pool.Status("a").State);
        scene.Pool["a"].Reply = _ => new FakeReply("a");
        Task<ChatStart> start = scene.Pool.Chat.StartAsync(scene.ForA, default).AsTask();
        Assert.Equal(1, scene.Pool.Chat.Waiting);
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(start.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal("a", await FakePool.ReadAsync((await start.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken)).Answer!));
        Assert.Equal(BackendState.Ready, scene.Pool.Status("a").State);
    }

    [Theory]
    [InlineData(5, 100)]
    [InlineData(100, 5)]
    public async Task It_waits_no_longer_than_either_limit(int wait, int within)
    {
        ManualTime time = new();
        await using Scene scene = await Scene.BeginAsync(time, _options with { Wait = TimeSpan.FromSeconds(wait), FailoverWithin = TimeSpan.FromSeconds(within) });
        scene.Pool["a"].Reply = _ => FakeReply.Busy(TimeSpan.FromSeconds(9));
        Task<ChatStart> start = scene.Pool.Chat.StartAsync(scene.ForA, default).AsTask();
        await FakePool.UntilAsync(() => scene.Pool.Chat.Waiting == 1 && time.Waiting > 0);
        time.Advance(TimeSpan.FromSeconds(4));
        Assert.False(start.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(2));
        ChatStart refused = await start;
        Assert.Equal((StartFault.Busy, TimeSpan.FromSeconds(9)), (refused.Fault, refused.Error!.RetryAfter));
        Assert.Equal(0, scene.Pool.Chat.Waiting);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_leaves_meanwhile_is_gone_without_a_trace(bool atStart)
    {
        await using Scene scene = await Scene.BeginAsync(null, _options with { Wait = TimeSpan.FromMinutes(5) });
        scene.Pool["a"].Reply = _ => atStart ? FakeReply.Down() : new FakeReply("x") { FailsAt = 0 };
        using CancellationTokenSource leave = new();
        Task<ChatStart> start = scene.Pool.Chat.StartAsync(scene.ForA, leave.Token).AsTask();
        Task<string>? reading = atStart ? null : FakePool.ReadAsync((await start).Answer!, leave.Token);
        await FakePool.UntilAsync(() => scene.Pool.Chat.Waiting == 1);
        await leave.CancelAsync();
        if (reading is null)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => start);
        }
        else
        {
            Assert.Equal("", await reading);
            Assert.Equal(FinishReason.Cancelled, (await start).Answer!.Finish);
        }

        Assert.Equal(0, scene.Pool.Chat.Waiting);
        await scene.EndAsync();
        Assert.All(scene.Pool.Pool.List(), backend => Assert.Equal(0, backend.InFlight));
    }

    [Fact]
    public async Task One_that_fails_at_once_does_not_draw_all_requests_to_it()
    {
        await using FakePool pool = new(null, _options with { Wait = TimeSpan.FromMinutes(5) }, FakePool.Define("dead"), FakePool.Define("well", maxInFlight: 2));
        pool["dead"].Reply = _ => FakeReply.Down();
        pool["well"].Reply = _ => new FakeReply("1", "2", "3") { Start = Task.Delay(1) };
        (string Text, IChatAnswer Answer)[] all = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => pool.SayAsync(FakePool.Ask($"{i}"))));
        Assert.All(all, said => Assert.Equal("123", said.Text));
    }

    /// <summary>Two backends: a takes one at a time and is free, b does too and is busy until told.</summary>
    private sealed class Scene : IAsyncDisposable
    {
        private readonly TaskCompletionSource _end = new();
        private Task<string>? _running;

        private Scene(FakePool pool) => Pool = pool;

        public FakePool Pool { get; }

        /// <summary>A question that leads to a.</summary>
        public ChatRequest ForA { get; private init; } = FakePool.Ask();

        public static async Task<Scene> BeginAsync(TimeProvider? time, RoutingOptions options)
        {
            FakePool pool = new(time, options, FakePool.Define("a", maxInFlight: 1), FakePool.Define("b", maxInFlight: 1));
            Scene scene = new(pool) { ForA = await pool.AskFor("a") };
            ChatRequest other = await pool.AskFor("b");
            pool["b"].Reply = _ => new FakeReply("b") { End = scene._end.Task };
            ChatStart start = await pool.Chat.StartAsync(other, default);
            Assert.Equal("b", ((IRoutedAnswer)start.Answer!).Backend);
            scene._running = FakePool.ReadAsync(start.Answer!);
            pool["b"].Reply = _ => new FakeReply("b");
            return scene;
        }

        public async Task EndAsync()
        {
            _end.TrySetResult();
            await _running!;
        }

        public async ValueTask DisposeAsync()
        {
            await EndAsync();
            await Pool.DisposeAsync();
        }
    }
}
