using System.Globalization;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Billing;
using Glimmer.Server.Billing;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>Usage, bills and history of any account, and whether the books hold.</summary>
internal static class UsageOperations
{
    public static AdminOperation[] All { get; } =
    [
        new("GET", "/accounts/{account}/usage", "Reports usage: span (hour, day, month, total), split (model, key, project, mode), from, to, key, project, model.", UsageAsync),
        new("GET", "/accounts/{account}/bills", "Lists the bills of closed days or months: span, from, to.", BillsAsync),
        new("GET", "/accounts/{account}/requests", "Lists single requests, the newest first: from, to, limit, next.", RequestsAsync),
        new("GET", "/accounts/{account}/transactions", "Lists recharges, purchases, credits and refunds, the newest first: limit, next.", TransactionsAsync),
        new("GET", "/ledger/check", "Checks all books against each other: sums of entries, balances, usage rows and roll-ups.", CheckAsync),
    ];

    private static async Task<Outcome<JsonNode?>> UsageAsync(AdminCall call)
    {
        var statements = new Statements(call.Platform.Ledger);
        UsageSpan span = call.Query.Word("span", UsageSpan.Day);
        (DateOnly from, DateOnly to) = Days(call, statements, span == UsageSpan.Hour ? UsageQuery.MostHourDays : UsageQuery.MostDays, ahead: 1);
        var wanted = new UsageQuery(call.Account.PublicId, from, to, span, call.Query.Split("split"), call.Query.Name("key"), call.Query.Name("project"), call.Query.Name("model"));
        if (call.Error is { } error)
            return error;
        IReadOnlyList<UsageLine> lines = await new UsageReport(call.Platform.Ledger).ReadAsync(wanted, call.Cancel);
        return Written(json => json.WriteList("data", lines, BillingJson.WriteUsage));
    }

    private static async Task<Outcome<JsonNode?>> BillsAsync(AdminCall call)
    {
        var statements = new Statements(call.Platform.Ledger);
        (DateOnly from, DateOnly to) = Days(call, statements, UsageQuery.MostDays, ahead: 0);
        UsageSpan span = call.Query.Word("span", UsageSpan.Day);
        if (call.Error is { } error)
            return error;
        IReadOnlyList<UsageLine> bills = await statements.BillsAsync(call.Account.PublicId, from, to, span == UsageSpan.Month, call.Cancel);
        return Written(json =>
        {
            json.WriteString("last_billed_day", statements.LastBilledDay.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture));
            json.WriteList("data", bills, BillingJson.WriteUsage);
        });
    }

    private static async Task<Outcome<JsonNode?>> RequestsAsync(AdminCall call)
    {
        var statements = new Statements(call.Platform.Ledger);
        (DateOnly from, DateOnly to) = Days(call, statements, UsageQuery.MostDays, ahead: 1);
        int limit = (int)call.Query.Whole("limit", 1, Statements.MostLines, 100);
        (long At, long Number)? cursor = call.Query.Cursor("next");
        if (call.Error is { } error)
            return error;
        var start = new DateTimeOffset(from, TimeOnly.MinValue, statements.Offset);
        DateTimeOffset end = cursor is { } place ? DateTimeOffset.FromUnixTimeMilliseconds(place.At) : new DateTimeOffset(to.AddDays(1), TimeOnly.MinValue, statements.Offset);
        IReadOnlyList<RequestLine> lines = await statements.RequestsAsync(call.Account.PublicId, start, end, cursor?.Number ?? long.MinValue, limit, call.Cancel);
        return Written(json =>
        {
            json.WriteList("data", lines, BillingJson.WriteRequest);
            BillingJson.WriteNext(json, lines.Count == limit, lines.Count > 0 ? lines[^1].At : default, lines.Count > 0 ? lines[^1].Number : 0);
        });
    }

    private static async Task<Outcome<JsonNode?>> TransactionsAsync(AdminCall call)
    {
        int limit = (int)call.Query.Whole("limit", 1, Statements.MostLines, 100);
        (long At, long Number) cursor = call.Query.Cursor("next") ?? (long.MaxValue, long.MaxValue);
        if (call.Error is { } error)
            return error;
        IReadOnlyList<TransactionLine> lines = await new Statements(call.Platform.Ledger).TransactionsAsync(call.Account.PublicId, cursor.At, cursor.Number, limit, call.Cancel);
        return Written(json =>
        {
            json.WriteList("data", lines, BillingJson.WriteTransaction);
            BillingJson.WriteNext(json, lines.Count == limit, lines.Count > 0 ? lines[^1].At : default, lines.Count > 0 ? lines[^1].Number : 0);
        });
    }

    private static async Task<Outcome<JsonNode?>> CheckAsync(AdminCall call)
    {
        IReadOnlyList<string> faults = await call.Platform.Ledger.AuditAsync();
        return new JsonObject { ["holds"] = faults.Count == 0, ["faults"] = new JsonArray([.. faults.Select(fault => JsonValue.Create(fault))]) };
    }

    private static (DateOnly From, DateOnly To) Days(AdminCall call, Statements statements, int most, int ahead)
    {
        DateOnly to = call.Query.Date("to", statements.LastBilledDay.AddDays(ahead));
        DateOnly from = call.Query.Date("from", to.AddDays(-Math.Min(29, most - 1)));
        call.Query.Require(from <= to && to.DayNumber - from.DayNumber < most, "from", $"the days from {from:yyyy-MM-dd} to {to:yyyy-MM-dd} are in the wrong order or too many", $"At most {most} days");
        return (from, to);
    }
}
