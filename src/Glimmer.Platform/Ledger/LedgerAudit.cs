using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Checks the whole books against each other: every transaction adds up to nothing, every lot is the sum of its entries,
/// every group's entries are its usage rows, and the roll-ups are the sums of the usage rows.
/// </summary>
internal static class LedgerAudit
{
    private const int MostFaults = 100;

    /// <summary>Reads one state of the store; gives what is wrong with it, at most a hundred lines.</summary>
    public static List<string> Run(StoreSession session, BillingCalendar calendar)
    {
        var faults = new List<string>();
        Find(session, faults, "Transaction {0} adds up to {1}",
            "SELECT seq, SUM(amount) FROM ledger_entries GROUP BY seq HAVING SUM(amount) <> 0");
        Find(session, faults, "Transaction {0} has {1} entries",
            "SELECT t.seq, 0 FROM ledger_transactions t WHERE NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.seq = t.seq)");
        Find(session, faults, "Lot {0} differs from its entries by {1}",
            "SELECT l.id, l.units - COALESCE(e.units, 0) FROM ledger_lots l LEFT JOIN (SELECT lot, SUM(amount) AS units, SUM(quantity) AS quantity FROM ledger_entries WHERE lot IS NOT NULL GROUP BY lot) e "
            + "ON e.lot = l.id WHERE l.units <> COALESCE(e.units, 0) OR l.quantity <> COALESCE(e.quantity, 0)");
        Find(session, faults, "Entries of transaction {0} are of no lot of its account: {1}",
            "SELECT e.seq, e.lot FROM ledger_entries e JOIN ledger_transactions t ON t.seq = e.seq LEFT JOIN ledger_lots l ON l.id = e.lot "
            + "WHERE e.lot IS NOT NULL AND (l.id IS NULL OR l.account <> t.account OR l.currency <> t.currency OR l.kind <> e.book)");
        foreach ((string column, int book) in ((string, int)[])[("cash", 1), ("credit", 2), ("pack_value", 3)])
        {
            Find(session, faults, $"Transaction {{0}} and its usage rows differ in {column} by {{1}}",
                $"SELECT t.seq, COALESCE(u.paid, 0) + COALESCE(e.units, 0) FROM ledger_transactions t LEFT JOIN (SELECT seq, SUM({column}) AS paid FROM ledger_usage GROUP BY seq) u ON u.seq = t.seq "
                + $"LEFT JOIN (SELECT seq, SUM(amount) AS units FROM ledger_entries WHERE book = {book} GROUP BY seq) e ON e.seq = t.seq WHERE t.kind = 1 AND COALESCE(u.paid, 0) + COALESCE(e.units, 0) <> 0");
        }

        Find(session, faults, "Usage row {0} was charged by no transaction: {1}",
            "SELECT u.id, u.cash + u.credit + u.pack_value FROM ledger_usage u LEFT JOIN ledger_transactions t ON t.seq = u.seq WHERE t.seq IS NULL AND (u.seq <> 0 OR u.cash <> 0 OR u.credit <> 0 OR u.pack_quantity <> 0)");
        long offset = (long)calendar.Offset.TotalMilliseconds;
        foreach ((string table, string span, long length) in ((string, string, long)[])[("ledger_usage_hours", "hour", 3_600_000), ("ledger_usage_days", "day", 86_400_000)])
        {
            foreach (string column in (string[])["requests", .. UsageSums.Columns.Split(", ")[1..]])
            {
                string sum = column == "requests" ? "COUNT(*)" : $"SUM({column})";
                Find(session, faults, $"{table} of account number {{0}} differs from its usage rows in {column} by {{1}}",
                    $"SELECT COALESCE(r.account, u.account), COALESCE(r.figure, 0) - COALESCE(u.figure, 0) FROM "
                    + $"(SELECT account, {span}, SUM({column}) AS figure FROM {table} GROUP BY account, {span}) r LEFT JOIN "
                    + $"(SELECT account, (at + {offset}) / {length} AS {span}, {sum} AS figure FROM ledger_usage GROUP BY account, (at + {offset}) / {length}) u "
                    + $"ON u.account = r.account AND u.{span} = r.{span} WHERE COALESCE(r.figure, 0) <> COALESCE(u.figure, 0)");
            }

            Find(session, faults, $"{table} has {{1}} requests fewer than there are usage rows",
                $"SELECT 0, (SELECT COUNT(*) FROM ledger_usage) - (SELECT COALESCE(SUM(requests), 0) FROM {table}) WHERE (SELECT COUNT(*) FROM ledger_usage) <> (SELECT COALESCE(SUM(requests), 0) FROM {table})");
        }

        foreach (string column in UsageSums.Columns.Split(", "))
        {
            Find(session, faults, $"ledger_usage_months of account number {{0}} differs from its days in {column} by {{1}}",
                $"SELECT COALESCE(m.account, d.account), COALESCE(m.figure, 0) - COALESCE(d.figure, 0) FROM (SELECT account, SUM({column}) AS figure FROM ledger_usage_days GROUP BY account) d LEFT JOIN "
                + $"(SELECT account, SUM({column}) AS figure FROM ledger_usage_months GROUP BY account) m ON m.account = d.account WHERE COALESCE(m.figure, 0) <> COALESCE(d.figure, 0)");
        }

        Find(session, faults, "The spend of key number {0} differs from its usage rows by {1}",
            "SELECT n.id, k.total - COALESCE(u.spent, 0) FROM ledger_key_spend k JOIN ledger_names n ON n.name = k.key_id LEFT JOIN "
            + "(SELECT key, currency, SUM(cash + credit + pack_value) AS spent FROM ledger_usage GROUP BY key, currency) u ON u.key = n.id AND u.currency = k.currency WHERE k.total <> COALESCE(u.spent, 0)");
        return faults;
    }

    private static void Find(StoreSession session, List<string> faults, string text, string sql)
    {
        using System.Data.Common.DbDataReader reader = session.Read(sql);
        while (faults.Count < MostFaults && reader.Read())
            faults.Add(string.Format(System.Globalization.CultureInfo.InvariantCulture, text, reader.GetValue(0), reader.GetValue(1)) + ".");
    }
}
