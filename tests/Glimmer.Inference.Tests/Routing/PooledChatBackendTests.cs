using Glimmer.Dialogue.Output;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Tests.Embedded.Hosting;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Routing;

public sealed class PooledChatBackendTests
{
    private static readonly RoutingOptions _quiet = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero } };

    [Fact]
    public async Task One_backend_answers_and_its_books_are_right()
    {
        await using FakePool pool = FakePool.Of("a");
        (string text, IChatAnswer answer) = await pool.SayAsync(FakePool.Ask("hi"));
        Assert.Equal("a", text);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Equal(new ChatUsage(10, 0, 1, 0), answer.Usage);
        BackendStatus status = pool.Status("a");
        Assert.Equal((0, 1L, 1L, 0L, 1.0), (status.InFlight, status.Requests, status.Answers, status.Failures, status.Share));
        Assert.Equal("a", pool.Chat.Name);
    }

    [Theory]
    [InlineData("refuses")]
    [InlineData("throws")]
    [InlineData("busy")]
    [InlineData("fails before its first event")]
    [InlineData("throws before its first event")]
    public async Task Another_answers_in_place_of_one_that_fails_before_its_first_event(string how)
    {
        await using FakePool pool = FakePool.Of("a", "b");
        ChatRequest request = await pool.AskFor("a");
        long before = pool.Status("b").Requests;
        pool["a"].Reply = _ => how switch
        {
            "refuses" => FakeReply.Down(),
            "throws" => new FakeReply { Thrown = new IOException("no route") },
            "busy" => FakeReply.Busy(),
            "throws before its first event" => new FakeReply("x") { ThrowsAt = 0 },
            _ => new FakeReply("x") { FailsAt = 0 },
        };
        (string text, IChatAnswer answer) = await pool.SayAsync(request);
        Assert.Equal("b", text);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        Assert.Null(answer.Error);
        Assert.Equal("b", ((IRoutedAnswer)answer).Backend);
        Assert.Equal(2, ((IRoutedAnswer)answer).Attempts);
        Assert.Equal(1, pool.Status("a").FailedOver);
        Assert.Equal(how == "busy" ? 0 : 1, pool.Status("a").Failures);
        Assert.Equal(how == "busy" ? 1 : 0, pool.Status("a").Busy);
        Assert.Equal(before + 1, pool.Status("b").Requests);
        Assert.All(pool.Pool.List(), backend => Assert.Equal(0, backend.InFlight));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Nothing_is_asked_twice_after_the_first_event(bool throws)
    {
        await using FakePool pool = FakePool.Of("a", "b");
        ChatRequest request = await pool.AskFor("a");
        long before = pool.Status("b").Requests;
        PlatformError said = new(BusinessCode.CallFailed, "the card fell out");
        pool["a"].Reply = _ => new FakeReply("one", "two", "three") { FailsAt = throws ? -1 : 2, ThrowsAt = throws ? 2 : -1, Error = said };
        ChatStart start = await pool.Chat.StartAsync(request, default);
        if (throws)
        {
            await Assert.ThrowsAsync<IOException>(() => FakePool.ReadAsync(start.Answer!));
        }
        else
        {
            Assert.Equal("onetwo", await FakePool.ReadAsync(start.Answer!));
            Assert.Equal(FinishReason.BackendFault, start.Answer!.Finish);
            Assert.Same(said, start.Answer.Error);
            Assert.Equal(2, start.Answer.Usage.CompletionTokens);
        }

        Assert.Equal(before, pool.Status("b").Requests);
        Assert.Equal((1L, 0), (pool.Status("a").Failures, pool.Status("a").InFlight));
    }

    [Fact]
    public async Task A_request_that_is_wrong_is_not_taken_elsewhere()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => FakeReply.Wrong();
        ChatStart start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal("messages", start.Error!.Field);
        Assert.Equal(1, pool.Made.Sum(backend => backend.Started));
        Assert.All(pool.Pool.List(), backend => Assert.Equal((0, 0L), (backend.InFlight, backend.Failures)));
    }

    [Fact]
    public async Task What_one_cannot_do_another_may()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        ChatRequest request = await pool.AskFor("a");
        PlatformError cannot = PlatformError.Unsupported("messages", "image_url", "it takes text alone");
        pool["a"].Reply = _ => new FakeReply { Refusal = new ChatStart(null, cannot) };
        Assert.Equal("b", (await pool.SayAsync(request)).Text);
        pool["b"].Reply = pool["a"].Reply;
        Assert.Same(cannot, (await pool.Chat.StartAsync(request, default)).Error);
        Assert.All(pool.Pool.List(), backend => Assert.Equal((0, 0L), (backend.InFlight, backend.Failures)));
    }

    [Fact]
    public async Task At_most_so_many_are_asked_and_the_one_that_is_full_is_told()
    {
        await using FakePool pool = new(null, _quiet with { Attempts = 3 }, [.. Enumerable.Range(0, 6).Select(i => FakePool.Define($"b{i}"))]);
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => FakeReply.Down();
        ChatStart start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal((StartFault.Backend, "it is broken"), (start.Fault, start.Error!.Message));
        Assert.Equal(3, pool.Made.Sum(backend => backend.Started));

        pool.Made[2].Reply = pool.Made[4].Reply = _ => FakeReply.Busy(TimeSpan.FromSeconds(9));
        pool.Made[0].Reply = pool.Made[1].Reply = pool.Made[3].Reply = pool.Made[5].Reply = _ => FakeReply.Busy(TimeSpan.FromSeconds(9));
        start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal((StartFault.Busy, TimeSpan.FromSeconds(9)), (start.Fault, start.Error!.RetryAfter));
    }

    [Fact]
    public async Task When_all_fail_before_the_first_event_the_answer_ends_as_failed_with_the_last_words()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => new FakeReply("x") { FailsAt = 0, Error = new PlatformError(BusinessCode.CallFailed, "out of memory") };
        ChatStart start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal("", await FakePool.ReadAsync(start.Answer!));
        Assert.Equal(FinishReason.BackendFault, start.Answer!.Finish);
        Assert.Equal("out of memory", start.Answer.Error!.Message);
        Assert.Equal(default, start.Answer.Usage);
        Assert.All(pool.Pool.List(), backend => Assert.Equal((0, 1L), (backend.InFlight, backend.Failures)));
    }

    [Fact]
    public async Task No_other_is_asked_for_a_request_that_is_old()
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet with { FailoverWithin = TimeSpan.FromSeconds(30) }, "a", "b");
        foreach (FakeBackend backend in pool.Made)
        {
            backend.Reply = _ =>
            {
                time.Advance(TimeSpan.FromSeconds(31));
                return FakeReply.Down();
            };
        }

        Assert.NotNull((await pool.Chat.StartAsync(FakePool.Ask("hi"), default)).Error);
        Assert.Equal(1, pool.Made.Sum(backend => backend.Started));
    }

    [Fact]
    public async Task A_caller_who_leaves_ends_it_everywhere_and_counts_against_nobody()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        TaskCompletionSource never = new();
        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => new FakeReply("x") { Start = never.Task };
        using CancellationTokenSource leave = new();
        Task<ChatStart> start = pool.Chat.StartAsync(FakePool.Ask("hi"), leave.Token).AsTask();
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => start);

        foreach (FakeBackend backend in pool.Made)
            backend.Reply = _ => new FakeReply("x") { First = never.Task };
        using CancellationTokenSource stop = new();
        ChatStart begun = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Task<string> read = FakePool.ReadAsync(begun.Answer!, stop.Token);
        await stop.CancelAsync();
        Assert.Equal("", await read);
        Assert.Equal(FinishReason.Cancelled, begun.Answer!.Finish);
        Assert.All(pool.Pool.List(), backend => Assert.Equal((0, 0L, 0L), (backend.InFlight, backend.Failures, backend.FailedOver)));
        Assert.Equal(2, pool.Made.Sum(backend => backend.Started));
    }

    [Fact]
    public async Task A_reader_who_stops_early_gives_the_place_back()
    {
        await using FakePool pool = FakePool.Of("a");
        pool["a"].Reply = _ => new FakeReply("1", "2", "3");
        ChatStart start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal(1, pool.Status("a").InFlight);
        await foreach (ChatEvent said in start.Answer!.ReadAsync(default))
        {
            Assert.Equal("1", said.Text);
            break;
        }

        Assert.Equal((0, 0, 0L), (pool.Status("a").InFlight, pool["a"].Active, pool.Status("a").Failures));
        await Assert.ThrowsAsync<InvalidOperationException>(() => FakePool.ReadAsync(start.Answer!));
    }

    [Fact]
    public async Task Full_backends_let_wait_in_order_and_refuse_when_the_line_is_full_or_the_time_is_over()
    {
        ManualTime time = new();
        await using FakePool pool = new(time, _quiet with { Wait = TimeSpan.FromSeconds(5), WaitLength = 2 }, FakePool.Define("a", maxInFlight: 1));
        TaskCompletionSource end = new();
        pool["a"].Reply = _ => new FakeReply("x") { End = end.Task };
        ChatStart running = await pool.Chat.StartAsync(FakePool.Ask("0"), default);
        Task<string> reading = FakePool.ReadAsync(running.Answer!);
        pool["a"].Reply = request => new FakeReply(((Glimmer.Dialogue.Conversations.TextPart)request.Conversation.Messages[0].Content[0]).Text);

        Task<ChatStart> first = pool.Chat.StartAsync(FakePool.Ask("first"), default).AsTask();
        Task<ChatStart> second = pool.Chat.StartAsync(FakePool.Ask("second"), default).AsTask();
        Assert.Equal(2, pool.Chat.Waiting);
        ChatStart third = await pool.Chat.StartAsync(FakePool.Ask("third"), default);
        Assert.Equal((StartFault.Busy, BusinessCode.Overloaded, TimeSpan.FromSeconds(1)), (third.Fault, third.Error!.Code, third.Error.RetryAfter));

        end.SetResult();
        await reading;
        ChatStart served = await first;
        Assert.False(second.IsCompleted);
        Assert.Equal("first", await FakePool.ReadAsync(served.Answer!));
        served = await second;

        // The last one waits in vain.
        Task<ChatStart> fourth = pool.Chat.StartAsync(FakePool.Ask("fourth"), default).AsTask();
        await FakePool.UntilAsync(() => pool.Chat.Waiting == 1 && time.Waiting > 0);
        time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(StartFault.Busy, (await fourth).Fault);
        Assert.Equal(0, pool.Chat.Waiting);
        Assert.Equal("second", await FakePool.ReadAsync(served.Answer!));
        Assert.Equal(0, pool.Status("a").InFlight);
    }

    [Fact]
    public async Task Who_leaves_while_waiting_takes_no_place()
    {
        await using FakePool pool = new(null, _quiet with { Wait = TimeSpan.FromMinutes(5) }, FakePool.Define("a", maxInFlight: 1));
        ChatStart running = await pool.Chat.StartAsync(FakePool.Ask("0"), default);
        using CancellationTokenSource leave = new();
        Task<ChatStart> waiting = pool.Chat.StartAsync(FakePool.Ask("1"), leave.Token).AsTask();
        Assert.Equal(1, pool.Chat.Waiting);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await FakePool.ReadAsync(running.Answer!);
        Assert.Equal((0, 0), (pool.Chat.Waiting, pool.Status("a").InFlight));
    }

    [Fact]
    public async Task Without_anyone_who_is_well_it_is_503_at_once_and_not_ready()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        Assert.True(pool.Chat.IsReady);
        await pool.Pool.FirstProbesAsync(TimeSpan.FromMinutes(1));
        pool["a"].IsReady = false;
        Assert.True(pool.Chat.IsReady);
        pool.Pool.Drain("b", true);
        Assert.False(pool.Chat.IsReady);
        ChatStart start = await pool.Chat.StartAsync(FakePool.Ask("hi"), default);
        Assert.Equal((503, StartFault.Backend, BusinessCode.Overloaded), (start.Error!.Status, start.Fault, start.Error.Code));
        Assert.NotNull(start.Error.RetryAfter);
        await Assert.ThrowsAsync<ChatRequestException>(() => pool.Chat.CountTokensAsync(FakePool.Ask("hi"), default).AsTask());
        Assert.True(pool.Pool.Drain("b", false));
        Assert.Equal("b", (await pool.SayAsync(FakePool.Ask("hi"))).Text);
        Assert.False(pool.Pool.Drain("nobody", true));
    }

    [Fact]
    public async Task Prompts_without_a_template_go_only_where_they_are_taken()
    {
        await using FakePool pool = FakePool.Of("a", "b", "c");
        Assert.False(pool.Chat.TakesRawPrompts);
        pool["c"].TakesRawPrompts = true;
        Assert.True(pool.Chat.TakesRawPrompts);
        for (int i = 0; i < 10; i++)
            Assert.Equal("c", (await pool.SayAsync(FakePool.Ask($"{i}") with { Raw = new RawPrompt($"{i}") })).Text);
    }

    [Fact]
    public async Task Counting_goes_on_to_another_where_one_cannot()
    {
        await using FakePool pool = FakePool.Of("a", "b");
        pool["a"].Reply = _ => new FakeReply { Thrown = new IOException() };
        Assert.Equal(7, await pool.Chat.CountTokensAsync(FakePool.Ask("hi"), default));
        pool["b"].Reply = pool["a"].Reply;
        await Assert.ThrowsAsync<IOException>(() => pool.Chat.CountTokensAsync(FakePool.Ask("hi"), default).AsTask());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Hedging_asks_a_second_beside_a_slow_one_and_cuts_the_loser_off(bool slowStart)
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet with { HedgeAfter = TimeSpan.FromSeconds(2) }, "a", "b");
        ChatRequest request = await pool.AskFor("a");
        TaskCompletionSource never = new();
        pool["a"].Reply = _ => new FakeReply("a") { Start = slowStart ? never.Task : Task.CompletedTask, First = slowStart ? Task.CompletedTask : never.Task };
        Task<(string Text, IChatAnswer Answer)> saying = pool.SayAsync(request);
        await FakePool.UntilAsync(() => time.Waiting > 0);
        Assert.Equal(1, pool.Status("a").InFlight);
        time.Advance(TimeSpan.FromSeconds(3));
        (string text, IChatAnswer answer) = await saying;
        Assert.Equal("b", text);
        Assert.Equal(FinishReason.Stop, answer.Finish);
        await FakePool.UntilAsync(() => pool.Status("a").InFlight == 0);
        Assert.Equal((1L, 0L, 0L, 0), (pool.Status("a").HedgesLost, pool.Status("a").FailedOver, pool.Status("a").Failures, pool["a"].Active));
    }

    [Fact]
    public async Task A_client_that_leaves_while_two_are_asked_ends_both_once()
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet with { HedgeAfter = TimeSpan.FromSeconds(2), FailoverWithin = TimeSpan.FromDays(1) }, "a", "b");
        ChatRequest request = await pool.AskFor("a");
        TaskCompletionSource never = new();
        pool["a"].Reply = _ => new FakeReply("a") { First = never.Task };
        pool["b"].Reply = _ => new FakeReply("b") { Start = never.Task };
        for (int round = 0; round < 200; round++)
        {
            int asked = pool["b"].Started;
            using CancellationTokenSource leave = new();
            Task<(string Text, IChatAnswer Answer)> saying = Task.Run(() => pool.SayAsync(request, leave.Token));
            await FakePool.UntilAsync(() =>
            {
                time.Advance(TimeSpan.FromSeconds(3));
                return pool["b"].Started == asked + 1;
            });

            // Whatever the attempts throw at this comes out here.
            await Task.Run(() => leave.Cancel(), CancellationToken.None);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => saying);
            Assert.Equal((0, 0, 0, 0), (pool.Status("a").InFlight, pool.Status("b").InFlight, pool["a"].Active, pool["b"].Active));
        }
    }

    [Fact]
    public async Task The_first_wins_where_the_second_is_slower_or_fails()
    {
        ManualTime time = new();
        await using FakePool pool = FakePool.Of(time, _quiet with { HedgeAfter = TimeSpan.FromSeconds(2) }, "a", "b");
        ChatRequest request = await pool.AskFor("a");
        foreach (bool fails in new[] { true, false })
        {
            TaskCompletionSource first = new(), never = new();
            pool["a"].Reply = _ => new FakeReply("a") { First = first.Task };
            pool["b"].Reply = _ => fails ? FakeReply.Down() : new FakeReply("b") { First = never.Task };
            int asked = pool["b"].Started;
            Task<(string Text, IChatAnswer Answer)> saying = pool.SayAsync(request);
            await FakePool.UntilAsync(() => time.Waiting > 0);
            time.Advance(TimeSpan.FromSeconds(3));
            await FakePool.UntilAsync(() => pool["b"].Started == asked + 1);
            first.SetResult();
            Assert.Equal("a", (await saying).Text);
            await FakePool.UntilAsync(() => pool.Status("b").InFlight == 0 && pool.Status("a").InFlight == 0);
        }
    }
}
