using System.Data.Common;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Billing;

/// <summary>The steps of a usage report.</summary>
public enum UsageSpan
{
    /// <summary>Hours of the billing time zone.</summary>
    Hour,

    /// <summary>Days of the billing time zone.</summary>
    Day,

    /// <summary>Calendar months.</summary>
    Month,

    /// <summary>All in one.</summary>
    Total,
}

/// <summary>By what a usage report is split besides time and currency.</summary>
[Flags]
public enum UsageSplit
{
    /// <summary>By nothing.</summary>
    None = 0,

    /// <summary>By model.</summary>
    Model = 1,

    /// <summary>By key.</summary>
    Key = 2,

    /// <summary>By project.</summary>
    Project = 4,

    /// <summary>By what paid: balance or plan.</summary>
    Mode = 8,
}

/// <summary>What to report. Days are of the billing time zone, both ends included.</summary>
/// <param name="AccountId">Whose.</param>
/// <param name="From">First day.</param>
/// <param name="To">Last day; hours reach over at most 14 days, other spans over 1,100.</param>
/// <param name="Span">The steps.</param>
/// <param name="Split">By what it is split.</param>
/// <param name="KeyId">Only this key.</param>
/// <param name="ProjectId">Only this project.</param>
/// <param name="Model">Only this model.</param>
public sealed record UsageQuery(
    string AccountId, DateOnly From, DateOnly To, UsageSpan Span = UsageSpan.Day, UsageSplit Split = UsageSplit.None, string? KeyId = null, string? ProjectId = null, string? Model = null)
{
    /// <summary>Most days of a report in hours.</summary>
    public const int MostHourDays = 14;

    /// <summary>Most days of other reports.</summary>
    public const int MostDays = 1100;
}

/// <summary>A line of a usage report.</summary>
/// <param name="Start">When the step begins.</param>
/// <param name="Model">The model; null when not split by it.</param>
/// <param name="KeyId">The key, likewise.</param>
/// <param name="ProjectId">The project, likewise.</param>
/// <param name="Mode">What paid, likewise.</param>
/// <param name="Requests">Requests.</param>
/// <param name="Failed">Those that ended with a fault.</param>
/// <param name="Units">Units by <see cref="UnitKind"/>, as the wire reports them.</param>
/// <param name="PlanUnits">What plans' windows were charged, in millionths of a prompt.</param>
/// <param name="Cash">What cash paid.</param>
/// <param name="Credits">What credits paid.</param>
/// <param name="PackValue">What the used units of packs had cost.</param>
/// <param name="PackQuantity">Units that packs paid.</param>
public sealed record UsageLine(
    DateTimeOffset Start, string? Model, string? KeyId, string? ProjectId, ChargeMode? Mode, long Requests, long Failed, IReadOnlyList<long> Units, long PlanUnits, Money Cash, Money Credits, Money PackValue, long PackQuantity)
{
    /// <summary>Cash and credits.</summary>
    public Money Charged => Cash + Credits;

    /// <summary>Units of a kind.</summary>
    public long Count(UnitKind kind) => Units[(int)kind];

    /// <summary>The part of the input that came from the cache, 0 to 1; 0 without input.</summary>
    public double CacheHitRate => Count(UnitKind.Input) == 0 ? 0 : (double)Count(UnitKind.CachedInput) / Count(UnitKind.Input);
}

/// <summary>Reads usage from the roll-ups: its cost depends on the days asked for, not on the number of requests.</summary>
public sealed class UsageReport(PlatformLedger ledger)
{
    /// <summary>The lines of a report, by time, then currency and split.</summary>
    /// <exception cref="ArgumentException">The days are in the wrong order or too many.</exception>
    public async Task<IReadOnlyList<UsageLine>> ReadAsync(UsageQuery query, CancellationToken cancel = default)
    {
        int days = query.To.DayNumber - query.From.DayNumber + 1;
        int most = query.Span == UsageSpan.Hour ? UsageQuery.MostHourDays : UsageQuery.MostDays;
        if (days < 1 || days > most)
            throw new ArgumentException($"The days {query.From:yyyy-MM-dd} to {query.To:yyyy-MM-dd} are {days}; legal is 1 to {most}.", nameof(query));
        return await ledger.Store.ReadAsync(
            session => query.Span is UsageSpan.Hour or UsageSpan.Day ? Read(session, query, query.Span == UsageSpan.Hour ? "hour" : "day", query.From, query.To) : ReadMonths(session, query),
            cancel: cancel);
    }

