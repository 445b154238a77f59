using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Inference.Tests.Embedded.Hosting;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Routing;

public sealed class BackendPoolTests
{
    private static readonly RoutingOptions _quiet = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero } };

    [Fact]
    public async Task A_new_set_keeps_what_stays_and_lets_what_goes_finish()
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet, "a", "b");
        FakeBackend a = pool["a"], b = pool["b"];
        ChatRequest request = await pool.AskFor("b");
        TaskCompletionSource end = new();
        b.Reply = _ => new FakeReply("from b") { End = end.Task };
        ChatStart running = await pool.Chat.StartAsync(request, default);
        Task<string> reading = FakePool.ReadAsync(running.Answer!);
        PooledChatBackend chat = pool.Chat;
        long asked = pool.Status("a").Requests;

        pool.Apply(_quiet, FakePool.Define("a", weight: 7), FakePool.Define("c"));
        Assert.Same(chat, pool.Chat);
        Assert.Same(a, pool["a"]);
        Assert.Equal((7, asked), (pool.Status("a").Weight, pool.Status("a").Requests));
        Assert.Equal((BackendState.Draining, true, 1), (pool.Status("b").State, pool.Status("b").Removed, pool.Status("b").InFlight));
        Assert.False(pool.Pool.Drain("b", false));
        for (int i = 0; i < 50; i++)
            Assert.NotEqual("from b", (await pool.SayAsync(FakePool.Ask($"{i}"))).Text);

        end.SetResult();
        Assert.Equal("from b", await reading);
        await FakePool.UntilAsync(() => time.Waiting > 0);
        Assert.False(b.Disposed);
        time.Advance(TimeSpan.FromSeconds(1));
        await FakePool.UntilAsync(() => b.Disposed && pool.Pool.List().Count == 2);
        Assert.False(a.Disposed);
    }

    [Fact]
    public async Task A_definition_that_changes_is_another_backend_of_the_same_name()
    {
        await using FakePool pool = FakePool.Of("a");
        FakeBackend first = pool["a"];
        pool.Apply(_quiet, FakePool.Define("a") with { Url = new Uri("http://127.0.0.1:2") });
        Assert.NotSame(first, pool["a"]);
        await FakePool.UntilAsync(() => first.Disposed);
        pool.Apply(_quiet, FakePool.Define("a") with { Url = new Uri("http://127.0.0.1:2"), Headers = new Dictionary<string, string> { ["X"] = "1" } });
        Assert.Equal(3, pool.Made.Count);
        pool.Apply(_quiet, FakePool.Define("a") with { Url = new Uri("http://127.0.0.1:2"), Headers = new Dictionary<string, string> { ["X"] = "1" } });
        Assert.Equal(3, pool.Made.Count);
    }

    [Fact]
    public async Task A_set_with_a_backend_that_cannot_be_made_changes_nothing()
    {
        await using FakePool pool = FakePool.Of("a");
        BackendFileException fault = Assert.Throws<BackendFileException>(() => pool.Apply(_quiet, FakePool.Define("b"), FakePool.Define("impossible")));
        Assert.Contains("impossible", fault.Message, StringComparison.Ordinal);
        Assert.Contains("no tokenizer", fault.Message, StringComparison.Ordinal);
        Assert.True(pool["b"].Disposed);
        Assert.Equal("a", Assert.Single(pool.Pool.List()).Name);
        Assert.Equal("a", (await pool.SayAsync(FakePool.Ask("hi"))).Text);
    }

    [Fact]
    public async Task Models_come_and_go_and_who_follows_is_told()
    {
        await using FakePool pool = new(null, _quiet, FakePool.Define("a", models: ["m1", "m2"]), FakePool.Define("b", models: ["M2", "m3"]));
        int told = 0;
        pool.Pool.ModelsChanged = () => told++;
        Assert.Equal(["m1", "m2", "m3"], pool.Pool.Models.Select(model => model.Code));
        Assert.Equal("pool:m2", pool.Pool.Find("M2")!.Name);
        PooledChatBackend gone = pool.Pool.Find("m3")!;
        pool.Apply(_quiet, FakePool.Define("a", models: ["m1", "m2"]));
        Assert.Equal(1, told);
        Assert.Null(pool.Pool.Find("m3"));
        Assert.False(gone.IsReady);
        Assert.Equal(503, (await gone.StartAsync(FakePool.Ask("hi"), default)).Error!.Status);
    }

    [Fact]
    public async Task A_backend_of_this_process_stands_beside_the_files()
    {
        await using FakePool pool = FakePool.Of("a");
        FakeBackend own = new(FakePool.Define("own")) { Reply = _ => new FakeReply("own") };
        pool.Pool.AddLocal(own);
        pool.Apply(_quiet with { EmbeddedWeight = 0 });
        Assert.Equal("own", (await pool.SayAsync(FakePool.Ask("hi"))).Text);
        pool.Apply(_quiet with { EmbeddedWeight = 0 }, FakePool.Define("a"));
        Assert.Equal("a", (await pool.SayAsync(FakePool.Ask("hi"))).Text);
        Assert.Equal(0, pool.Status("own").Weight);
        await pool.Pool.DisposeAsync();
        Assert.False(own.Disposed);
    }

    [Fact]
    public async Task An_operators_weight_lasts_until_the_file_says_another()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        Assert.True(pool.Pool.SetWeight("A", 0));
        pool.Apply(_quiet, FakePool.Define("a"), FakePool.Define("b"), FakePool.Define("c"));
        Assert.Equal(0, pool.Status("a").Weight);
        pool.Apply(_quiet, FakePool.Define("a", weight: 50), FakePool.Define("b"));
        Assert.Equal(50, pool.Status("a").Weight);
        Assert.False(pool.Pool.SetWeight("nobody", 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => pool.Pool.SetWeight("a", 1001));
    }

    [Fact]
    public async Task One_that_fails_is_ejected_tried_again_and_comes_back()
    {
        ManualTime time = new();
        RoutingOptions options = _quiet with { Eject = new EjectOptions { Failures = 3, Time = TimeSpan.FromSeconds(10) } };
        await using FakePool pool = FakePool.Of(time, options, "a", "b");
        ChatRequest request = await pool.AskFor("a");
        pool["a"].Reply = _ => FakeReply.Down();
        for (int i = 0; i < 5; i++)
            Assert.Equal("b", (await pool.SayAsync(request with { Conversation = FakePool.Ask($"new {i}").Conversation })).Text);
        while (pool.Status("a").State == BackendState.Ready)
            Assert.Equal("b", (await pool.SayAsync(FakePool.Ask($"{Guid.NewGuid()}"))).Text);
        int asked = pool["a"].Started;
        Assert.Equal((BackendState.Ejected, 3), (pool.Status("a").State, asked - 1 >= 3 ? 3 : asked));
        Assert.Equal(TimeSpan.FromSeconds(10), pool.Status("a").EjectedFor);
        for (int i = 0; i < 50; i++)
            await pool.SayAsync(FakePool.Ask($"x{i}"));
        Assert.Equal(asked, pool["a"].Started);

        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(BackendState.HalfOpen, pool.Status("a").State);
        pool["a"].Reply = _ => new FakeReply("a");
        for (int i = 0; pool.Status("a").State != BackendState.Ready; i++)
            await pool.SayAsync(FakePool.Ask($"y{i}"));
        Assert.Contains(pool.Pool.Events, item => item is { Backend: "a", What: "ejected" });
        Assert.Contains(pool.Pool.Events, item => item is { Backend: "a", What: "closed" });
    }

    [Fact]
    public async Task Never_more_than_a_share_is_ejected_and_never_the_last()
    {
        RoutingOptions options = _quiet with { Attempts = 1, Eject = new EjectOptions { Failures = 1, Rate = 0, Share = 0.5, Time = TimeSpan.FromHours(1), LongestTime = TimeSpan.FromHours(1) } };
        await using FakePool pool = FakePool.Of(TimeProvider.System, options, "a", "b", "c", "d");
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => FakeReply.Down();
        for (int i = 0; i < 200; i++)
            await pool.Chat.StartAsync(FakePool.Ask($"{i}"), default);
        Assert.Equal(2, pool.Pool.List().Count(backend => backend.State == BackendState.Ejected));
        Assert.True(pool.Chat.IsReady);

        await using FakePool one = FakePool.Of(TimeProvider.System, options, "a");
        one["a"].Reply = _ => FakeReply.Down();
        for (int i = 0; i < 20; i++)
            await one.Chat.StartAsync(FakePool.Ask($"{i}"), default);
        Assert.Equal(BackendState.Ready, one.Status("a").State);
        Assert.Equal("it is broken", one.Status("a").LastError);
    }

    [Fact]
    public async Task Those_that_wait_for_their_trial_count_as_out_of_use()
    {
        ManualTime time = new();
        RoutingOptions options = _quiet with { Attempts = 1, Eject = new EjectOptions { Failures = 1, Rate = 0, Share = 0.5, Time = TimeSpan.FromSeconds(10) } };
        await using FakePool pool = FakePool.Of(time, options, "a", "b", "c", "d");
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => FakeReply.Down();
        for (int round = 0; round < 20; round++)
        {
            for (int i = 0; i < 50; i++)
                await pool.Chat.StartAsync(FakePool.Ask($"{round} {i}"), default);
            Assert.Equal(2, pool.Pool.List().Count(backend => backend.State == BackendState.Ready));
            time.Advance(TimeSpan.FromMinutes(10));
            Assert.Equal(2, pool.Pool.List().Count(backend => backend.State == BackendState.HalfOpen));
        }
    }

    [Fact]
    public async Task Probes_take_a_backend_out_and_bring_it_back()
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet with { Probe = new ProbeOptions { Interval = TimeSpan.FromHours(1), Failures = 2, Successes = 2 } }, "a", "b");

        // Their own first probes are behind them when both wait for the next.
        await FakePool.UntilAsync(() => pool.Pool.List().All(backend => backend.Probe is not null) && time.Waiting == 2);
        pool["a"].Probe = () => Task.FromResult(new BackendProbe(false, "connection refused"));
        await pool.Pool.ProbeAsync(default);
        Assert.Equal(BackendState.Ready, pool.Status("a").State);
        await pool.Pool.ProbeAsync(default);
        Assert.Equal((BackendState.Down, "connection refused"), (pool.Status("a").State, pool.Status("a").Why));
        Assert.Equal(BackendState.Ready, pool.Status("b").State);
        for (int i = 0; i < 20; i++)
            Assert.Equal("b", (await pool.SayAsync(FakePool.Ask($"{i}"))).Text);
        pool["a"].Probe = () => throw new InvalidOperationException();
        await pool.Pool.ProbeAsync(default);
        pool["a"].Probe = () => Task.FromResult(new BackendProbe(true, "") { Running = 3, Waiting = 4 });
        await pool.Pool.ProbeAsync(default);
        Assert.Equal(BackendState.Down, pool.Status("a").State);
        await pool.Pool.ProbeAsync(default);
        Assert.Equal((BackendState.Ready, 7), (pool.Status("a").State, pool.Status("a").Load));
    }

    [Fact]
    public async Task Whoever_waits_for_the_first_probe_finds_what_it_showed()
    {
        RoutingOptions options = _quiet with { Probe = new ProbeOptions { Interval = TimeSpan.FromHours(1), Failures = 1 } };
        await using FakePool pool = FakePool.Of(TimeProvider.System, options, "a");
        TaskCompletionSource go = new();
        bool? early = null;
        pool.Pool.Observer = item => early = item.What == "down" ? pool.Pool.FirstProbesAsync(TimeSpan.FromHours(1)).IsCompleted : early;
        pool.Coming = coming => coming.Probe = async () =>
        {
            await go.Task;
            return new BackendProbe(false, "nobody answers");
        };
        pool.Apply(options, FakePool.Define("b"));
        Task probed = pool.Pool.FirstProbesAsync(TimeSpan.FromHours(1));
        go.SetResult();
        await probed.WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        Assert.Equal((BackendState.Down, false), (pool.Status("b").State, early));
    }

    [Fact]
    public async Task A_probe_that_hangs_is_a_failure_and_probes_come_at_intervals()
    {
        ManualTime time = new();
        RoutingOptions options = new() { Probe = new ProbeOptions { Interval = TimeSpan.FromSeconds(10), Timeout = TimeSpan.FromSeconds(3), Failures = 2 } };
        await using FakePool pool = FakePool.Of(time, options, "a");

        // A probe is over when it was judged; while it runs, the timer of its time limit waits.
        await FakePool.UntilAsync(() => pool.Pool.List()[0].Probe is { Alive: true } && time.Waiting > 0);
        TaskCompletionSource<BackendProbe> never = new();
        pool["a"].Probe = () => never.Task;
        for (int i = 2; i <= 3; i++)
        {
            time.Advance(TimeSpan.FromSeconds(11.1));
            await FakePool.UntilAsync(() => pool["a"].Probes == i && time.Waiting > 0);
            time.Advance(TimeSpan.FromSeconds(3));
            await FakePool.UntilAsync(() => pool.Pool.List()[0].Probe is { Alive: false } && time.Waiting > 0);
        }

        await FakePool.UntilAsync(() => pool.Status("a").State == BackendState.Down);
        Assert.Contains("3 s", pool.Status("a").Why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_has_just_come_is_waited_for_until_its_first_probe()
    {
        await using FakePool pool = FakePool.Of("a");
        await pool.Pool.FirstProbesAsync(TimeSpan.FromMinutes(1));
        pool["a"].IsReady = false;
        Assert.False(pool.Chat.IsReady);
        TaskCompletionSource<BackendProbe> probe = new();
        pool.Coming = backend =>
        {
            backend.IsReady = false;
            backend.Probe = () => probe.Task;
        };
        pool.Apply(_quiet with { Wait = TimeSpan.FromMinutes(1) }, FakePool.Define("b"));
        Assert.True(pool.Chat.IsReady);
        Assert.Equal(BackendState.Down, pool.Status("b").State);
        Task<ChatStart> waiting = pool.Chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        await pool.Pool.FirstProbesAsync(TimeSpan.FromMilliseconds(1));
        Assert.False(waiting.IsCompleted);
        await FakePool.UntilAsync(() => pool["b"].Probes == 1);
        pool["b"].IsReady = true;
        probe.SetResult(new BackendProbe(true, "fine"));
        Assert.Equal("b", await FakePool.ReadAsync((await waiting).Answer!));
        await pool.Pool.FirstProbesAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Waiting_requests_are_served_when_a_backend_comes_back()
    {
        await using FakePool pool = new(null, _quiet with { Wait = TimeSpan.FromMinutes(1) }, FakePool.Define("a", maxInFlight: 1), FakePool.Define("b"));
        pool.Pool.Drain("b", true);
        ChatStart running = await pool.Chat.StartAsync(FakePool.Ask("0"), default);
        Task<ChatStart> waiting = pool.Chat.StartAsync(FakePool.Ask("1"), default).AsTask();
        Assert.False(waiting.IsCompleted);
        pool.Pool.Drain("b", false);
        Assert.Equal("b", await FakePool.ReadAsync((await waiting).Answer!));
        await FakePool.ReadAsync(running.Answer!);
    }
}
