using System.Threading.Channels;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>Nodes follow each other by versions; NOTIFY only says when to look.</summary>
public sealed class LostNewsTests
{
    [Fact]
    public async Task A_change_whose_notification_is_lost_is_found_by_its_version()
    {
        using var place = new TestStore(StoreKind.Postgres);
        await using PlatformStore here = place.Open(), there = place.Open();
        Channel<long> heard = Channel.CreateUnbounded<long>();
        using IDisposable watch = here.Changes.Watch("keys", 0, version => heard.Writer.TryWrite(version));

        // As NextVersion does it, but nobody is told; then several at once, of which only the last counts.
        foreach (long version in new long[] { 1, 5 })
        {
            there.Write(session => session.Execute("INSERT INTO store_topics (topic, version) VALUES ('keys', @version) ON CONFLICT (topic) DO UPDATE SET version = @version", new { version }));
            Assert.Equal(version, await NextAsync(heard));
        }
    }

    [Fact]
    public async Task A_listener_that_was_cut_off_listens_again_and_looks_at_what_it_missed()
    {
        // Nothing is looked for but when somebody says so.
        using var place = new TestStore(StoreKind.Postgres, change: static settings => settings with { ChangePoll = TimeSpan.FromHours(1) });
        await using PlatformStore here = place.Open(), there = place.Open();
        Channel<long> heard = Channel.CreateUnbounded<long>();
        using IDisposable watch = here.Changes.Watch("keys", 0, version => heard.Writer.TryWrite(version));
        string name = new Npgsql.NpgsqlConnectionStringBuilder(place.Settings.ConnectionString).ApplicationName!;
        string listeners = $"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}' AND query LIKE 'LISTEN%'";
        while (TestStore.Administer(listeners) == 0)
            await Task.Delay(5, TestContext.Current.CancellationToken);
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(1, await NextAsync(heard));

        Assert.Equal(1, TestStore.Administer($"SELECT pg_terminate_backend(pid) FROM ({listeners}) AS l"));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(2, await NextAsync(heard));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(3, await NextAsync(heard));
    }

    private static async Task<long> NextAsync(Channel<long> heard) =>
        await heard.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
}
