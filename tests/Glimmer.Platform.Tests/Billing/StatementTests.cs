using System.IO.Pipelines;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Ledger;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Billing;

public sealed class StatementTests
{
    private static readonly Price _a = PriceTests.Tokens("1", "0.5", "2", per: 1000, model: "glm-a");
    private static readonly Price _b = PriceTests.Tokens("3", "0.1", "4", per: 1000, model: "glm-b");

    [Theory, EachStore]
    public async Task Reports_add_up_whatever_they_are_split_by(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        await test.Ledger.DepositAsync("a", Usd(1000), "d");
        await test.Ledger.GrantAsync("a", Usd(10), "g");
        await test.Ledger.BuyPackAsync("a", new PackOffer(5000, Usd(1), new PackScope([UnitKind.Input], ["glm-b"]), TimeSpan.FromDays(1)), "p");
        var random = new Random(3);
        DateOnly first = Day(test);
        decimal charged = 0;
        for (int i = 0; i < 200; i++)
        {
            if (i % 10 == 0)
                test.Time.Advance(TimeSpan.FromHours(90));   // two and a half months in all
            charged += (await Use(test, i % 3 == 0 ? _a : _b, $"k{random.Next(3)}", $"p{random.Next(2)}", random.Next(1000), i % 9 == 0 ? ChargeMode.Plan : ChargeMode.Balance)).Amount;
        }

        var report = new UsageReport(test.Ledger);
        var query = new UsageQuery("a", first, Day(test), UsageSpan.Total);
        UsageLine total = Assert.Single(await report.ReadAsync(query));
        Assert.Equal((200L, charged), (total.Requests, total.Charged.Amount));
        Assert.True(total.CacheHitRate is > 0.2 and < 0.3);
        foreach (UsageSpan span in Enum.GetValues<UsageSpan>())
        {
            for (int split = 0; split < 16; split++)
            {
                var lines = new List<UsageLine>();
                int most = span == UsageSpan.Hour ? UsageQuery.MostHourDays : UsageQuery.MostDays;
                for (DateOnly from = query.From; from <= query.To; from = from.AddDays(most))
                {
                    DateOnly to = from.AddDays(most - 1);
                    lines.AddRange(await report.ReadAsync(query with { From = from, To = to < query.To ? to : query.To, Span = span, Split = (UsageSplit)split }));
                }

                if (span == UsageSpan.Month && split == 0)
                    Assert.Equal([3, 4, 5], lines.Select(line => line.Start.Month));
                Assert.Equal(total.Requests, lines.Sum(line => line.Requests));
                Assert.Equal(total.Charged.Amount, lines.Sum(line => line.Charged.Amount));
                Assert.Equal(total.PackQuantity, lines.Sum(line => line.PackQuantity));
                Assert.Equal(total.Units, Enumerable.Range(0, UsageUnits.Kinds).Select(unit => lines.Sum(line => line.Units[unit])));
            }
        }

        IReadOnlyList<UsageLine> models = await report.ReadAsync(query with { Split = UsageSplit.Model });
        Assert.Equal(["glm-a", "glm-b"], models.Select(line => line.Model));
        Assert.Equal(models[0].Requests, Assert.Single(await report.ReadAsync(query with { Model = "glm-a" })).Requests);
        Assert.Equal(total.Requests, (await report.ReadAsync(query with { KeyId = "k0" })).Concat(await report.ReadAsync(query with { KeyId = "k1" })).Concat(await report.ReadAsync(query with { KeyId = "k2" })).Sum(line => line.Requests));
        Assert.Empty(await report.ReadAsync(query with { AccountId = "b" }));
        Assert.Empty(await report.ReadAsync(query with { KeyId = "'; DROP TABLE ledger_usage; --" }));
        await Assert.ThrowsAsync<ArgumentException>(() => report.ReadAsync(query with { From = query.To.AddDays(1) }));
        await Assert.ThrowsAsync<ArgumentException>(() => report.ReadAsync(query with { From = query.To.AddDays(-2000) }));
    }

