using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Admission;

public sealed class FairAdmissionTests
{
    private static readonly AdmissionLimits Wide = new(Open: 3, OpenPerKey: 100, Line: 1000, LinePerAccount: 1000, Patience: TimeSpan.FromMinutes(5));

    [Fact]
    public async Task Without_a_line_bounds_refuse_at_once_and_a_lease_ends_once()
    {
        using var admission = new FairAdmission(Wide with { OpenPerKey = 2, Line = 0 }, TimeProvider.System);
        IDisposable first = (await Enter(admission, "a")).Lease!;
        Assert.NotNull((await Enter(admission, "a")).Lease);
        PlatformError own = (await Enter(admission, "a")).Error!;
        Assert.Equal(BusinessCode.ConcurrencyExceeded, own.Code);
        Assert.InRange(own.RetryAfter!.Value.TotalSeconds, 1, 60);
        Assert.NotNull((await Enter(admission, "b")).Lease);
        Assert.Equal(BusinessCode.Overloaded, (await Enter(admission, "b")).Error!.Code);
        first.Dispose();
        first.Dispose();
        Assert.Equal(2, admission.InFlight);
        Assert.NotNull((await Enter(admission, "b")).Lease);
        PlatformError busy = (await admission.EnterAsync(Request("c") with { Plan = true, Alternative = "glm-4.5-air" }, default)).Error!;
        Assert.Equal(BusinessCode.ModelBusy, busy.Code);
        Assert.Contains("glm-4.5-air", busy.Message);
    }

    [Fact]
    public async Task Tier_and_plan_limits_count_per_account_and_model()
    {
        using var admission = new FairAdmission(Wide with { Open = 100, Line = 0 }, TimeProvider.System);
        AdmissionRequest tier = Request("k1", "x") with { ModelLimit = 2 };
        Assert.NotNull((await admission.EnterAsync(tier, default)).Lease);
        Assert.NotNull((await admission.EnterAsync(Request("k2", "x") with { ModelLimit = 2 }, default)).Lease);
        Assert.Equal(BusinessCode.ConcurrencyExceeded, (await admission.EnterAsync(tier, default)).Error!.Code);
        Assert.NotNull((await admission.EnterAsync(tier with { Model = "glm-4.6" }, default)).Lease);
        Assert.NotNull((await admission.EnterAsync(tier with { Account = "y" }, default)).Lease);

        AdmissionRequest plan = Request("k3", "p") with { Plan = true, PlanLimit = 1, Alternative = "other" };
        IDisposable lease = (await admission.EnterAsync(plan, default)).Lease!;
        Assert.Equal(BusinessCode.ConcurrencyExceeded, (await admission.EnterAsync(plan with { Model = "glm-5" }, default)).Error!.Code);
        Assert.NotNull((await admission.EnterAsync(Request("k3", "p"), default)).Lease);
        lease.Dispose();
        Assert.NotNull((await admission.EnterAsync(plan, default)).Lease);
    }

    [Fact]
    public async Task Accounts_take_turns_whatever_they_ask_for()
    {
        string order = await OrderAsync([.. Enumerable.Repeat(Request("a1", "a"), 6), .. Enumerable.Range(0, 6).Select(i => Request($"b{i % 2}", "b")), Request("c", "c")]);
        Assert.Equal("a1 b0 c a1 b1 a1 b0 a1 b1 a1 b0 a1 b1", order);
    }

    [Fact]
    public async Task Large_requests_get_fewer_turns()
    {
        string order = await OrderAsync([.. Enumerable.Repeat(Request("big") with { Cost = 16384 }, 4), .. Enumerable.Repeat(Request("small") with { Cost = 4096 }, 16)]);
        Assert.InRange(order.Split(' ').Take(10).Count(id => id == "big"), 1, 2);
        Assert.Equal(20, order.Split(' ').Length);
    }

    [Fact]
    public async Task An_account_held_by_its_own_limit_does_not_hold_others()
    {
        using var admission = new FairAdmission(Wide with { Open = 3 }, TimeProvider.System);
        AdmissionRequest held = Request("a") with { ModelLimit = 1 };
        IDisposable first = (await admission.EnterAsync(held, default)).Lease!;
        ValueTask<AdmissionResult> second = admission.EnterAsync(held, default);
        Assert.False(second.IsCompleted);
        Assert.NotNull((await Enter(admission, "b")).Lease);
        Assert.NotNull((await admission.EnterAsync(held with { Model = "glm-4.5" }, default)).Lease);
        Assert.False(second.IsCompleted);
        first.Dispose();
        AdmissionResult got = await second;
        Assert.NotNull(got.Lease);
        Assert.Equal(1, got.Position);
    }

    [Fact]
    public async Task The_position_counts_what_turns_let_before()
    {
        using var admission = new FairAdmission(Wide with { Open = 1 }, TimeProvider.System);
        IDisposable running = (await Enter(admission, "x")).Lease!;
        Task<AdmissionResult>[] waiting = [.. "aaab".Select(id => Enter(admission, id.ToString()).AsTask())];
        running.Dispose();
        var positions = new List<int>();
        foreach (Task<AdmissionResult> task in new[] { waiting[0], waiting[3], waiting[1], waiting[2] })
        {
            AdmissionResult result = await task.WaitAsync(TimeSpan.FromMinutes(2));
            positions.Add(result.Position);
            result.Lease!.Dispose();
        }

        Assert.Equal([1, 2, 2, 3], positions);
    }

