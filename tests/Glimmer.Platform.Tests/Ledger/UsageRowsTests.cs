using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>The rows of a group are the same whichever way they go in: statements on SQLite, statements or COPY on PostgreSQL.</summary>
public sealed class UsageRowsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(40)]
    public async Task Groups_of_any_size_leave_the_same_rows_in_both_databases(int requests)
    {
        List<string> sqlite = await RowsAsync(StoreKind.Sqlite, requests), postgres = await RowsAsync(StoreKind.Postgres, requests);
        Assert.Equal(requests + 1, sqlite.Count);
        Assert.Equal(sqlite, postgres);
    }

    private static async Task<List<string>> RowsAsync(StoreKind kind, int requests)
    {
        using var test = new TestLedger(kind);
        await test.Ledger.DepositAsync("a", Money.Of(100, Currency.Usd), "d");
        Price price = PriceTests.Tokens("1", "1", "1", per: 1000);

        // While the writer is held, the first request is a group of its own, and the others gather behind it.
        using ManualResetEventSlim held = new();
        Task holding = test.Store.WriteAsync(session =>
        {
            held.Wait(TestContext.Current.CancellationToken);
            return true;
        });
        Task last = Task.CompletedTask;
        for (int i = 0; i <= requests; i++)
        {
            var units = new UsageUnits { Input = 10 + i, CachedInput = i % 3, Output = 100 + i, Reasoning = i, Images = i % 2, Characters = 7 * i };
            last = test.Ledger.Settle(
                test.Reserve("a", price, 200, i % 4 == 3 ? ChargeMode.Plan : ChargeMode.Balance, key: $"k{i % 3}"), units, new SettleDetails(PlanUnits: i % 4 == 3 ? i : 0, Surface: $"s{i % 2}", Failed: i % 5 == 4)).Durable;
        }

        held.Set();
        await holding;
        await last;
        return test.Store.Read(session =>
        {
            List<string> rows = [];
            using var reader = session.Read(
                $"SELECT u.at, u.account, u.project, u.key, u.model, u.surface, u.request, u.catalogue, u.mode, u.failed, {UsageRows.UnitColumns}, u.plan_units, u.currency, u.cash, u.credit, u.pack_value, u.pack_quantity FROM ledger_usage u ORDER BY u.id");
            while (reader.Read())
                rows.Add(string.Join('|', Enumerable.Range(0, reader.FieldCount).Select(i => Convert.ToString(reader.GetValue(i), System.Globalization.CultureInfo.InvariantCulture))));
            return rows;
        });
    }
}
