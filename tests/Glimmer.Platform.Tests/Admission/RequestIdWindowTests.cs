using Glimmer.Platform.Admission;

namespace Glimmer.Platform.Tests.Admission;

public sealed class RequestIdWindowTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void An_id_counts_once_per_account_for_the_window()
    {
        var ids = new RequestIdWindow(TimeSpan.FromMinutes(10), 1000, _time);
        Assert.True(ids.TryTake("a", "request-1"));
        Assert.False(ids.TryTake("a", "request-1"));
        Assert.True(ids.TryTake("b", "request-1"));
        Assert.True(ids.TryTake("arequest", "-1"));
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.False(ids.TryTake("a", "request-1"));
        _time.Advance(TimeSpan.FromMinutes(10));
        Assert.True(ids.TryTake("a", "request-1"));
        ids.Forget("a", "request-1");
        Assert.True(ids.TryTake("a", "request-1"));
        _time.Advance(TimeSpan.FromMinutes(30));
        Assert.True(ids.TryTake("a", "request-1"));
    }

    [Fact]
    public void Memory_is_bounded_and_the_newest_are_remembered()
    {
        var ids = new RequestIdWindow(TimeSpan.FromMinutes(10), 100, _time);
        for (int i = 0; i < 10_000; i++)
            Assert.True(ids.TryTake("a", $"request-{i}"));
        for (int i = 9_900; i < 10_000; i++)
            Assert.False(ids.TryTake("a", $"request-{i}"));
        Assert.True(ids.TryTake("a", "request-1"));
    }

    [Fact]
    public async Task Of_simultaneous_equal_ids_one_wins()
    {
        var ids = new RequestIdWindow(TimeSpan.FromMinutes(10), 100_000, _time);
        int won = 0;
        await Parallel.ForAsync(0, 3000, (i, _) =>
        {
            if (ids.TryTake("a", $"request-{i % 100}"))
                Interlocked.Increment(ref won);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(100, won);
    }
}
