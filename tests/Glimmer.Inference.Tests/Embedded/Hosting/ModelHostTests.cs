using Glimmer.Dialogue.Output;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Models;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Embedded.Hosting;

public sealed class ModelHostTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task Concurrent_first_requests_load_once()
    {
        FakeLoader loader = new(("a", 5));
        using ManualResetEventSlim gate = loader.Hold("a");
        await using ModelHost host = Host(loader, 10);
        Assert.All(host.Backends, backend => Assert.True(backend.IsReady));

        Task<ChatStart>[] asked = [.. Enumerable.Range(0, 16).Select(_ => host.AskAsync("a"))];
        Assert.Equal((HostedModelState.Loading, 16), (host.Of("a").State, host.Of("a").InFlight));
        gate.Set();
        ChatStart[] started = await Task.WhenAll(asked);

        Assert.All(started, start => Assert.NotNull(start.Answer));
        Assert.Equal("+a", loader.Log);
        Assert.Equal(16, host.Of("a").InFlight);
        foreach (ChatStart start in started)
            ((FakeLoader.FakeAnswer)start.Answer!).End();
        Assert.Equal((HostedModelState.Loaded, 0, 5L, 1L), (host.Of("a").State, host.Of("a").InFlight, host.Of("a").Bytes, host.Of("a").Loads));
    }

    [Fact]
    public async Task The_least_recently_used_model_makes_room()
    {
        FakeLoader loader = new(("a", 4), ("b", 4), ("c", 4), ("d", 8));
        await using ModelHost host = Host(loader, 12);
        foreach (string code in (string[])["a", "b", "c", "a"])
            await host.UseAsync(code);

        await host.UseAsync("d"); // takes the room of b and c; a was used after them
        Assert.Equal(["+a", "+b", "+c", "+d"], loader.Log.Split(' ').Where(entry => entry[0] == '+'));
        Assert.Equal(["-b", "-c"], loader.Log.Split(' ').Where(entry => entry[0] == '-').Order(StringComparer.Ordinal));
        Assert.Equal(12, host.Statistics.UsedBytes);
        Assert.Equal(12, loader.MostBytes);
        await host.UseAsync("a");
        Assert.Equal(1, host.Of("a").Loads);
    }

    [Fact]
    public async Task A_model_with_an_answer_in_flight_is_never_evicted_and_the_load_waits_for_it()
    {
        FakeLoader loader = new(("a", 6), ("b", 6));
        await using ModelHost host = Host(loader, 10);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");

        Task<ChatStart> other = host.AskAsync("b");
        await HostedCalls.UntilAsync(() => _time.Waiting == 1);
        Assert.Equal("+a", loader.Log);
        running.End();

        Assert.NotNull((await other).Answer);
        Assert.Equal("+a -a +b", loader.Log);
        Assert.Equal(6, loader.MostBytes);
    }

    [Fact]
    public async Task A_load_that_finds_no_room_in_time_is_refused_with_the_numbers()
    {
        FakeLoader loader = new(("a", 6 << 20), ("b", 5 << 20));
        await using ModelHost host = Host(loader, 10 << 20);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");

        Task<ChatStart> other = host.AskAsync("b");
        await HostedCalls.UntilAsync(() => _time.Waiting == 1);
        _time.Advance(TimeSpan.FromSeconds(30));
        PlatformError refusal = (await other).Error!;

        Assert.Equal((BusinessCode.Overloaded, 503), (refusal.Code, refusal.Status));
        foreach (string part in (string[])["model b", "5.0 MiB", "10.0 MiB", "6.0 MiB", "weights and all"])
            Assert.Contains(part, refusal.Message, StringComparison.Ordinal);
        Assert.Equal(HostedModelState.Loaded, host.Of("a").State);
        Assert.Equal(refusal.Message, host.Of("b").LastError);

        running.End();
        _time.Advance(TimeSpan.FromSeconds(2));
        await host.UseAsync("b");
        Assert.Null(host.Of("b").LastError);
    }

    [Fact]
    public async Task A_model_larger_than_the_budget_is_refused_and_nothing_is_evicted_for_it()
    {
        FakeLoader loader = new(("a", 6), ("b", 11));
        await using ModelHost host = Host(loader, 10);
        await host.UseAsync("a");
        PlatformError refusal = (await host.AskAsync("b")).Error!;
        Assert.Contains("does not fit at all", refusal.Message, StringComparison.Ordinal);
        Assert.Equal("+a", loader.Log);
    }

    [Fact]
    public async Task Nothing_is_evicted_in_vain()
    {
        FakeLoader loader = new(("a", 3), ("b", 4), ("c", 8));
        await using ModelHost host = Host(loader, 10);
        await host.UseAsync("a");
        FakeLoader.FakeAnswer running = await host.StartAsync("b");
        Task<ChatStart> large = host.AskAsync("c");
        await HostedCalls.UntilAsync(() => _time.Waiting == 1);
        Assert.Equal("+a +b", loader.Log);
        running.End();
        Assert.NotNull((await large).Answer);
        Assert.Equal(8, host.Statistics.UsedBytes);
    }

    [Fact]
    public async Task An_unload_lets_the_stream_end_and_the_next_request_loads_anew()
    {
        FakeLoader loader = new(("a", 4));
        await using ModelHost host = Host(loader, 10);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");
        Task<string> reading = running.ReadAsync();

        Task<bool> unload = host.UnloadAsync("A");
        await host.UseAsync("a");
        Assert.Equal("+a +a", loader.Log);
        Assert.False(unload.IsCompleted);
        running.End();

        Assert.Equal("a", await reading);
        Assert.True(await unload);
        Assert.Equal("+a +a -a", loader.Log);
        Assert.Equal(4, host.Statistics.UsedBytes);
        Assert.True(await host.UnloadAsync("a"));
        Assert.False(await host.UnloadAsync("a"));
        Assert.Equal(0, host.Statistics.UsedBytes);
        await Assert.ThrowsAsync<ArgumentException>(() => host.UnloadAsync("x"));
    }

    [Fact]
    public async Task An_answer_that_outlasts_the_grace_is_ended()
    {
        FakeLoader loader = new(("a", 4));
        await using ModelHost host = Host(loader, 10);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");
        Task<bool> unload = host.UnloadAsync("a");
        await HostedCalls.UntilAsync(() => _time.Waiting == 1);
        _time.Advance(TimeSpan.FromSeconds(20));
        Assert.True(await unload);
        Assert.Equal("", await running.ReadAsync());
        Assert.Equal(FinishReason.Cancelled, running.Finish);
    }

    [Fact]
    public async Task An_unload_waits_for_a_load_and_those_who_waited_are_served()
    {
        FakeLoader loader = new(("a", 4));
        using ManualResetEventSlim gate = loader.Hold("a");
        await using ModelHost host = Host(loader, 10);
        Task<ChatStart> asked = host.AskAsync("a");
        Task<bool> unload = host.UnloadAsync("a");
        gate.Set();
        FakeLoader.FakeAnswer answer = (FakeLoader.FakeAnswer)(await asked).Answer!;
        answer.End();
        Assert.Equal("a", await answer.ReadAsync());
        Assert.True(await unload);
        Assert.Equal("+a -a", loader.Log);
    }

    [Fact]
    public async Task A_failed_load_is_told_to_all_and_tried_again_after_a_while()
    {
        FakeLoader loader = new(("a", 4));
        ManualResetEventSlim gate = loader.Hold("a");
        loader.Fail("a", new ModelFileException("/secret/a.gguf", "is cut short."));
        await using ModelHost host = Host(loader, 10);
        Task<ChatStart>[] asked = [.. Enumerable.Range(0, 4).Select(_ => host.AskAsync("a"))];
        gate.Set();

        foreach (ChatStart start in await Task.WhenAll(asked))
        {
            Assert.Equal((BusinessCode.Network, 503), (start.Error!.Code, start.Error.Status));
            Assert.DoesNotContain("secret", start.Error.Message, StringComparison.Ordinal);
        }

        Assert.Contains("cut short", host.Of("a").LastError, StringComparison.Ordinal);
        Assert.Equal(0, host.Statistics.UsedBytes);
        Assert.NotNull((await host.AskAsync("a")).Error);
        await Assert.ThrowsAsync<ChatRequestException>(async () => await host.Backends[0].CountTokensAsync(FakeLoader.Request("a"), default));
        Assert.Equal("+a", loader.Log);
        Assert.True(host.Backends[0].IsReady);

        _time.Advance(TimeSpan.FromSeconds(2));
        await host.UseAsync("a");
        Assert.Equal("+a +a", loader.Log);
        Assert.Equal(7, await host.Backends[0].CountTokensAsync(FakeLoader.Request("a"), default));
        Assert.Equal(0, host.Of("a").InFlight);
    }

    [Fact]
    public async Task Whoever_stops_waiting_leaves_no_lease_behind()
    {
        FakeLoader loader = new(("a", 6), ("b", 6));
        using ManualResetEventSlim gate = loader.Hold("a");
        await using ModelHost host = Host(loader, 10);
        using CancellationTokenSource cancel = new();
        Task<ChatStart> leaves = host.AskAsync("a", cancel.Token), stays = host.AskAsync("a");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaves);
        Assert.Equal(1, host.Of("a").InFlight);
        gate.Set();
        ((FakeLoader.FakeAnswer)(await stays).Answer!).End();
        Assert.Equal(0, host.Of("a").InFlight);
        await host.UseAsync("b");
        Assert.Equal("+a -a +b", loader.Log);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_that_changed_or_was_cut_short_means_a_new_load(bool truncated)
    {
        FakeLoader loader = new(("a", 4));
        await using ModelHost host = Host(loader, 10);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");
        FakeLoader.FakeBackend old = loader.Backends["a"];
        old.Files = truncated ? WeightFileState.Truncated : WeightFileState.Changed;
        await host.UseAsync("a");
        Assert.Equal((0, "+a"), (old.Checks, loader.Log)); // not yet: files are looked at once in a while

        _time.Advance(TimeSpan.FromSeconds(1));
        loader.Fail("a", new ModelFileException("a.gguf", "is cut short."));
        Assert.NotNull((await host.AskAsync("a")).Error);
        Assert.Equal(1, old.Checks);
        if (truncated)
            Assert.Equal("", await running.ReadAsync()); // ended at once: it could touch what is missing
        else
            running.End();
        await HostedCalls.UntilAsync(() => old.Closed);
        _time.Advance(TimeSpan.FromSeconds(2));
        await host.UseAsync("a");
        Assert.NotSame(old, loader.Backends["a"]);
    }

    [Fact]
    public async Task A_file_that_is_gone_goes_on_answering()
    {
        FakeLoader loader = new(("a", 4));
        await using ModelHost host = Host(loader, 10);
        await host.UseAsync("a");
        loader.Backends["a"].Files = WeightFileState.Gone;
        for (int i = 0; i < 3; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await host.UseAsync("a");
        }

        Assert.Equal(("+a", 3), (loader.Log, loader.Backends["a"].Checks));
    }

    [Fact]
    public async Task A_stop_refuses_the_new_ends_the_old_and_gives_up_waiting_loads()
    {
        FakeLoader loader = new(("a", 6), ("b", 6));
        ModelHost host = Host(loader, 10);
        FakeLoader.FakeAnswer running = await host.StartAsync("a");
        Task<ChatStart> waiting = host.AskAsync("b");
        await HostedCalls.UntilAsync(() => _time.Waiting == 1);
        await host.DisposeAsync();

        Assert.NotNull((await waiting).Error);
        Assert.Equal("", await running.ReadAsync());
        Assert.Equal("+a -a", loader.Log);
        Assert.Equal(0, host.Statistics.UsedBytes);
        Assert.False(host.Backends[0].IsReady);
        Assert.Contains("stopped", (await host.AskAsync("a")).Error!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_during_a_load_closes_what_was_loaded()
    {
        FakeLoader loader = new(("a", 6));
        using ManualResetEventSlim gate = loader.Hold("a");
        ModelHost host = Host(loader, 10);
        Task<ChatStart> asked = host.AskAsync("a");
        await HostedCalls.UntilAsync(() => loader.Log == "+a");
        Task stop = host.DisposeAsync().AsTask();
        gate.Set();
        await stop;
        await asked; // an error, or an answer that was ended
        Assert.Equal("+a -a", loader.Log);
        Assert.Equal(0, host.Of("a").InFlight);
    }

    [Fact]
    public async Task A_load_that_gets_its_memory_after_the_stop_does_not_begin()
    {
        using ManualResetEventSlim planning = new();
        FakeLoader loader = new(("a", 6)) { Planning = planning };
        ModelHost host = Host(loader, 10);
        Task<ChatStart> asked = host.AskAsync("a");
        Task stop = host.StopAsync(TimeSpan.Zero);
        planning.Set();
        await stop;
        Assert.Contains("stopped", (await asked).Error!.Message, StringComparison.Ordinal);
        Assert.Equal("", loader.Log);
        Assert.Equal(0, host.Statistics.UsedBytes);
        await host.DisposeAsync();
    }

    [Fact]
    public async Task Models_can_be_loaded_ahead()
    {
        FakeLoader loader = new(("a", 4), ("b", 40));
        await using ModelHost host = Host(loader, 10);
        Assert.Null(await host.LoadAsync("a"));
        Assert.Contains("does not fit", (await host.LoadAsync("b"))!.Message, StringComparison.Ordinal);
        Assert.Equal(("+a", 0), (loader.Log, host.Of("a").InFlight));
    }

    [Fact]
    public void Two_models_of_one_code_are_refused() =>
        Assert.Contains("code a", Assert.Throws<ArgumentException>(() => Host(new FakeLoader(("a", 1), ("A", 1)), 10)).Message, StringComparison.OrdinalIgnoreCase);

    private ModelHost Host(FakeLoader loader, long memory) =>
        new(loader.Models, new ModelHostOptions { MemoryBytes = memory }, loader, time: _time);
}
