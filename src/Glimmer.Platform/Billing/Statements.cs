using System.Data.Common;
using System.Runtime.CompilerServices;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Billing;

/// <summary>A transaction of an account's history; charged requests are not in it, the bills sum them up.</summary>
/// <param name="Number">Its number; a page goes on below the last one's.</param>
/// <param name="Id">What made it happen once.</param>
/// <param name="Kind">What it is.</param>
/// <param name="At">When.</param>
/// <param name="Cash">How it changed the cash.</param>
/// <param name="Credits">How it changed the credits.</param>
/// <param name="Packs">How it changed what packs are worth.</param>
/// <param name="PackQuantity">How it changed the packs' units of use.</param>
/// <param name="Memo">What it was for.</param>
/// <param name="Reference">The payment or grant that it belongs to; empty for none.</param>
public sealed record TransactionLine(
    long Number, string Id, TransactionKind Kind, DateTimeOffset At, Money Cash, Money Credits, Money Packs, long PackQuantity, string Memo, string Reference);

/// <summary>One charged or recorded request.</summary>
/// <param name="Number">Its number, unique for ever.</param>
/// <param name="At">When it was settled.</param>
/// <param name="RequestId">The request's id.</param>
/// <param name="ProjectId">Project.</param>
/// <param name="KeyId">Key; empty for none.</param>
/// <param name="Model">Model.</param>
/// <param name="Surface">Endpoint.</param>
/// <param name="CatalogueVersion">The version of the catalogue that priced it.</param>
/// <param name="Mode">What paid.</param>
/// <param name="Failed">Whether the answer ended with a fault.</param>
/// <param name="Units">What was used.</param>
/// <param name="PlanUnits">What the plan's windows were charged, in millionths of a prompt.</param>
/// <param name="Cash">What cash paid.</param>
/// <param name="Credits">What credits paid.</param>
/// <param name="PackValue">What the used units of packs had cost.</param>
/// <param name="PackQuantity">Units that packs paid.</param>
public sealed record RequestLine(
    long Number, DateTimeOffset At, string RequestId, string ProjectId, string KeyId, string Model, string Surface, long CatalogueVersion, ChargeMode Mode, bool Failed,
    UsageUnits Units, long PlanUnits, Money Cash, Money Credits, Money PackValue, long PackQuantity);

/// <summary>Bills, the history and single requests of an account.</summary>
public sealed class Statements(PlatformLedger ledger)
{
    /// <summary>Most lines of one page.</summary>
    public const int MostLines = 500;

    private const int StreamPage = 2000;
    private readonly UsageReport _usage = new(ledger);

    /// <summary>The last day that has a bill: yesterday in the billing time zone. A running day has none.</summary>
    public DateOnly LastBilledDay => BillingCalendar.DateOf(ledger.Calendar.DayOf(ledger.Now) - 1);

    /// <summary>The billing time zone's offset from UTC.</summary>
    public TimeSpan Offset => ledger.Calendar.Offset;

    /// <summary>The bills of closed days, a line per day, model, project and currency.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="from">First day.</param>
    /// <param name="to">Last day; days that are not closed have no lines.</param>
    /// <param name="monthly">Whether a line is a month; the running month goes up to yesterday.</param>
    /// <param name="cancel">Ends the reading.</param>
    public async Task<IReadOnlyList<UsageLine>> BillsAsync(string accountId, DateOnly from, DateOnly to, bool monthly = false, CancellationToken cancel = default)
    {
        to = to > LastBilledDay ? LastBilledDay : to;
        if (to < from)
            return [];
        return await _usage.ReadAsync(new UsageQuery(accountId, from, to, monthly ? UsageSpan.Month : UsageSpan.Day, UsageSplit.Model | UsageSplit.Project), cancel);
    }

    /// <summary>An account's history, newest first.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="before">Only transactions older than this one of a page before; null for the newest.</param>
    /// <param name="most">Most lines, 1 to 500.</param>
    /// <param name="cancel">Ends the reading.</param>
    public Task<IReadOnlyList<TransactionLine>> TransactionsAsync(string accountId, TransactionLine? before = null, int most = 100, CancellationToken cancel = default) =>
        TransactionsAsync(accountId, before is null ? long.MaxValue : before.At.ToUnixTimeMilliseconds(), before?.Number ?? long.MaxValue, most, cancel);