    [Theory, EachStore]
    public async Task A_bill_is_of_a_day_of_the_billing_zone_and_shows_from_the_next_day_on(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var statements = new Statements(test.Ledger);
        await test.Ledger.DepositAsync("a", Usd(1000), "d");
        test.Time.Advance(TimeSpan.FromHours(4) - TimeSpan.FromMilliseconds(1));   // 1 March, 23:59:59.999 in UTC+8
        await Use(test, _a, "k", "p", 1000);
        var from = new DateOnly(2026, 2, 1);
        var to = new DateOnly(2026, 4, 30);
        Assert.Equal(new DateOnly(2026, 2, 28), statements.LastBilledDay);
        Assert.Empty(await statements.BillsAsync("a", from, to));
        test.Time.Advance(TimeSpan.FromMilliseconds(1));
        await Use(test, _a, "k", "p", 1000);
        await Use(test, _b, "k", "p", 1000);
        UsageLine bill = Assert.Single(await statements.BillsAsync("a", from, to));
        Assert.Equal((new DateTimeOffset(2026, 3, 1, 0, 0, 0, TimeSpan.FromHours(8)), 1L), (bill.Start, bill.Requests));
        test.Time.Advance(TimeSpan.FromDays(31));
        IReadOnlyList<UsageLine> bills = await statements.BillsAsync("a", from, to);
        Assert.Equal([1, 2, 2], bills.Select(line => line.Start.Day));
        Assert.Equal([2L, 1L], (await statements.BillsAsync("a", from, to, monthly: true)).Select(line => line.Requests));
    }