    /// <summary>Whole months from their own roll-up, days for what is left at both ends.</summary>
    private List<UsageLine> ReadMonths(StoreSession session, UsageQuery query)
    {
        DateOnly first = query.From.Day == 1 ? query.From : new DateOnly(query.From.Year, query.From.Month, 1).AddMonths(1);
        DateOnly end = query.To.AddDays(1).Day == 1 ? query.To.AddDays(1) : new DateOnly(query.To.Year, query.To.Month, 1);
        var lines = new List<UsageLine>();
        if (first >= end)
        {
            lines.AddRange(Read(session, query, "day", query.From, query.To));
        }
        else
        {
            if (query.From < first)
                lines.AddRange(Read(session, query, "day", query.From, first.AddDays(-1)));
            lines.AddRange(Read(session, query, "month", first, end.AddDays(-1)));
            if (end <= query.To)
                lines.AddRange(Read(session, query, "day", end, query.To));
        }

        return Gather(lines, query.Span == UsageSpan.Total ? line => lines[0].Start : static line => new DateTimeOffset(line.Start.Year, line.Start.Month, 1, 0, 0, 0, line.Start.Offset));
    }

    private List<UsageLine> Read(StoreSession session, UsageQuery query, string span, DateOnly from, DateOnly to)
    {
        if (LedgerNames.Find(session, query.AccountId) is not { } account)
            return [];
        string where = $"r.account = @account AND r.{span} BETWEEN @first AND @last";
        long key = -1, project = -1, model = -1;
        if (query.KeyId is not null && !Narrow("key", query.KeyId, ref key)
            || query.ProjectId is not null && !Narrow("project", query.ProjectId, ref project)
            || query.Model is not null && !Narrow("model", query.Model, ref model))
            return [];

        bool Narrow(string column, string name, ref long id)
        {
            id = LedgerNames.Find(session, name) ?? -1;
            where += $" AND r.{column} = @{column}";
            return id >= 0;
        }

        string step = query.Span == UsageSpan.Total ? "0" : $"r.{span}";
        string Column(UsageSplit split, string name) => query.Split.HasFlag(split) ? $"r.{name}" : "-1";
        string groups = $"{step}, r.currency, {Column(UsageSplit.Model, "model")}, {Column(UsageSplit.Key, "key")}, {Column(UsageSplit.Project, "project")}, {Column(UsageSplit.Mode, "mode")}";
        string sums = string.Join(", ", UsageSums.Columns.Split(", ").Select(static column => $"CAST(SUM(r.{column}) AS BIGINT)"));
        string sql = $"SELECT g.*, m.name, k.name, p.name FROM (SELECT {Named(groups)}, {sums} FROM ledger_usage_{span}s r WHERE {where} GROUP BY 1, 2, 3, 4, 5, 6) g "
            + "LEFT JOIN ledger_names m ON m.id = g.g2 LEFT JOIN ledger_names k ON k.id = g.g3 LEFT JOIN ledger_names p ON p.id = g.g4 ORDER BY g.g0, g.g1, m.name, k.name, p.name, g.g5";
        (long first, long last) = span switch
        {
            "hour" => (BillingCalendar.DayOf(from) * 24, ((BillingCalendar.DayOf(to) + 1) * 24) - 1),
            "day" => (BillingCalendar.DayOf(from), BillingCalendar.DayOf(to)),
            _ => (MonthOf(from), MonthOf(to)),
        };
        var lines = new List<UsageLine>();
        using DbDataReader reader = session.Read(sql, new { account, first, last, key, project, model });
        while (reader.Read())
            lines.Add(Line(reader, query, span, from));
        return lines;
    }

