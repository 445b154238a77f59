using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>What cannot be stored while the journal is taking it.</summary>
public sealed class FailingGroupTests
{
    private static readonly int _rounds = int.Parse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES") ?? "20");

    /// <summary>A group fails for good at the moment at which its requests go into the journal: who was told that a request is durable finds it there, whoever was told otherwise does not.</summary>
    [Fact]
    public async Task Each_request_is_in_the_journal_or_has_failed()
    {
        int kept = 0, failed = 0;
        for (int round = 0; round < _rounds; round++)
        {
            using var test = new TestStore(StoreKind.Postgres);
            Task[] charges;
            await using (PlatformStore store = test.Open())
            {
                await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero, JournalBytes = 1 << 20, JournalAfter = TimeSpan.FromTicks(10_000 * (round % 3)) });
                await ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "d");
                store.Write(session => session.Execute("UPDATE store_topics SET version = version - 1 WHERE topic = 'ledger'"));   // a backup that was restored under it
                Reservation[] held = [.. Enumerable.Range(0, 8).Select(i => Reserve(ledger, $"r{i}"))];
                charges = [.. held.Select(reservation => ledger.Settle(reservation, new UsageUnits { Input = 1 }).Durable)];
                await Task.WhenAll(charges).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
                await ledger.FlushAsync();
                Assert.NotNull(ledger.Broken);
            }

            int told = charges.Count(static charge => charge.IsCompletedSuccessfully);
            int found = 0;
            foreach (NodeJournalReader journal in NodeJournal.Orphans(Path.Combine(test.Folder, "journal")))
            {
                using (journal)
                    found += journal.Read(out _).Count - 1;
            }

            Assert.Equal((round, told), (round, found));
            kept += told;
            failed += charges.Length - told;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{kept} were kept, {failed} failed");
        Assert.Equal(8 * _rounds, kept + failed);
    }

    private static Reservation Reserve(PlatformLedger ledger, string id)
    {
        Assert.True(ledger.TryReserve(new Payer("a", "p", "k"), new Quote(PriceTests.Tokens("1", "1", "1", per: 1000), new UsageUnits { Input = 1 }), id, out Reservation? held, out _));
        return held;
    }
}
