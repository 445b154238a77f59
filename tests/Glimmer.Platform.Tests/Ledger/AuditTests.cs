using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Ledger;

public sealed class AuditTests
{
    [Theory]
    [InlineData("UPDATE ledger_entries SET amount = amount + 1 WHERE book = 100", "adds up to 1")]
    [InlineData("UPDATE ledger_lots SET units = units - 1 WHERE kind = 1", "differs from its entries by -1")]
    [InlineData("UPDATE ledger_lots SET quantity = quantity + 1 WHERE kind = 3", "differs from its entries")]
    [InlineData("DELETE FROM ledger_entries WHERE seq IN (SELECT seq FROM ledger_transactions WHERE kind = 2)", "has 0 entries")]
    [InlineData("UPDATE ledger_usage SET cash = cash + 1 WHERE cash > 0", "differ in cash by 1")]
    [InlineData("DELETE FROM ledger_usage WHERE cash > 0", "differ in cash by -")]
    [InlineData("UPDATE ledger_usage SET seq = 0 WHERE cash > 0", "was charged by no transaction")]
    [InlineData("UPDATE ledger_usage_hours SET output = output + 1", "ledger_usage_hours of account number 1 differs from its usage rows in output by 1")]
    [InlineData("DELETE FROM ledger_usage_days", "ledger_usage_days has 2 requests fewer")]
    [InlineData("UPDATE ledger_usage_months SET requests = requests + 1", "ledger_usage_months of account number 1 differs from its days in requests by 1")]
    [InlineData("UPDATE ledger_key_spend SET total = total + 1", "The spend of key number")]
    [InlineData("UPDATE ledger_lots SET account = 'thief' WHERE kind = 1", "of no lot of its account")]
    public async Task An_audit_finds_what_was_tampered_with(string tampering, string found)
    {
        using var files = new Store.TestStore(StoreKind.Sqlite);
        using PlatformStore store = files.Open();
        await using PlatformLedger ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        await ledger.DepositAsync("a", Money.Of(5, Currency.Usd), "d");
        await ledger.BuyPackAsync("a", new PackOffer(10, Money.Of(1, Currency.Usd), new PackScope([UnitKind.Input], []), TimeSpan.FromDays(1)), "p");
        Price price = PriceTests.Tokens("1", "1", "2", per: 1000);
        await TestLedger.Spend(ledger, "a", price, 4);
        await TestLedger.Spend(ledger, "a", price, 20);
        Assert.Empty(await ledger.AuditAsync());
        store.Write(session => session.Execute(tampering));
        Assert.Contains(await ledger.AuditAsync(), fault => fault.Contains(found, StringComparison.Ordinal));
    }
}
