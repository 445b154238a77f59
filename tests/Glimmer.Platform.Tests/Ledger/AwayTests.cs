using System.Collections.Concurrent;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>PostgreSQL goes away and comes back, on a server of its own.</summary>
public sealed class AwayTests : IDisposable
{
    private static readonly Price _price = PriceTests.Tokens("1", "1", "1", per: 1000);
    private readonly TemporaryFolder _folder = new();
    private readonly PostgresCluster _postgres = PostgresCluster.Start();

    public AwayTests()
    {
        if (_postgres.Missing is { } reason)
            Assert.Skip(reason);
    }

    private string JournalFolder => Path.Combine(_folder.Path, "journal");

    [Fact]
    public async Task What_is_settled_while_the_database_is_away_is_durable_at_once_and_stored_once()
    {
        using PlatformStore store = Open();
        await using PlatformLedger ledger = Ledger(store);
        await ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        await Charge(ledger, "before");
        await ledger.FlushAsync();   // on a slow machine the journal may have it first
        ConcurrentQueue<bool> changes = new();
        store.Presence.Changed = (fault, _) => changes.Enqueue(fault is not null);
        _postgres.Halt();
        await Task.WhenAll(Enumerable.Range(0, 50).Select(i => Charge(ledger, $"away-{i}")));
        await Eventually.HoldsAsync(() => store.Presence.IsAway);
        await Task.WhenAll(Enumerable.Range(50, 50).Select(i => Charge(ledger, $"away-{i}")));
        Assert.Equal((100, true, true), (ledger.JournalWaiting, ledger.Admits, store.Presence.Since is not null));
        Assert.True(ledger.JournalBytes > 100 * 50);
        await Assert.ThrowsAsync<StoreAwayException>(() => ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "d2"));
        await Assert.ThrowsAsync<StoreAwayException>(() => store.ReadAsync(session => session.Scalar<long>("SELECT 1")));
        await Assert.ThrowsAsync<StoreAwayException>(() => store.WriteAsync(session => session.Execute("SELECT 1")));

