using System.Data.Common;
using System.Text.Json;
using System.Text.Json.Serialization;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Billing;

/// <summary>One side of an invoice.</summary>
/// <param name="Name">Name or company.</param>
/// <param name="Address">Address, lines apart by <c>\n</c>.</param>
/// <param name="TaxNumber">Tax number; empty for none.</param>
public sealed record InvoiceParty(string Name, string Address = "", string TaxNumber = "");

/// <summary>A line of an invoice, in amounts as texts.</summary>
/// <param name="Item">What: a model, or the kind of a purchase.</param>
/// <param name="Requests">Requests; 0 for purchases.</param>
/// <param name="InputTokens">Input tokens, cached ones included.</param>
/// <param name="CachedInputTokens">Cached ones of these.</param>
/// <param name="OutputTokens">Output tokens.</param>
/// <param name="Other">Other units: images, seconds, searches …</param>
/// <param name="Cash">Paid by cash.</param>
/// <param name="Credits">Paid by credits.</param>
/// <param name="Packs">What the used units of packs had cost.</param>
public sealed record InvoiceLine(string Item, long Requests, long InputTokens, long CachedInputTokens, long OutputTokens, long Other, string Cash, string Credits, string Packs);

/// <summary>An invoice of one month, as it was issued.</summary>
/// <param name="Number">Its number: 1, 2, 3 … without gaps over all accounts.</param>
/// <param name="AccountId">Whose.</param>
/// <param name="Period">The month, <c>2026-03</c>.</param>
/// <param name="Issued">When.</param>
/// <param name="Currency">Its currency.</param>
/// <param name="Issuer">Who issues it.</param>
/// <param name="Customer">Who gets it.</param>
/// <param name="Lines">Its lines.</param>
/// <param name="Cash">All that cash paid.</param>
/// <param name="Credits">All that credits paid.</param>
public sealed record Invoice(
    long Number, string AccountId, string Period, DateTimeOffset Issued, string Currency, InvoiceParty Issuer, InvoiceParty Customer, IReadOnlyList<InvoiceLine> Lines, string Cash, string Credits);

/// <summary>Issues invoices of closed months and keeps them as they were issued.</summary>
public sealed class InvoiceDesk(PlatformLedger ledger, InvoiceParty issuer)
{
    private const string Topic = "ledger_invoices";
    private readonly UsageReport _usage = new(ledger);

    /// <summary>The invoice of a month, issued if it was not yet.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="currency">Of which funds.</param>
    /// <param name="month">Any day of the month.</param>
    /// <param name="customer">Who gets it; counts when it is issued now.</param>
    /// <returns>The invoice; null when the month is not closed or had nothing that was paid.</returns>
    public async Task<Invoice?> IssueAsync(string accountId, Currency currency, DateOnly month, InvoiceParty customer)
    {
        var first = new DateOnly(month.Year, month.Month, 1);
        DateOnly last = first.AddMonths(1).AddDays(-1);
        if (BillingCalendar.DayOf(last) >= ledger.Calendar.DayOf(ledger.Now))
            return null;
        string period = first.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture);
        if (await ledger.Store.ReadAsync(session => Read(session, "account = @accountId AND currency = @Code AND period = @period", new { accountId, currency.Code, period })) is { } known)
            return known;

