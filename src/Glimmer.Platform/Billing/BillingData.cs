using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>
/// What the ledger and its papers hold about an account, for export and deletion. A deletion takes the customer's name, address and tax number off its invoices and the
/// notes off its payments and bookings; numbers, amounts and random ids stay, since books must still add up.
/// </summary>
public sealed class BillingData(PlatformLedger ledger) : IAccountDataOwner
{
    private readonly Statements _statements = new(ledger);
    private readonly UsageReport _usage = new(ledger);
    private readonly PaymentDesk _payments = new(ledger, [], new PaymentSettings());
    private readonly InvoiceDesk _invoices = new(ledger, new InvoiceParty(""));

    /// <inheritdoc/>
    public string Part => "billing";

    /// <inheritdoc/>
    public async Task<JsonNode?> ExportAsync(AccountEntry account, CancellationToken cancel)
    {
        await ledger.FlushAsync();
        string id = account.PublicId;
        var history = new JsonArray();
        for (TransactionLine? last = null; ;)
        {
            IReadOnlyList<TransactionLine> page = await _statements.TransactionsAsync(id, last, Statements.MostLines, cancel);
            foreach (TransactionLine line in page)
                history.Add((JsonNode)Transaction(line));
            if (page.Count < Statements.MostLines)
                break;
            last = page[^1];
        }

        DateOnly today = BillingCalendar.DateOf(ledger.Calendar.DayOf(ledger.Now));
        IReadOnlyList<UsageLine> used = await _usage.ReadAsync(new UsageQuery(id, today.AddDays(-UsageQuery.MostDays + 1), today, UsageSpan.Month, UsageSplit.Model), cancel);
        return new JsonObject
        {
            ["transactions"] = history,
            ["usage_by_month"] = List(used, Usage),
            ["payments"] = List(await _payments.ListAsync(id), Payment),
            ["invoices"] = List(await _invoices.ListAsync(id), Invoice),
        };
    }

    /// <inheritdoc/>
    public async Task EraseAsync(AccountEntry account)
    {
        string id = account.PublicId;
        IReadOnlyList<Invoice> invoices = await _invoices.ListAsync(id, int.MaxValue);
        await ledger.Store.WriteAsync(session =>
        {
            session.Execute("UPDATE ledger_payments SET note = '' WHERE account = @id", new { id });
            session.Execute("UPDATE ledger_payment_refunds SET note = '' WHERE payment IN (SELECT id FROM ledger_payments WHERE account = @id)", new { id });
            session.Execute("UPDATE ledger_transactions SET memo = '' WHERE account = @id AND kind <> 1", new { id });
            foreach (Invoice invoice in invoices)
                session.Execute("UPDATE ledger_invoices SET content = @content WHERE number = @Number", new { content = InvoiceDesk.Write(invoice with { Customer = new InvoiceParty("") }), invoice.Number });
            return true;
        });
    }

    private static JsonArray List<T>(IEnumerable<T> items, Func<T, JsonObject> convert)
    {
        var list = new JsonArray();
        foreach (T item in items)
            list.Add((JsonNode)convert(item));
        return list;
    }

    private static JsonObject Transaction(TransactionLine line) => new()
    {
        ["number"] = line.Number,
        ["id"] = line.Id,
        ["kind"] = line.Kind.ToString(),
        ["at"] = line.At.ToString("O"),
        ["currency"] = line.Cash.Currency.Code,
        ["cash"] = line.Cash.AmountText,
        ["credits"] = line.Credits.AmountText,
        ["packs"] = line.Packs.AmountText,
        ["memo"] = line.Memo,
        ["reference"] = line.Reference,
    };

    private static JsonObject Usage(UsageLine line) => new()
    {
        ["month"] = line.Start.ToString("yyyy-MM", System.Globalization.CultureInfo.InvariantCulture),
        ["model"] = line.Model,
        ["requests"] = line.Requests,
        ["input_tokens"] = line.Count(UnitKind.Input),
        ["cached_input_tokens"] = line.Count(UnitKind.CachedInput),
        ["output_tokens"] = line.Count(UnitKind.Output),
        ["currency"] = line.Cash.Currency.Code,
        ["charged"] = line.Charged.AmountText,
    };

    private static JsonObject Payment(Payment payment) => new()
    {
        ["id"] = payment.Id,
        ["provider"] = payment.Provider,
        ["currency"] = payment.Amount.Currency.Code,
        ["amount"] = payment.Amount.AmountText,
        ["refunded"] = payment.Refunded.AmountText,
        ["state"] = payment.State.ToString(),
        ["created"] = payment.Created.ToString("O"),
        ["paid"] = payment.Paid?.ToString("O"),
        ["note"] = payment.Note,
    };

    private static JsonObject Invoice(Invoice invoice) => (JsonObject)JsonNode.Parse(InvoiceDesk.Write(invoice))!;
}