    /// <summary>An account's history older than an instant (milliseconds since 1970) and number, newest first.</summary>
    public async Task<IReadOnlyList<TransactionLine>> TransactionsAsync(string accountId, long beforeAt, long beforeNumber, int most, CancellationToken cancel = default)
    {
        most = Math.Clamp(most, 1, MostLines);
        return await ledger.Store.ReadAsync(
            session =>
            {
                var lines = new List<TransactionLine>();
                using DbDataReader reader = session.Read(
                    "SELECT t.seq, t.id, t.kind, t.currency, t.at, t.memo, t.reference, "
                    + "CAST(COALESCE(SUM(CASE WHEN e.book = 1 THEN e.amount ELSE 0 END), 0) AS BIGINT), CAST(COALESCE(SUM(CASE WHEN e.book = 2 THEN e.amount ELSE 0 END), 0) AS BIGINT), "
                    + "CAST(COALESCE(SUM(CASE WHEN e.book = 3 THEN e.amount ELSE 0 END), 0) AS BIGINT), CAST(COALESCE(SUM(e.quantity), 0) AS BIGINT) "
                    + "FROM (SELECT * FROM ledger_transactions WHERE account = @accountId AND kind <> 1 AND (at < @beforeAt OR (at = @beforeAt AND seq < @beforeNumber)) ORDER BY at DESC, seq DESC LIMIT @most) t "
                    + "JOIN ledger_entries e ON e.seq = t.seq GROUP BY t.seq, t.id, t.kind, t.currency, t.at, t.memo, t.reference ORDER BY t.at DESC, t.seq DESC",
                    new { accountId, beforeAt, beforeNumber, most });
                while (reader.Read())
                {
                    var currency = Currency.Parse(reader.GetString(3));
                    lines.Add(new TransactionLine(
                        reader.GetInt64(0), reader.GetString(1), (TransactionKind)reader.GetInt64(2), DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(4)),
                        Money.FromUnits(reader.GetInt64(7), currency), Money.FromUnits(reader.GetInt64(8), currency), Money.FromUnits(reader.GetInt64(9), currency), reader.GetInt64(10),
                        reader.GetString(5), reader.GetString(6)));
                }

                return lines;
            },
            cancel: cancel);
    }

    /// <summary>Single requests of an account, newest first.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="from">From this instant.</param>
    /// <param name="to">Before this instant.</param>
    /// <param name="beforeNumber">With <paramref name="to"/> the place where a page before ended; <see cref="long.MinValue"/> for none.</param>
    /// <param name="most">Most lines, 1 to 500.</param>
    /// <param name="cancel">Ends the reading.</param>
    public Task<IReadOnlyList<RequestLine>> RequestsAsync(
        string accountId, DateTimeOffset from, DateTimeOffset to, long beforeNumber = long.MinValue, int most = 100, CancellationToken cancel = default) =>
        PageAsync(accountId, from.ToUnixTimeMilliseconds(), to.ToUnixTimeMilliseconds(), beforeNumber, Math.Clamp(most, 1, MostLines), cancel);

    /// <summary>All requests of an account in a time, newest first, read page by page: for exports of any size.</summary>
    public async IAsyncEnumerable<RequestLine> StreamAsync(
        string accountId, DateTimeOffset from, DateTimeOffset to, [EnumeratorCancellation] CancellationToken cancel = default)
    {
        long end = to.ToUnixTimeMilliseconds();
        long number = long.MinValue;
        while (true)
        {
            IReadOnlyList<RequestLine> page = await PageAsync(accountId, from.ToUnixTimeMilliseconds(), end, number, StreamPage, cancel);
            foreach (RequestLine line in page)
                yield return line;
            if (page.Count < StreamPage)
                yield break;
            end = page[^1].At.ToUnixTimeMilliseconds();
            number = page[^1].Number;
        }
    }

    private async Task<IReadOnlyList<RequestLine>> PageAsync(string accountId, long from, long to, long beforeNumber, int most, CancellationToken cancel) =>
        await ledger.Store.ReadAsync(session => Page(session, accountId, from, to, beforeNumber, most), cancel: cancel);

    private static List<RequestLine> Page(StoreSession session, string accountId, long from, long to, long beforeNumber, int most)
    {
        var lines = new List<RequestLine>();
        if (LedgerNames.Find(session, accountId) is not { } account)
            return lines;
        using DbDataReader reader = session.Read(
            "SELECT u.id, u.at, u.request, p.name, k.name, m.name, s.name, u.catalogue, u.mode, u.failed, u.input, u.cached_input, u.output, u.reasoning, u.images, u.videos, "
            + "u.audio_milliseconds, u.audio_tokens, u.characters, u.pages, u.searches, u.tools, u.plan_units, u.currency, u.cash, u.credit, u.pack_value, u.pack_quantity "
            + "FROM (SELECT * FROM ledger_usage WHERE account = @account AND at >= @from AND (at < @to OR (at = @to AND id < @beforeNumber)) ORDER BY at DESC, id DESC LIMIT @most) u "
            + "JOIN ledger_names p ON p.id = u.project JOIN ledger_names k ON k.id = u.key JOIN ledger_names m ON m.id = u.model JOIN ledger_names s ON s.id = u.surface ORDER BY u.at DESC, u.id DESC",
            new { account, from, to, beforeNumber, most });
        while (reader.Read())
        {
            var currency = Currency.Parse(reader.GetString(23));
            int Count(int column) => (int)reader.GetInt64(column);
            lines.Add(new RequestLine(
                reader.GetInt64(0),
                DateTimeOffset.FromUnixTimeMilliseconds(reader.GetInt64(1)),
                reader.GetString(2),
                reader.GetString(3),
                reader.GetString(4),
                reader.GetString(5),
                reader.GetString(6),
                reader.GetInt64(7),
                (ChargeMode)reader.GetInt64(8),
                reader.GetInt64(9) != 0,
                new UsageUnits
                {
                    Input = Count(10),
                    CachedInput = Count(11),
                    Output = Count(12),
                    Reasoning = Count(13),
                    Images = Count(14),
                    Videos = Count(15),
                    AudioMilliseconds = Count(16),
                    AudioTokens = Count(17),
                    Characters = Count(18),
                    Pages = Count(19),
                    Searches = Count(20),
                    Tools = Count(21),
                },
                reader.GetInt64(22),
                Money.FromUnits(reader.GetInt64(24), currency),
                Money.FromUnits(reader.GetInt64(25), currency),
                Money.FromUnits(reader.GetInt64(26), currency),
                reader.GetInt64(27)));
        }

        return lines;
    }
}
