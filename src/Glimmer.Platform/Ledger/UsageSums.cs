using System.Runtime.InteropServices;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>Adds up a group's requests by hour, day and month for the roll-ups, and by key for the spend caps.</summary>
internal sealed class UsageSums(BillingCalendar calendar)
{
    /// <summary>Figures of a roll-up: requests, failed, the units, plan units, cash, credit, pack value, pack quantity.</summary>
    public const int Figures = UsageUnits.Kinds + 7;

    /// <summary>Their columns.</summary>
    public const string Columns = "requests, failed, " + UsageRows.UnitColumns + ", plan_units, cash, credit, pack_value, pack_quantity";

    private static readonly string _hours = Upsert("ledger_usage_hours", "hour");
    private static readonly string _days = Upsert("ledger_usage_days", "day");
    private static readonly string _months = Upsert("ledger_usage_months", "month");
    private readonly Dictionary<RollupKey, long[]> _byHour = [];
    private readonly Dictionary<RollupKey, long[]> _byDay = [];
    private readonly Dictionary<RollupKey, long[]> _byMonth = [];
    private readonly Dictionary<(string Key, Currency Currency, long Day, long Month), long> _byKey = [];

    public void Add(in UsageRow row)
    {
        ref Charge charge = ref row.Request.Charge;
        var key = new RollupKey(row.Account, calendar.HourOf(charge.At), row.Key, row.Model, row.Project, row.Request.Wallet.Currency, charge.Mode);
        Add(_byHour, key, ref charge);
        BillingDay day = calendar.Of(charge.At);
        Add(_byDay, key with { Span = day.Day }, ref charge);
        Add(_byMonth, key with { Span = day.Month }, ref charge);
        long spent = charge.Cash + charge.Credit + charge.PackValue;
        if (spent != 0 && row.Request.Payer.KeyId.Length > 0)
            CollectionsMarshal.GetValueRefOrAddDefault(_byKey, (row.Request.Payer.KeyId, row.Request.Wallet.Currency, day.Day, day.Month), out _) += spent;
    }

    public void Write(StatementBatch batch, long version)
    {
        Write(batch, _hours, _byHour);
        Write(batch, _days, _byDay);
        Write(batch, _months, _byMonth);
        foreach (((string key, Currency currency, long day, long month), long spent) in _byKey)
        {
            batch.Add(
                "INSERT INTO ledger_key_spend (key_id, currency, total, month, month_spent, day, day_spent, version) VALUES (@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7) "
                + "ON CONFLICT (key_id, currency) DO UPDATE SET total = ledger_key_spend.total + excluded.total, "
                + "month_spent = excluded.month_spent + CASE WHEN ledger_key_spend.month = excluded.month THEN ledger_key_spend.month_spent ELSE 0 END, month = excluded.month, "
                + "day_spent = excluded.day_spent + CASE WHEN ledger_key_spend.day = excluded.day THEN ledger_key_spend.day_spent ELSE 0 END, day = excluded.day, version = excluded.version",
                key, currency.Code, spent, month, spent, day, spent, version);
        }
    }

    private static void Add(Dictionary<RollupKey, long[]> sums, in RollupKey key, ref Charge charge)
    {
        ref long[]? slot = ref CollectionsMarshal.GetValueRefOrAddDefault(sums, key, out _);
        long[] sum = slot ??= new long[Figures];
        sum[0]++;
        sum[1] += charge.Failed ? 1 : 0;
        for (int kind = 0; kind < UsageUnits.Kinds; kind++)
            sum[2 + kind] += charge.Units[(UnitKind)kind];
        int at = 2 + UsageUnits.Kinds;
        sum[at] += charge.PlanUnits;
        sum[at + 1] += charge.Cash;
        sum[at + 2] += charge.Credit;
        sum[at + 3] += charge.PackValue;
        sum[at + 4] += charge.PackQuantity;
    }

    private static void Write(StatementBatch batch, string sql, Dictionary<RollupKey, long[]> sums)
    {
        object?[] values = new object?[7 + Figures];
        foreach ((RollupKey key, long[] sum) in sums)
        {
            (values[0], values[1], values[2], values[3], values[4], values[5], values[6]) = (key.Account, key.Span, key.Key, key.Model, key.Project, key.Currency.Code, (long)key.Mode);
            for (int i = 0; i < sum.Length; i++)
                values[7 + i] = sum[i];
            batch.Add(sql, values);
        }
    }

    private static string Upsert(string table, string span) =>
        $"INSERT INTO {table} (account, {span}, key, model, project, currency, mode, {Columns}) "
        + $"VALUES ({string.Join(", ", Enumerable.Range(0, 7 + Figures).Select(static i => $"@p{i}"))}) "
        + $"ON CONFLICT (account, {span}, key, model, project, currency, mode) DO UPDATE SET "
        + string.Join(", ", Columns.Split(", ").Select(column => $"{column} = {table}.{column} + excluded.{column}"));

    private readonly record struct RollupKey(long Account, long Span, long Key, long Model, long Project, Currency Currency, ChargeMode Mode);
}
