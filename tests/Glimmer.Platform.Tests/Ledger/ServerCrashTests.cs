using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Testing;
using Npgsql;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>Runs by itself, after the tests that use the same server.</summary>
[CollectionDefinition(nameof(ServerCrashTests), DisableParallelization = true)]
[Collection(nameof(ServerCrashTests))]
public sealed class ServerCrashTests
{
    [Fact]
    public async Task A_crash_of_the_database_server_loses_no_acknowledged_charge_and_doubles_none()
    {
        using var test = new Store.TestStore(StoreKind.Postgres);
        using PlatformStore store = PlatformStore.Open(CrashLoad.Settings(test.Folder, test.Settings.ConnectionString) with { Durability = StoreDurability.Full });
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero, AdmitAmount = 1000 });
        await ledger.DepositAsync("a", Money.Of(1000, Currency.Usd), "d");
        Price price = PriceTests.Tokens("1", "1", "1", per: 1000);
        using var stop = new CancellationTokenSource();
        long settled = 0;
        Task[] workers = [.. Enumerable.Range(0, 20).Select(worker => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                Assert.True(ledger.TryReserve(new Payer("a", "p", "k"), new Quote(price, new UsageUnits { Input = 1 }), "r", out Reservation? held, out _));
                await ledger.Settle(held, new UsageUnits { Input = 1 }).Durable;
                Interlocked.Increment(ref settled);
            }
        }))];
        for (int i = 0; i < 2; i++)
        {
            await Task.Delay(150);
            PostgresServer.CrashAndRestart();
        }

        NpgsqlConnection.ClearAllPools();   // the tests' own connections died too

        await Task.Delay(300);
        await stop.CancelAsync();
        await Task.WhenAll(workers);
        await Eventually.HoldsAsync(() => !store.Presence.IsAway);   // what writes may know it before what reads
        Assert.Empty(await ledger.AuditAsync());
        Assert.Equal(settled, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_usage")));
        Assert.Equal(1000m - (settled * 0.001m), ledger.BalanceOf("a", Currency.Usd).Cash.Amount);
        await using PlatformLedger again = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Assert.Equal(ledger.BalanceOf("a", Currency.Usd).Cash, again.BalanceOf("a", Currency.Usd).Cash);
    }
}
