using Glimmer.Server.Emulator;

namespace Glimmer.Server.Tests.Emulator;

public sealed class VirtualClockTests
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void It_stands_moves_forward_and_never_back()
    {
        VirtualClock clock = new(Start);
        long stamp = clock.GetTimestamp();
        Assert.Equal(Start, clock.GetUtcNow());
        clock.Advance(TimeSpan.FromHours(5));
        Assert.Equal(Start.AddHours(5), clock.GetUtcNow());
        Assert.Equal(TimeSpan.FromHours(5), clock.GetElapsedTime(stamp));
        Assert.Throws<ArgumentOutOfRangeException>(() => clock.Set(Start));
        Assert.Throws<ArgumentOutOfRangeException>(() => clock.Advance(TimeSpan.MaxValue));
        clock.Freeze(false);
        Assert.False(clock.IsFrozen);
        Assert.True(clock.GetUtcNow() >= Start.AddHours(5));
        clock.Freeze(true);
        DateTimeOffset stood = clock.GetUtcNow();
        Assert.Equal(stood, clock.GetUtcNow());
    }

    [Fact]
    public void Timers_of_the_clock_alone_fire_in_order_when_it_passes_them()
    {
        VirtualClock clock = new(Start);
        List<string> fired = [];
        using ITimer late = Timer("late", 10, null), early = Timer("early", 5, null), never = Timer("never", 7, null), repeated = Timer("each", 4, 4);
        Assert.True(never.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan));
        clock.Advance(TimeSpan.FromSeconds(3));
        Assert.Empty(fired);
        clock.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(["each", "early"], fired);
        clock.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(["each", "early", "each", "late"], fired);
        repeated.Dispose();
        Assert.False(repeated.Change(TimeSpan.Zero, TimeSpan.Zero));
        clock.Advance(TimeSpan.FromSeconds(100));
        Assert.Equal(4, fired.Count);

        ITimer Timer(string name, int due, int? period) =>
            clock.Waits.CreateTimer(_ => fired.Add(name), null, TimeSpan.FromSeconds(due), period is { } seconds ? TimeSpan.FromSeconds(seconds) : Timeout.InfiniteTimeSpan);
    }

    [Fact]
    public async Task Other_timers_are_due_by_real_time_too()
    {
        VirtualClock clock = new(Start);
        await Task.Delay(TimeSpan.FromMilliseconds(1), clock);
        Task waits = Task.Delay(TimeSpan.FromDays(3), clock);
        clock.Advance(TimeSpan.FromDays(3));
        await waits;
        await Task.Delay(TimeSpan.Zero, clock.Waits);
    }

    [Theory]
    [InlineData("90", 90.0)]
    [InlineData("1.5", 1.5)]
    [InlineData("5h", 18_000.0)]
    [InlineData("1h30m", 5400.0)]
    [InlineData("250ms", 0.25)]
    [InlineData("2d0.5s", 172_800.5)]
    [InlineData("", null)]
    [InlineData("h", null)]
    [InlineData("5 hours", null)]
    [InlineData("-5s", null)]
    [InlineData("1.2.3s", null)]
    [InlineData("999999999d", null)]
    public void Spans_are_read_as_people_write_them(string text, double? seconds) => Assert.Equal(seconds, SpanText.Read(text)?.TotalSeconds);
}
