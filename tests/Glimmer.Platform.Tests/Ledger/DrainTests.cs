using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Ledger;

public sealed class DrainTests
{
    /// <summary>The ledger's groups follow each other on the store's writer; whoever waits for the last must not be left there, since closing the store waits for that thread.</summary>
    [Fact]
    public async Task Whoever_drains_the_ledger_may_close_the_store_at_once()
    {
        for (int round = 0; round < 20; round++)
            await CloseAsync().WaitAsync(TimeSpan.FromMinutes(2));

        static async Task CloseAsync()
        {
            using var test = new TestStore(StoreKind.Sqlite);
            PlatformStore store = test.Open();
            await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
            Task deposit = ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "d");
            await ledger.FlushAsync().ConfigureAwait(false);
            store.Dispose();
            await deposit;
        }
    }
}
