using Glimmer.Platform.Admission;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Admission;

public sealed class CallRatesTests
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 15, 59, 0, TimeSpan.Zero);   // 23:59 in UTC+8
    private readonly CallRates _rates = new(new PlanCalendar(TimeSpan.FromHours(8)));

    [Fact]
    public void A_burst_passes_then_the_pace_counts()
    {
        var limit = new RateLimit(PerMinute: 60, Burst: 5, PerDay: 0);
        for (int i = 0; i < 5; i++)
            Assert.Null(_rates.Take("a", "m", limit, Start));
        PlatformError error = _rates.Take("a", "m", limit, Start.AddMilliseconds(400))!;
        Assert.Equal((BusinessCode.FrequencyExceeded, TimeSpan.FromMilliseconds(600)), (error.Code, error.RetryAfter!.Value));
        Assert.Null(_rates.Take("a", "other", limit, Start));
        Assert.Null(_rates.Take("b", "m", limit, Start));
        Assert.Null(_rates.Take("a", "m", limit, Start.AddSeconds(1)));
        Assert.NotNull(_rates.Take("a", "m", limit, Start.AddSeconds(1)));
        for (int i = 0; i < 5; i++)
            Assert.Null(_rates.Take("a", "m", limit, Start.AddHours(1)));
        Assert.NotNull(_rates.Take("a", "m", limit, Start.AddHours(1)));
    }

    [Fact]
    public void A_day_ends_at_midnight_of_the_platforms_clock()
    {
        var limit = new RateLimit(0, 0, PerDay: 2);
        Assert.Null(_rates.Take("a", "m", limit, Start));
        Assert.Null(_rates.Take("a", "m", limit, Start.AddSeconds(1)));
        PlatformError error = _rates.Take("a", "m", limit, Start.AddSeconds(30))!;
        Assert.Equal((BusinessCode.DailyLimitReached, TimeSpan.FromSeconds(30)), (error.Code, error.RetryAfter!.Value));
        Assert.Null(_rates.Take("a", "m", limit, Start.AddSeconds(60)));
    }

    [Fact]
    public void The_platforms_own_limit_is_overload() =>
        Assert.Equal(
            [null, BusinessCode.Overloaded],
            Enumerable.Range(0, 2).Select(_ => _rates.Take("", "m", new RateLimit(1, 1, 0), Start)?.Code));

    [Fact]
    public void No_limit_is_no_limit() =>
        Assert.All(Enumerable.Range(0, 1000), _ => Assert.Null(_rates.Take("a", "m", default, Start)));

    [Fact]
    public async Task Simultaneous_calls_do_not_pass_the_limits()
    {
        int passed = 0;
        await Parallel.ForAsync(0, 5000, (_, _) =>
        {
            if (_rates.Take("a", "m", new RateLimit(60, 100, 70), Start) is null)
                Interlocked.Increment(ref passed);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(70, passed);
    }
}