    private UsageLine Line(DbDataReader reader, UsageQuery query, string span, DateOnly from)
    {
        const int Sums = 6;
        const int Names = Sums + UsageSums.Figures;
        var currency = Currency.Parse(reader.GetString(1));
        long step = reader.GetInt64(0);
        long start = query.Span == UsageSpan.Total ? ledger.Calendar.StartOfDay(BillingCalendar.DayOf(query.From)) : span switch
        {
            "hour" => ledger.Calendar.StartOfHour(step),
            "day" => ledger.Calendar.StartOfDay(step),
            _ => ledger.Calendar.StartOfDay(BillingCalendar.DayOf(new DateOnly((int)(step / 12), (int)(step % 12) + 1, 1))),
        };
        long[] units = new long[UsageUnits.Kinds];
        for (int kind = 0; kind < units.Length; kind++)
            units[kind] = reader.GetInt64(Sums + 2 + kind);
        const int Rest = Sums + 2 + UsageUnits.Kinds;
        Money Amount(int column) => Money.FromUnits(reader.GetInt64(column), currency);
        string? Name(int column, UsageSplit split) => query.Split.HasFlag(split) && !reader.IsDBNull(column) ? reader.GetString(column) : null;
        return new UsageLine(
            DateTimeOffset.FromUnixTimeMilliseconds(start).ToOffset(ledger.Calendar.Offset),
            Name(Names, UsageSplit.Model),
            Name(Names + 1, UsageSplit.Key),
            Name(Names + 2, UsageSplit.Project),
            query.Split.HasFlag(UsageSplit.Mode) ? (ChargeMode)reader.GetInt64(5) : null,
            reader.GetInt64(Sums),
            reader.GetInt64(Sums + 1),
            units,
            reader.GetInt64(Rest),
            Amount(Rest + 1),
            Amount(Rest + 2),
            Amount(Rest + 3),
            reader.GetInt64(Rest + 4));
    }

    /// <summary>Adds lines up whose start falls together.</summary>
    internal static List<UsageLine> Gather(IEnumerable<UsageLine> lines, Func<UsageLine, DateTimeOffset> start) =>
        [.. lines.GroupBy(line => (Start: start(line), line.Cash.Currency, line.Model, line.KeyId, line.ProjectId, line.Mode)).Select(static group => new UsageLine(
            group.Key.Start,
            group.Key.Model,
            group.Key.KeyId,
            group.Key.ProjectId,
            group.Key.Mode,
            group.Sum(static line => line.Requests),
            group.Sum(static line => line.Failed),
            [.. Enumerable.Range(0, UsageUnits.Kinds).Select(kind => group.Sum(line => line.Units[kind]))],
            group.Sum(static line => line.PlanUnits),
            group.Aggregate(Money.Zero(group.Key.Currency), static (sum, line) => sum + line.Cash),
            group.Aggregate(Money.Zero(group.Key.Currency), static (sum, line) => sum + line.Credits),
            group.Aggregate(Money.Zero(group.Key.Currency), static (sum, line) => sum + line.PackValue),
            group.Sum(static line => line.PackQuantity)))
            .OrderBy(static line => line.Start)
            .ThenBy(static line => line.Cash.Currency.Code, StringComparer.Ordinal)
            .ThenBy(static line => line.Model, StringComparer.Ordinal)
            .ThenBy(static line => line.KeyId, StringComparer.Ordinal)
            .ThenBy(static line => line.ProjectId, StringComparer.Ordinal)
            .ThenBy(static line => line.Mode)];

    private static long MonthOf(DateOnly date) => (date.Year * 12L) + date.Month - 1;

    private static string Named(string groups) => string.Join(", ", groups.Split(", ").Select(static (column, i) => $"{column} AS g{i}"));
}