    [Theory, EachStore]
    public async Task Exports_hold_every_request_once_and_newest_first(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var statements = new Statements(test.Ledger);
        await test.Ledger.DepositAsync("a", Usd(100_000), "d");
        DateTimeOffset start = test.Time.GetUtcNow();
        var work = new List<Task>();
        for (int i = 0; i < 4500; i++)
        {
            if (i % 100 == 0)
                test.Time.Advance(TimeSpan.FromSeconds(1));   // a hundred requests share each instant
            work.Add(Use(test, _a, "=cmd()", "p\",x", i % 50));
        }

        await Task.WhenAll(work);
        await Use(test, _a, "k", "p", 1, account: "b");
        DateTimeOffset end = test.Time.GetUtcNow().AddSeconds(1);
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await StatementExport.WriteAsync(pipe.Writer, ExportFormat.Json, statements.StreamAsync("a", start, end), TimeSpan.FromHours(8));
        await pipe.Writer.CompleteAsync();
        using JsonDocument json = await JsonDocument.ParseAsync(pipe.Reader.AsStream());
        JsonElement[] rows = [.. json.RootElement.EnumerateArray()];
        Assert.Equal(4500, rows.Select(row => row.GetProperty("number").GetString()).Distinct().Count());
        Assert.Equal(rows.Select(row => row.GetProperty("time").GetString()).OrderDescending(StringComparer.Ordinal), rows.Select(row => row.GetProperty("time").GetString()));
        Assert.Equal(100_000m - test.Ledger.BalanceOf("a", Currency.Usd).Cash.Amount, rows.Sum(row => decimal.Parse(row.GetProperty("cash").GetString()!, System.Globalization.CultureInfo.InvariantCulture)));

        pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 0));
        await StatementExport.WriteAsync(pipe.Writer, ExportFormat.Csv, statements.StreamAsync("a", start, end), TimeSpan.FromHours(8));
        await pipe.Writer.CompleteAsync();
        string[] lines = (await new StreamReader(pipe.Reader.AsStream(), Encoding.UTF8).ReadToEndAsync()).Split("\r\n");
        Assert.Equal(4500 + 2, lines.Length);
        Assert.StartsWith("number,time,request_id,project,key,model", lines[0], StringComparison.Ordinal);
        Assert.Contains(",\"p\"\",x\",'=cmd(),glm-a,chat,1,balance,false,", lines[1]);
        IReadOnlyList<RequestLine> page = await statements.RequestsAsync("a", start, end, most: 150);
        IReadOnlyList<RequestLine> next = await statements.RequestsAsync("a", start, page[^1].At, page[^1].Number, 150);
        Assert.Equal(300, page.Concat(next).Select(line => line.Number).Distinct().Count());
    }

    [Theory, EachStore]
    public async Task The_history_pages_through_everything_but_requests(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var statements = new Statements(test.Ledger);
        for (int i = 0; i < 25; i++)
            await test.Ledger.DepositAsync("a", Usd(1), $"d{i}", $"memo {i}");
        await test.Ledger.BuyPlanAsync("a", Usd(3), "plan", "Lite, month");
        await Use(test, _a, "k", "p", 10);
        await test.Ledger.DepositAsync("b", Usd(1), "other");
        var seen = new List<TransactionLine>();
        for (IReadOnlyList<TransactionLine> page = await statements.TransactionsAsync("a", most: 10); page.Count > 0; page = await statements.TransactionsAsync("a", page[^1], 10))
            seen.AddRange(page);
        Assert.Equal(["plan", .. Enumerable.Range(0, 25).Select(i => $"d{24 - i}")], seen.Select(line => line.Id));
        Assert.Equal((TransactionKind.PlanPurchase, Usd(-3), "Lite, month"), (seen[0].Kind, seen[0].Cash, seen[0].Memo));
    }

    [Theory, EachStore]
    public async Task Invoices_of_closed_months_are_numbered_without_gaps_and_stay_as_they_are(StoreKind kind)
    {
        using var test = new TestLedger(kind);
        var desk = new InvoiceDesk(test.Ledger, new InvoiceParty("Glimmer <Ltd>", "1 Road\n2 Town"));
        for (int i = 0; i < 12; i++)
        {
            await test.Ledger.DepositAsync($"a{i}", Usd(100), $"d{i}");
            await test.Ledger.GrantAsync($"a{i}", Usd(1), $"g{i}");
            await Use(test, _a, "k", "p", 2000, account: $"a{i}");
            await test.Ledger.BuyPlanAsync($"a{i}", Usd(18), $"plan{i}");
        }

        var march = new DateOnly(2026, 3, 31);
        Assert.Null(await desk.IssueAsync("a0", Currency.Usd, march, new InvoiceParty("x")));
        test.Time.Advance(TimeSpan.FromDays(31));
        Invoice?[] issued = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => desk.IssueAsync($"a{i % 12}", Currency.Usd, march, new InvoiceParty($"<script>{i}</script>", TaxNumber: "DE1"))));
        Assert.Equal(Enumerable.Range(1, 12).Select(n => (long)n), issued.Select(invoice => invoice!.Number).Distinct().Order());
        Assert.Null(await desk.IssueAsync("nobody", Currency.Usd, march, new InvoiceParty("x")));
        Assert.Null(await desk.IssueAsync("a0", Currency.Cny, march, new InvoiceParty("x")));
        Invoice invoice = (await desk.FindAsync("a3", issued[3]!.Number))!;
        Assert.Null(await desk.FindAsync("a4", issued[3]!.Number));
        Assert.Equal(("2026-03", "1.00"), (invoice.Period, invoice.Credits));
        Assert.Equal(["glm-a", "PlanPurchase"], invoice.Lines.Select(line => line.Item));
        decimal spent = 100m - test.Ledger.BalanceOf("a3", Currency.Usd).Cash.Amount;
        Assert.Equal(spent, decimal.Parse(invoice.Cash, System.Globalization.CultureInfo.InvariantCulture));
        string english = InvoicePage.Render(invoice, MessageLanguage.English);
        Assert.DoesNotContain("<script>", english);
        Assert.Contains("Glimmer &lt;Ltd&gt;", english);
        Assert.DoesNotContain("http", english);
        Assert.Contains("编程套餐", InvoicePage.Render(invoice, MessageLanguage.Chinese));
        Assert.Equal(invoice.Number, Assert.Single(await desk.ListAsync("a3")).Number);
    }

    private static async Task<Money> Use(TestLedger test, Price price, string key, string project, int tokens, ChargeMode mode = ChargeMode.Balance, string account = "a")
    {
        var units = new UsageUnits { Input = tokens, CachedInput = tokens / 4, Output = tokens / 2 };
        if (account == "b")
            await test.Ledger.DepositAsync("b", Usd(1), "d-b");
        Assert.True(test.Ledger.TryReserve(new Payer(account, project, key), new Quote(price, units, mode), "r", out Reservation? held, out _));
        Settlement settled = test.Ledger.Settle(held, units, new SettleDetails(Surface: "chat"));
        await settled.Durable;
        return settled.Charged;
    }

    private static DateOnly Day(TestLedger test) => DateOnly.FromDateTime(test.Time.GetUtcNow().ToOffset(TimeSpan.FromHours(8)).DateTime);

    private static Money Usd(decimal amount) => Money.Of(amount, Currency.Usd);
}
