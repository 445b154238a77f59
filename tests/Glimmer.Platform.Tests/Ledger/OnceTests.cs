using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>Charges that only the first of several nodes may bring.</summary>
public sealed class OnceTests
{
    private static readonly Price _price = PriceTests.Tokens("1", "1", "1", per: 1000);

    [Theory, EachStore]
    public async Task A_request_that_two_nodes_ran_is_charged_by_the_first_and_costs_the_second_nothing(StoreKind kind)
    {
        using var files = new TestStore(kind);
        await using PlatformStore here = files.Open(), there = files.Open();
        await using PlatformLedger first = Open(here), second = Open(there);
        await first.DepositAsync("a", Money.Of(1, Currency.Usd), "d");
        await first.GrantAsync("a", Money.Of(0.010m, Currency.Usd), "g");
        await Eventually.HoldsAsync(() => second.BalanceOf("a", Currency.Usd).Cash.Amount == 1);
        Reservation[] held = [Reserve(first), Reserve(second)];
        await first.Settle(held[0], new UsageUnits { Input = 4 }, new SettleDetails(Once: true)).Durable;
        await second.Settle(held[1], new UsageUnits { Input = 9 }, new SettleDetails(Once: true)).Durable;
        await second.Settle(Reserve(second, "plain"), new UsageUnits { Input = 1 }).Durable;   // of the same wallet and key
        await Eventually.HoldsAsync(() => first.BalanceOf("a", Currency.Usd).Credits == second.BalanceOf("a", Currency.Usd).Credits);
        foreach (PlatformLedger ledger in new[] { first, second })
        {
            Assert.Empty(await ledger.AuditAsync());
            Assert.Equal((1m, 0.005m, 0m), (ledger.BalanceOf("a", Currency.Usd).Cash.Amount, ledger.BalanceOf("a", Currency.Usd).Credits.Amount, ledger.BalanceOf("a", Currency.Usd).Held.Amount));
            Assert.Equal(0.005m, ledger.KeySpent("k", Currency.Usd, CapPeriod.Total).Amount);
        }

        Assert.Equal([4L, 1L], here.Read(session => session.List<long>("SELECT input FROM ledger_usage ORDER BY at, id")).OrderDescending());
    }

    [Theory, EachStore]
    public async Task Both_in_one_group_are_charged_once(StoreKind kind)
    {
        using var files = new TestStore(kind);
        await using PlatformStore store = files.Open();
        await using PlatformLedger ledger = Open(store);
        await ledger.DepositAsync("a", Money.Of(1, Currency.Usd), "d");
        await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => ledger.Settle(Reserve(ledger), new UsageUnits { Input = 5 }, new SettleDetails(Once: true)).Durable));
        Assert.Empty(await ledger.AuditAsync());
        Assert.Equal(0.995m, ledger.BalanceOf("a", Currency.Usd).Cash.Amount);
        Assert.Equal(1, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_usage")));
    }

    [Fact]
    public async Task Whatever_a_journal_s_record_says_it_is_read_whole_or_refused()
    {
        using var files = new TestStore(StoreKind.Sqlite);
        await using PlatformStore store = files.Open();
        await using PlatformLedger ledger = Open(store);
        await ledger.DepositAsync("äccount", Money.Of(1, Currency.Usd), "d");
        Assert.True(ledger.TryReserve(new Payer("äccount", "p", "k"), new Quote(_price, new UsageUnits { Input = 7, CachedInput = 3, Output = 2 }), "r", out Reservation? held, out _));
        _ = ledger.Settle(held, new UsageUnits { Input = 7, CachedInput = 3, Output = 2 }, new SettleDetails(PlanUnits: 9, Surface: "chat", Failed: true, Once: true));
        byte[] record = ChargeRecord.Write((LedgerReservation)held);
        LedgerReservation read = ChargeRecord.Read(record, ledger);
        Charge was = ((LedgerReservation)held).Charge, now = read.Charge;
        Assert.Equal((held.Payer, held.RequestId, was.Id, was.At, was.Units, was.Mode, 9L, "chat", true, true), (read.Payer, read.RequestId, now.Id, now.At, now.Units, now.Mode, now.PlanUnits, now.Surface, now.Failed, now.Once));
        Assert.Equal((was.Price.Model, was.Price.Family, was.Price.CatalogueVersion, was.Price.Currency), (now.Price.Model, now.Price.Family, now.Price.CatalogueVersion, now.Price.Currency));
        Assert.Equal(was.Price.Lines, now.Price.Lines);
        Assert.Equal(record, ChargeRecord.Write(read));
        Assert.Contains("form 9", Assert.Throws<InvalidDataException>(() => ChargeRecord.Read([9, .. record[1..]], ledger)).Message, StringComparison.Ordinal);
        for (int length = 0; length < record.Length; length++)
            Assert.Throws<InvalidDataException>(() => ChargeRecord.Read(record[..length], ledger));
        Assert.Throws<InvalidDataException>(() => ChargeRecord.Read([.. record, 0], ledger));
        var random = new Random(3);
        int cases = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int asked) ? asked : 3000;
        for (int i = 0; i < cases; i++)
        {
            byte[] damaged = [.. record];
            for (int changes = random.Next(1, 4); changes > 0; changes--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                Assert.True(ChargeRecord.Read(damaged, ledger).Charge.Units.IsValid);
            }
            catch (InvalidDataException)
            {
                // Refused.
            }
        }
    }

    private static PlatformLedger Open(PlatformStore store) => PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });

    private static Reservation Reserve(PlatformLedger ledger, string id = "task")
    {
        Assert.True(ledger.TryReserve(new Payer("a", "p", "k"), new Quote(_price, new UsageUnits { Input = 10 }), id, out Reservation? held, out _));
        return held;
    }
}