        _postgres.Resume();
        await ledger.FlushAsync();
        await Eventually.HoldsAsync(() => !store.Presence.IsAway && changes.Count >= 2);
        Assert.Equal((0, 0), (ledger.JournalWaiting, ledger.Backlog));
        Assert.Equal([true, false], changes);
        await Check(ledger, store, 101);
        await Charge(ledger, "after");
        Assert.Equal(PostingState.Booked, await ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "d2"));
    }

    [Fact]
    public async Task A_process_that_ends_while_the_database_is_away_leaves_a_journal_that_the_next_one_settles_once()
    {
        // Killed: neither store nor ledger is closed before the next one has begun; what the dead one still had in memory never comes.
        PlatformStore dead = Open();
        PlatformLedger lost = Ledger(dead);
        await lost.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        await lost.GrantAsync("a", Money.Of(0.010m, Currency.Usd), "g");
        await lost.BuyPackAsync("a", new PackOffer(5, Money.Of(0.005m, Currency.Usd), new PackScope([UnitKind.Input], []), TimeSpan.FromDays(1)), "p");
        _postgres.Halt();
        for (int i = 0; i < 20; i++)
            await Charge(lost, $"away-{i}", "key");
        Money cash = lost.BalanceOf("a", Currency.Usd).Cash;
        string journal = Assert.Single(Directory.GetFiles(JournalFolder));
        string copy = Path.Combine(_folder.Path, "kept");
        await lost.DisposeAsync();
        await dead.DisposeAsync();
        File.Copy(journal, copy);
        await File.AppendAllBytesAsync(journal, [200, 0, 0, 0, 1, 2, 3]);   // a torn record

        _postgres.Resume();
        NpgsqlConnection.ClearAllPools();
        for (int again = 0; again < 2; again++)
        {
            using PlatformStore store = Open();
            await using PlatformLedger ledger = Ledger(store);
            JournalReplay replay = Assert.Single(ledger.Replays);
            Assert.Equal((20, again == 0 ? 7 : 0, null), (replay.Requests, replay.Torn, replay.Fault));
            Assert.False(File.Exists(journal));
            Assert.Equal(cash, ledger.BalanceOf("a", Currency.Usd).Cash);
            Assert.Equal(20_000_000, ledger.KeySpent("key", Currency.Usd, CapPeriod.Total).Units);
            await Check(ledger, store, 20, free: false);

            // The same journal once more: as if the process had died between the commit and the removal.
            File.Copy(copy, journal, overwrite: true);
        }
    }

    [Fact]
    public async Task A_database_that_comes_back_while_the_store_is_closed_leaves_no_journal()
    {
        PlatformStore store = Open();
        store.Writes.StopPatience = TimeSpan.FromMinutes(1);
        PlatformLedger ledger = Ledger(store);
        await ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        _postgres.Halt();
        for (int i = 0; i < 20; i++)
            await Charge(ledger, $"away-{i}");
        await Eventually.HoldsAsync(() => store.Presence.IsAway);

        // The ledger gives the database a second, and closes its journal.
        await ledger.DisposeAsync();
        Assert.NotEqual(0, ledger.JournalWaiting);
        Assert.Single(Directory.GetFiles(JournalFolder));
        _postgres.Resume();
        await Eventually.HoldsAsync(() => store.Writes.Trouble is null && !store.Presence.IsAway);
        await store.DisposeAsync();
        Assert.Equal(0, ledger.JournalWaiting);
        Assert.Empty(Directory.GetFiles(JournalFolder));

        using PlatformStore again = Open();
        await using PlatformLedger fresh = Ledger(again);
        Assert.Empty(fresh.Replays);
        await Check(fresh, again, 20);
    }

    [Fact]
    public async Task A_journal_of_another_store_is_left_alone()
    {
        PlatformStore dead = Open();
        PlatformLedger lost = Ledger(dead);
        _postgres.Halt();
        await Charge(lost, "away", fund: false);
        await lost.DisposeAsync();
        await dead.DisposeAsync();
        string journal = Assert.Single(Directory.GetFiles(JournalFolder));
        _postgres.Resume();
        NpgsqlConnection.ClearAllPools();
        using PlatformStore store = Open();
        store.Write(session => session.Execute("UPDATE ledger_runs SET token = 'other'"));
        await using PlatformLedger ledger = Ledger(store);
        Assert.Contains("another store", Assert.Single(ledger.Replays).Fault!, StringComparison.Ordinal);
        Assert.True(File.Exists(journal));
        Assert.Equal(0, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_usage")));
    }

    [Fact]
    public async Task New_requests_follow_the_policy_and_its_bounds()
    {
        using PlatformStore store = Open();
        await using PlatformLedger ledger = Ledger(store, settings => settings with { AdmitAmount = 0.005m });
        await using PlatformLedger strict = Ledger(store, settings => settings with { WhenAway = StoreAwayPolicy.Refuse });
        await using PlatformLedger brief = Ledger(store, settings => settings with { AdmitFor = TimeSpan.Zero });
        await ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        _postgres.Halt();
        Task first = Charge(ledger, "first");
        await Eventually.HoldsAsync(() => store.Presence.IsAway);
        await first;
        foreach (PlatformLedger closed in new[] { strict, brief })
        {
            Assert.False(closed.Admits);
            Assert.Equal((BusinessCode.Network, 503, TimeSpan.FromSeconds(5)), Refused(closed));
        }

        for (int i = 0; i < 4; i++)
            await Charge(ledger, $"more-{i}");
        Assert.Equal((BusinessCode.Network, 503, TimeSpan.FromSeconds(5)), Refused(ledger));
        Assert.True(ledger.TryReserve(new Payer("b", "p", "k"), new Quote(Price.Free("m", 1), default), "free", out Reservation? free, out _));
        await ledger.Settle(free, default).Durable;
        _postgres.Resume();
        await ledger.FlushAsync();
        await Check(ledger, store, 6, free: false);
    }

    [Fact]
    public async Task A_journal_that_is_full_lets_nobody_in_and_those_that_run_wait_for_the_database()
    {
        using PlatformStore store = Open();
        await using PlatformLedger ledger = Ledger(store, settings => settings with { JournalBytes = 2000 });
        await ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        Reservation[] running = [.. Enumerable.Range(0, 30).Select(i =>
        {
            Assert.True(ledger.TryReserve(new Payer("a", "p", "k"), new Quote(_price, new UsageUnits { Input = 1 }), $"r{i}", out Reservation? held, out _));
            return held;
        })];
        _postgres.Halt();
        Task[] durable = [.. running.Select(held => ledger.Settle(held, new UsageUnits { Input = 1 }).Durable)];
        await Eventually.HoldsAsync(() => store.Presence.IsAway && !ledger.Admits);
        Assert.Equal(BusinessCode.Network, Refused(ledger).Code);
        _postgres.Resume();
        await Task.WhenAll(durable);
        await Eventually.HoldsAsync(() => ledger.Admits);
        await Check(ledger, store, 30);
    }

    [Fact]
    public async Task A_database_that_forgot_what_it_had_said_gets_nothing_more_from_a_node_that_knows_it()
    {
        using PlatformStore store = Open();
        await using PlatformLedger ledger = Ledger(store);
        await ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        await Charge(ledger, "before");
        await ledger.FlushAsync();   // on a slow machine the journal may have it first
        store.Write(session => session.Execute("UPDATE store_topics SET version = 1 WHERE topic = 'ledger'"));   // a standby that had less, or a restored backup
        Task late = Charge(ledger, "late");
        await Eventually.HoldsAsync(() => ledger.Broken is not null);
        Assert.Contains("Restart", ledger.Broken, StringComparison.Ordinal);
        Assert.False(ledger.Admits);

        // It fails, or stands in the journal if the database was slow to say so; that is kept for the next run then.
        await late.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
        await ledger.FlushAsync();
        Assert.Equal(late.IsCompletedSuccessfully ? 1 : 0, late.IsCompletedSuccessfully ? Directory.GetFiles(JournalFolder).Length : 0);
        Assert.Equal(BusinessCode.Network, Refused(ledger).Code);
        Assert.Equal(["before"], store.Read(session => session.List<string>("SELECT request FROM ledger_usage")));
    }

    public void Dispose()
    {
        _postgres.Dispose();
        _folder.Dispose();
    }

    private PlatformStore Open() => PlatformStore.Open(new StoreSettings
    {
        DataFolder = _folder.Path,
        ConnectionString = _postgres.ConnectionString,
        Durability = StoreDurability.Full,   // less may lose what the server had said, which is another test
        ChangePoll = TimeSpan.FromMilliseconds(50),
    });

    private static PlatformLedger Ledger(PlatformStore store, Func<LedgerSettings, LedgerSettings>? change = null)
    {
        var settings = new LedgerSettings { SweepEvery = TimeSpan.Zero, JournalBytes = 1 << 20, JournalAfter = TimeSpan.FromMilliseconds(20) };
        return PlatformLedger.Open(store, change?.Invoke(settings) ?? settings);
    }

    private static async Task Charge(PlatformLedger ledger, string id, string key = "k", bool fund = true)
    {
        Price price = fund ? _price : Price.Free("m", 1);
        Assert.True(ledger.TryReserve(new Payer("a", "p", key), new Quote(price, new UsageUnits { Input = 1 }), id, out Reservation? held, out PlatformError? error), error?.Message);
        await ledger.Settle(held, new UsageUnits { Input = 1 }).Durable;
    }

    private static (BusinessCode Code, int Status, TimeSpan? RetryAfter) Refused(PlatformLedger ledger)
    {
        Assert.False(ledger.TryReserve(new Payer("a", "p", "k"), new Quote(_price, new UsageUnits { Input = 1 }), "r", out _, out PlatformError? error));
        return (error.Code, error.Status, error.RetryAfter);
    }

    private static async Task Check(PlatformLedger ledger, PlatformStore store, int requests, bool free = true)
    {
        // What was written may be read a moment later: the database is back when both work.
        await Eventually.HoldsAsync(() => !store.Presence.IsAway);
        Assert.Empty(await ledger.AuditAsync());
        List<string> ids = store.Read(session => session.List<string>("SELECT request FROM ledger_usage"));
        Assert.Distinct(ids);
        Assert.Equal(requests, ids.Count);
        if (free)
            Assert.Equal(100m - (requests * 0.001m), ledger.BalanceOf("a", Currency.Usd).Cash.Amount);
        await using PlatformLedger fresh = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Assert.Equal(fresh.BalanceOf("a", Currency.Usd).Cash, ledger.BalanceOf("a", Currency.Usd).Cash);
    }
}
