using System.Threading.Channels;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>Nodes follow each other by versions; what NOTIFY says of them only saves the looking.</summary>
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
        using TestStore place = Silent();
        await using PlatformStore here = place.Open(), there = place.Open();
        Channel<long> heard = Channel.CreateUnbounded<long>();
        using IDisposable watch = here.Changes.Watch("keys", 0, version => heard.Writer.TryWrite(version));
        string listeners = await ListenersAsync(place);
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(1, await NextAsync(heard));

        Assert.Equal(1, TestStore.Administer($"SELECT pg_terminate_backend(pid) FROM ({listeners}) AS l"));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(2, await NextAsync(heard));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(3, await NextAsync(heard));
    }

    [Fact]
    public async Task News_of_another_schema_of_the_database_are_not_this_store_s()
    {
        using TestStore place = Silent(), elsewhere = Silent();
        await using PlatformStore here = place.Open(), there = place.Open(), other = elsewhere.Open();
        Channel<long> heard = Channel.CreateUnbounded<long>();
        using IDisposable watch = here.Changes.Watch("keys", 0, version => heard.Writer.TryWrite(version));
        await ListenersAsync(place);

        // Notifications come in the order of their commits.
        other.Write(session => session.Execute("INSERT INTO store_topics (topic, version) VALUES ('keys', 100)"));
        other.Write(session => session.NextVersion("keys"));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(1, await NextAsync(heard));
        there.Write(session => session.NextVersion("keys"));
        Assert.Equal(2, await NextAsync(heard));
    }

    [Fact]
    public async Task News_of_an_earlier_release_which_name_no_version_are_looked_at()
    {
        using TestStore place = Silent();
        await using PlatformStore here = place.Open(), there = place.Open();
        Channel<long> heard = Channel.CreateUnbounded<long>();
        using IDisposable watch = here.Changes.Watch("keys", 0, version => heard.Writer.TryWrite(version));
        await ListenersAsync(place);
        there.Write(session =>
        {
            session.Execute("INSERT INTO store_topics (topic, version) VALUES ('keys', 7)");
            session.Execute("SELECT pg_notify(@channel, 'keys')", new { channel = StoreChanges.Channel });
        });
        Assert.Equal(7, await NextAsync(heard));
    }

    /// <summary>Where nothing is looked for but when somebody says so.</summary>
    private static TestStore Silent() => new(StoreKind.Postgres, change: static settings => settings with { ChangePoll = TimeSpan.FromHours(1) });

    /// <summary>Waits until a store listens; gives the query of those connections.</summary>
    private static async Task<string> ListenersAsync(TestStore place)
    {
        string name = new Npgsql.NpgsqlConnectionStringBuilder(place.Settings.ConnectionString).ApplicationName!;
        string listeners = $"SELECT pid FROM pg_stat_activity WHERE application_name = '{name}' AND query LIKE 'LISTEN%' AND state = 'idle'";
        await Eventually.HoldsAsync(() => TestStore.Administer(listeners) != 0);
        return listeners;
    }

    private static async Task<long> NextAsync(Channel<long> heard) =>
        await heard.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
}
