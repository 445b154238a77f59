using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Billing;

/// <summary>What an account has, used and was billed: <c>/api/billing/balance</c>, <c>usage</c>, <c>bills</c>, <c>requests</c>, <c>transactions</c>.</summary>
internal sealed class StatementEndpoints(IBillingCallers callers, PlatformLedger ledger)
{
    private readonly UsageReport _usage = new(ledger);
    private readonly Statements _statements = new(ledger);

    /// <summary>Funds by currency.</summary>
    public async Task BalanceAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        IReadOnlyList<Currency> currencies = ledger.CurrenciesOf(caller.AccountId);
        await BillingJson.WriteAsync(context, json => json.WriteList("balances", currencies.Select(currency => ledger.BalanceOf(caller.AccountId, currency)), BillingJson.WriteBalance));
    }

    /// <summary>Usage from the roll-ups.</summary>
    public async Task UsageAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        var query = new BillingQuery(context.Request.Query);
        UsageSpan span = query.Word("span", UsageSpan.Day);
        (DateOnly from, DateOnly to) = Days(query, span == UsageSpan.Hour ? UsageQuery.MostHourDays : UsageQuery.MostDays, ahead: 1);
        var wanted = new UsageQuery(caller.AccountId, from, to, span, query.Split("split"), query.Name("key"), query.Name("project"), query.Name("model"));
        if (await FailedAsync(context, query))
            return;
        IReadOnlyList<UsageLine> lines = await _usage.ReadAsync(wanted, context.RequestAborted);
        await BillingJson.WriteAsync(context, json => json.WriteList("usage", lines, BillingJson.WriteUsage));
    }

    /// <summary>Bills of closed days or months; <c>format=csv</c> or <c>json</c> as a file.</summary>
    public async Task BillsAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        var query = new BillingQuery(context.Request.Query);
        (DateOnly from, DateOnly to) = Days(query, UsageQuery.MostDays, ahead: 0);
        UsageSpan span = query.Word("span", UsageSpan.Day);
        ExportFormat? format = context.Request.Query.ContainsKey("format") ? query.Word("format", ExportFormat.Json) : null;
        if (await FailedAsync(context, query))
            return;
        IReadOnlyList<UsageLine> bills = await _statements.BillsAsync(caller.AccountId, from, to, span == UsageSpan.Month, context.RequestAborted);
        if (format is { } form)
        {
            Attach(context, form, $"bills-{from:yyyyMMdd}-{to:yyyyMMdd}");
            await StatementExport.WriteAsync(context.Response.BodyWriter, form, bills, context.RequestAborted);
            return;
        }

        await BillingJson.WriteAsync(context, json =>
        {
            json.WriteString("last_billed_day", _statements.LastBilledDay.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture));
            json.WriteList("bills", bills, BillingJson.WriteUsage);
        });
    }

    /// <summary>Single requests, newest first; <c>format=csv</c> or <c>json</c> streams all of them as a file.</summary>
    public async Task RequestsAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        var query = new BillingQuery(context.Request.Query);
        (DateOnly from, DateOnly to) = Days(query, UsageQuery.MostDays, ahead: 1);
        int limit = (int)query.Whole("limit", 1, Statements.MostLines, 100);
        (long At, long Number)? cursor = query.Cursor("next");
        ExportFormat? format = context.Request.Query.ContainsKey("format") ? query.Word("format", ExportFormat.Json) : null;
        if (await FailedAsync(context, query))
            return;
        TimeSpan offset = _statements.Offset;
        var start = new DateTimeOffset(from, TimeOnly.MinValue, offset);
        var end = new DateTimeOffset(to.AddDays(1), TimeOnly.MinValue, offset);
        if (format is { } form)
        {
            Attach(context, form, $"requests-{from:yyyyMMdd}-{to:yyyyMMdd}");
            await StatementExport.WriteAsync(context.Response.BodyWriter, form, _statements.StreamAsync(caller.AccountId, start, end, context.RequestAborted), offset, context.RequestAborted);
            return;
        }

        IReadOnlyList<RequestLine> lines = await _statements.RequestsAsync(
            caller.AccountId, start, cursor is { } place ? DateTimeOffset.FromUnixTimeMilliseconds(place.At) : end, cursor?.Number ?? long.MinValue, limit, context.RequestAborted);
        await BillingJson.WriteAsync(context, json =>
        {
            json.WriteList("requests", lines, BillingJson.WriteRequest);
            BillingJson.WriteNext(json, lines.Count == limit, lines.Count > 0 ? lines[^1].At : default, lines.Count > 0 ? lines[^1].Number : 0);
        });
    }

    /// <summary>The history of recharges, purchases, credits and refunds, newest first.</summary>
    public async Task TransactionsAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        var query = new BillingQuery(context.Request.Query);
        int limit = (int)query.Whole("limit", 1, Statements.MostLines, 100);
        (long At, long Number) cursor = query.Cursor("next") ?? (long.MaxValue, long.MaxValue);
        if (await FailedAsync(context, query))
            return;
        IReadOnlyList<TransactionLine> lines = await _statements.TransactionsAsync(caller.AccountId, cursor.At, cursor.Number, limit, context.RequestAborted);
        await BillingJson.WriteAsync(context, json =>
        {
            json.WriteList("transactions", lines, BillingJson.WriteTransaction);
            BillingJson.WriteNext(json, lines.Count == limit, lines.Count > 0 ? lines[^1].At : default, lines.Count > 0 ? lines[^1].Number : 0);
        });
    }

    private (DateOnly From, DateOnly To) Days(BillingQuery query, int most, int ahead)
    {
        DateOnly last = _statements.LastBilledDay.AddDays(ahead);
        DateOnly to = query.Date("to", last);
        DateOnly from = query.Date("from", to.AddDays(-Math.Min(29, most - 1)));
        query.Require(from <= to && to.DayNumber - from.DayNumber < most, "from", $"the days from {from:yyyy-MM-dd} to {to:yyyy-MM-dd} are in the wrong order or too many", $"At most {most} days");
        return (from, to);
    }

    private static async ValueTask<bool> FailedAsync(HttpContext context, BillingQuery query)
    {
        if (query.Error is not { } error)
            return false;
        await ErrorResponse.WriteAsync(context, error);
        return true;
    }

    private static void Attach(HttpContext context, ExportFormat format, string name)
    {
        context.Response.ContentType = StatementExport.TypeOf(format);
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{name}.{(format == ExportFormat.Csv ? "csv" : "json")}\"";
    }
}