        // Nothing of a closed month may still be on its way.
        await ledger.FlushAsync();
        IReadOnlyList<UsageLine> used = await _usage.ReadAsync(new UsageQuery(accountId, first, last, UsageSpan.Month, UsageSplit.Model));
        long from = ledger.Calendar.StartOfDay(BillingCalendar.DayOf(first));
        long to = ledger.Calendar.StartOfDay(BillingCalendar.DayOf(last) + 1);
        return await ledger.Store.WriteAsync(session =>
        {
            // The version's row lock makes the numbers follow each other; a transaction that fails takes none.
            session.NextVersion(Topic);
            if (Read(session, "account = @accountId AND currency = @Code AND period = @period", new { accountId, currency.Code, period }) is { } meanwhile)
                return meanwhile;
            List<InvoiceLine> lines = [.. used.Where(line => line.Cash.Currency == currency && (!line.Charged.IsZero || line.PackQuantity != 0)).Select(Line)];
            Money cash = used.Where(line => line.Cash.Currency == currency).Aggregate(Money.Zero(currency), static (sum, line) => sum + line.Cash);
            Money credits = used.Where(line => line.Cash.Currency == currency).Aggregate(Money.Zero(currency), static (sum, line) => sum + line.Credits);
            foreach ((long kind, long paidCash, long paidCredits) in Purchases(session, accountId, currency, from, to))
            {
                Money byCash = Money.FromUnits(-paidCash, currency), byCredits = Money.FromUnits(-paidCredits, currency);
                lines.Add(new InvoiceLine(((TransactionKind)kind).ToString(), 0, 0, 0, 0, 0, byCash.AmountText, byCredits.AmountText, "0.00"));
                cash += byCash;
                credits += byCredits;
            }

            if (lines.Count == 0)
                return null;
            long number = session.Scalar<long>("SELECT COALESCE(MAX(number), 0) + 1 FROM ledger_invoices");
            var invoice = new Invoice(
                number, accountId, period, DateTimeOffset.FromUnixTimeMilliseconds(ledger.Now).ToOffset(ledger.Calendar.Offset), currency.Code, issuer, customer, lines, cash.AmountText, credits.AmountText);
            session.Execute(
                "INSERT INTO ledger_invoices (number, account, currency, period, issued, content) VALUES (@number, @accountId, @Code, @period, @Now, @content)",
                new { number, accountId, currency.Code, period, ledger.Now, content = Write(invoice) });
            return invoice;
        });
    }

    /// <summary>An invoice of an account; null when there is none of this number.</summary>
    public Task<Invoice?> FindAsync(string accountId, long number) =>
        ledger.Store.ReadAsync(session => Read(session, "account = @accountId AND number = @number", new { accountId, number }));

    /// <summary>An account's invoices, newest first.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="most">Most invoices.</param>
    public async Task<IReadOnlyList<Invoice>> ListAsync(string accountId, int most = 200) => await ledger.Store.ReadAsync(session =>
        session.List<string>("SELECT content FROM ledger_invoices WHERE account = @accountId ORDER BY number DESC LIMIT @most", new { accountId, most }).ConvertAll(Parse));

    /// <summary>An invoice as it is stored.</summary>
    internal static string Write(Invoice invoice) => JsonSerializer.Serialize(invoice, InvoiceJson.Default.Invoice);

    private static Invoice? Read(StoreSession session, string where, object parameters) =>
        session.Scalar<string>($"SELECT content FROM ledger_invoices WHERE {where}", parameters) is { } content ? Parse(content) : null;

    private static Invoice Parse(string content) => JsonSerializer.Deserialize(content, InvoiceJson.Default.Invoice)!;

    private static InvoiceLine Line(UsageLine line) => new(
        line.Model ?? "",
        line.Requests,
        line.Count(UnitKind.Input),
        line.Count(UnitKind.CachedInput),
        line.Count(UnitKind.Output),
        line.Units.Skip((int)UnitKind.Image).Sum(),
        line.Cash.AmountText,
        line.Credits.AmountText,
        line.PackValue.AmountText);

    private static List<(long Kind, long Cash, long Credits)> Purchases(StoreSession session, string accountId, Currency currency, long from, long to)
    {
        var list = new List<(long, long, long)>();
        using DbDataReader reader = session.Read(
            "SELECT t.kind, CAST(SUM(CASE WHEN e.book = 1 THEN e.amount ELSE 0 END) AS BIGINT), CAST(SUM(CASE WHEN e.book = 2 THEN e.amount ELSE 0 END) AS BIGINT) "
            + "FROM ledger_transactions t JOIN ledger_entries e ON e.seq = t.seq WHERE t.account = @accountId AND t.currency = @Code AND t.at >= @from AND t.at < @to AND t.kind IN (4, 5) "
            + "GROUP BY t.kind ORDER BY t.kind",
            new { accountId, currency.Code, from, to });
        while (reader.Read())
        {
            if (reader.GetInt64(1) != 0 || reader.GetInt64(2) != 0)
                list.Add((reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2)));
        }

        return list;
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Invoice))]
internal sealed partial class InvoiceJson : JsonSerializerContext;
