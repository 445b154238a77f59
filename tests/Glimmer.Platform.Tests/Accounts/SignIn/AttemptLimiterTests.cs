using System.Net;
using Glimmer.Platform.Accounts.SignIn;

namespace Glimmer.Platform.Tests.Accounts.SignIn;

public sealed class AttemptLimiterTests
{
    [Fact]
    public void A_bucket_leaks_at_its_rate()
    {
        var time = new ManualTime();
        var limiter = new AttemptLimiter(6, TimeSpan.FromMinutes(1), time);
        for (int i = 0; i < 6; i++)
            Assert.Null(limiter.Try("a"));
        Assert.Equal(TimeSpan.FromSeconds(10), limiter.Try("a"));
        Assert.Null(limiter.Try("b"));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Null(limiter.Try("a"));
        Assert.NotNull(limiter.Check("a"));
        time.Advance(TimeSpan.FromHours(1));
        for (int i = 0; i < 6; i++)
            Assert.Null(limiter.Try("a"));
        Assert.NotNull(limiter.Try("a"));
        limiter.Forgive("a");
        Assert.Null(limiter.Try("a"));
    }

    [Fact]
    public void Many_names_make_it_stricter_never_laxer_and_few_suffer()
    {
        var time = new ManualTime();
        var limiter = new AttemptLimiter(5, TimeSpan.FromHours(1), time);
        for (int i = 0; i < 5; i++)
            limiter.Count("victim");
        for (int i = 0; i < 20_000; i++)
            limiter.Try($"flood {i}");
        Assert.NotNull(limiter.Check("victim"));
        int refused = Enumerable.Range(0, 1000).Count(i => limiter.Check($"innocent {i}") is not null);
        Assert.InRange(refused, 0, 50);
    }

    [Fact]
    public void Addresses_are_counted_by_customer()
    {
        Assert.Equal(AttemptLimiter.NameOf(IPAddress.Parse("2001:db8::1")), AttemptLimiter.NameOf(IPAddress.Parse("2001:db8::ffff:1:2")));
        Assert.NotEqual(AttemptLimiter.NameOf(IPAddress.Parse("2001:db8::1")), AttemptLimiter.NameOf(IPAddress.Parse("2001:db8:0:1::1")));
        Assert.Equal(AttemptLimiter.NameOf(IPAddress.Parse("10.0.0.1")), AttemptLimiter.NameOf(IPAddress.Parse("::ffff:10.0.0.1")));
        Assert.NotEqual(AttemptLimiter.NameOf(IPAddress.Parse("10.0.0.1")), AttemptLimiter.NameOf(IPAddress.Parse("10.0.0.2")));
    }
}