    [Fact]
    public async Task Who_leaves_frees_its_place_in_the_line_and_patience_ends()
    {
        var time = new ManualTimers();
        using var admission = new FairAdmission(Wide with { Open = 1, Line = 2, LinePerAccount = 1, Patience = TimeSpan.FromSeconds(30) }, time);
        IDisposable running = (await Enter(admission, "x")).Lease!;
        using var client = new CancellationTokenSource();
        ValueTask<AdmissionResult> leaving = admission.EnterAsync(Request("a"), client.Token);
        Assert.Equal(BusinessCode.Overloaded, (await Enter(admission, "a")).Error!.Code);
        ValueTask<AdmissionResult> patient = Enter(admission, "b");
        Assert.Equal(BusinessCode.Overloaded, (await Enter(admission, "c")).Error!.Code);
        await client.CancelAsync();
        Assert.NotNull((await leaving).Error);
        Assert.Equal(1, admission.Waiting);
        ValueTask<AdmissionResult> next = Enter(admission, "c");
        time.Advance(TimeSpan.FromSeconds(31));
        Assert.Equal(BusinessCode.Overloaded, (await patient).Error!.Code);
        Assert.Null((await next).Lease);
        Assert.Equal(0, admission.Waiting);
        running.Dispose();
        Assert.NotNull((await Enter(admission, "a")).Lease);
    }

    [Fact]
    public async Task A_stop_sends_the_line_away_and_lets_nobody_wait()
    {
        using var admission = new FairAdmission(Wide with { Open = 1 }, TimeProvider.System);
        IDisposable running = (await Enter(admission, "x")).Lease!;
        ValueTask<AdmissionResult> waiting = Enter(admission, "a");
        admission.Drain();
        Assert.Equal(503, (await waiting).Error!.Status);
        Assert.Equal(503, (await Enter(admission, "b")).Error!.Status);
        running.Dispose();
        Assert.Equal((0, 0), (admission.InFlight, admission.Waiting));
    }

    /// <summary>Many callers with all kinds of limits, leaving at random: bounds hold, all are answered, nothing is left behind.</summary>
    [Fact]
    public async Task Bounds_hold_under_contention_and_nobody_is_forgotten()
    {
        using var admission = new FairAdmission(new AdmissionLimits(7, 4, 400, 200, TimeSpan.FromMinutes(5)), TimeProvider.System);
        int[] inside = new int[3];
        int all = 0, most = 0, served = 0, left = 0, refused = 0;
        await Parallel.ForAsync(0, 6000, new ParallelOptions { MaxDegreeOfParallelism = 300 }, async (i, _) =>
        {
            var random = new Random(i);
            int account = random.Next(3);
            using var client = new CancellationTokenSource();
            if (random.Next(20) == 0)
                client.CancelAfter(random.Next(3));
            AdmissionRequest request = Request($"k{account}{random.Next(2)}", $"acc{account}") with { ModelLimit = 3, Cost = random.Next(1, 100_000) };
            AdmissionResult result = await admission.EnterAsync(request, client.Token);
            if (result.Lease is null)
            {
                Interlocked.Increment(ref client.IsCancellationRequested ? ref left : ref refused);
                return;
            }

            Assert.InRange(Interlocked.Increment(ref inside[account]), 1, 3);
            int now = Interlocked.Increment(ref all);
            int seen;
            while (now > (seen = Volatile.Read(ref most)))
                Interlocked.CompareExchange(ref most, now, seen);
            await Task.Yield();
            Interlocked.Decrement(ref all);
            Interlocked.Decrement(ref inside[account]);
            Interlocked.Increment(ref served);
            result.Lease.Dispose();
        }).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.InRange(most, 2, 7);
        Assert.Equal(6000, served + left + refused);
        Assert.True(served > 3000);
        Assert.Equal((0, 0), (admission.InFlight, admission.Waiting));
    }

    /// <summary>Lets all wait for one place and gives the order in which they had it.</summary>
    private static async Task<string> OrderAsync(AdmissionRequest[] requests)
    {
        using var admission = new FairAdmission(Wide with { Open = 1 }, TimeProvider.System);
        IDisposable running = (await Enter(admission, "x")).Lease!;
        var order = new List<string>();
        Task[] waiting = [.. requests.Select(WaitAsync)];
        Assert.Equal(requests.Length, admission.Waiting);
        running.Dispose();
        await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal((0, 0), (admission.InFlight, admission.Waiting));
        return string.Join(' ', order);

        async Task WaitAsync(AdmissionRequest request)
        {
            using IDisposable? lease = (await admission.EnterAsync(request, default)).Lease;
            order.Add(request.Key.Id);   // one place: never two at once
        }
    }

    private static ValueTask<AdmissionResult> Enter(FairAdmission admission, string id) => admission.EnterAsync(Request(id), default);

    private static AdmissionRequest Request(string key, string? account = null) =>
        new(new AccessKey(key, key, default, null, false), "glm-4.7") { Account = account };
}
