using System.Data.Common;
using Dapper;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Nodes;

/// <summary>
/// The store of slices on PostgreSQL. An exchange is one transaction of three round trips, however many limits it names: lock and read,
/// write, commit. Rows are locked in the order of their ids. Only the database's clock counts.
/// </summary>
internal sealed class SliceSqlStore(PlatformStore store) : ISliceStore
{
    /// <summary>Form of the exchange that this program speaks.</summary>
    public const long Protocol = 1;

    /// <summary>Oldest form that it can share limits with.</summary>
    public const long OldestProtocol = 1;

    private const string Clock = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint";
    private const string NodeColumns = "id AS Id, name AS Name, epoch AS Epoch, program AS Version, protocol AS Protocol, shared AS Shared, started AS Started, lease_end AS LeaseEnd, sequence AS Sequence";
    private const int CleanEvery = 300;
    private int _maintained;

    /// <inheritdoc/>
    public NodeLeaseRow Register(SliceSettings settings, bool again)
    {
        if (settings.Home.Length > 0)
            store.Exchange(session => session.Execute("UPDATE nodes SET lease_end = 0 WHERE home = @Home", new { settings.Home }));
        Maintain();
        return store.Exchange(session =>
        {
            session.Execute("SELECT pg_advisory_xact_lock(7310576, hashtext(current_schema()))");
            List<long> protocols = session.List<long>($"SELECT DISTINCT protocol FROM nodes WHERE lease_end > {Clock}");
            if (protocols.Exists(static other => other is < OldestProtocol or > Protocol))
                throw new StoreException($"A running node shares limits in form {protocols.Find(static other => other is < OldestProtocol or > Protocol)}, this version knows {OldestProtocol} to {Protocol}. Upgrade one version after the other, or stop the other nodes first.");
            bool alone = protocols.Count == 0 && !again && !settings.AlwaysShared;
            if (alone)
                session.Execute("DELETE FROM slice_holdings; DELETE FROM slice_limits");
            long epoch = session.Scalar<long>("INSERT INTO node_epochs (name, epoch) VALUES (@Name, 1) ON CONFLICT (name) DO UPDATE SET epoch = node_epochs.epoch + 1 RETURNING epoch", new { settings.Name });
            return session.First<NodeLeaseRow>(
                $"INSERT INTO nodes (name, epoch, program, protocol, shared, started, lease_end, sequence, home) VALUES (@Name, @epoch, @Version, @Protocol, @shared, {Clock}, {Clock} + @lease, 0, @Home) RETURNING {NodeColumns}",
                new { settings.Name, epoch, settings.Version, Protocol, shared = alone ? 0L : 1L, lease = (long)(alone ? settings.LoneLease : settings.Lease).TotalMilliseconds, settings.Home })!;
        });
    }

    /// <inheritdoc/>
    public SliceReply Trade(SliceMessage message) => store.Exchange(session =>
    {
        SliceView view = View(session, message);
        SliceReply reply = SliceExchange.Answer(view, message);
        if (!reply.IsFenced && !reply.IsStale)
            Keep(session, message, view);
        return reply;
    });

    /// <inheritdoc/>
    public void Maintain()
    {
        bool clean = Interlocked.Increment(ref _maintained) % CleanEvery == 0;
        (bool dead, bool free) = store.Read(session => session.First<(bool, bool)>(
            $"SELECT EXISTS (SELECT 1 FROM nodes WHERE lease_end <= {Clock}), EXISTS (SELECT 1 FROM slice_holdings WHERE free_at <= {Clock}) OR EXISTS (SELECT 1 FROM slice_limits WHERE expires > 0 AND expires < {Clock})"));
        while (dead)
            dead = store.Exchange(BuryOne);
        if (free)
            store.Exchange(Free);
        if (clean)
            store.Exchange(Clean);
    }

    /// <summary>The nodes that the registry has.</summary>
    public static List<(NodeLeaseRow Node, long Now, long Limits, long Units)> List(StoreSession session)
    {
        if (session.Dialect.Kind == StoreKind.Sqlite)
            return [];
        long now = session.Scalar<long>($"SELECT {Clock}");
        var parts = session.List<(long Node, long Limits, long Units)>("SELECT node, COUNT(*), COALESCE(SUM(units), 0)::bigint FROM slice_holdings WHERE free_at IS NULL GROUP BY node").ToDictionary(part => part.Node);
        return [.. session.List<NodeLeaseRow>($"SELECT {NodeColumns} FROM nodes ORDER BY id").Select(node => (node, now, parts.GetValueOrDefault(node.Id).Limits, parts.GetValueOrDefault(node.Id).Units))];
    }

    /// <summary>Units of limits that other nodes hold, those of dead ones that still count included.</summary>
    public static Dictionary<string, long> Elsewhere(StoreSession session, long node, string[] limits) => session.List<(string Id, long Units)>(
        "SELECT l.id, l.held - COALESCE(h.units, 0) FROM slice_limits l LEFT JOIN slice_holdings h ON h.limit_id = l.id AND h.node = @node WHERE l.id = ANY(@limits)",
        new { node, limits }).ToDictionary(row => row.Id, row => row.Units, StringComparer.Ordinal);

    private static SliceView View(StoreSession session, SliceMessage message)
    {
        SliceTerms[] terms = [.. message.Asks.Select(ask => ask.Terms)];
        var funds = new Dictionary<(string, string, int), long>();
        using SqlMapper.GridReader grid = session.Connection.QueryMultiple(
            $"SELECT {NodeColumns} FROM nodes WHERE id = @Node FOR UPDATE;"
            + "INSERT INTO slice_limits (id, kind, cap, held, wanting, holders, keep_ms, expires, full_at) "
            + "SELECT i, k, 0, 0, 0, 0, m, e, 0 FROM unnest(@ids, @kinds, @keeps, @ends) AS t(i, k, m, e) ORDER BY i ON CONFLICT (id) DO NOTHING;"
            + "SELECT id AS Id, cap AS Cap, held AS Held, wanting AS Wanting, holders AS Holders, full_at AS FullAt FROM slice_limits WHERE id = ANY(@ids) ORDER BY id FOR UPDATE;"
            + "SELECT limit_id, units, want FROM slice_holdings WHERE node = @Node AND limit_id = ANY(@ids);"
            + $"SELECT COUNT(*), COUNT(*) FILTER (WHERE shared = 0 AND id <> @Node) FROM nodes WHERE lease_end > {Clock} OR id = @Node;"
            + "SELECT h.limit_id, l.wanting - h.want, l.cap, l.holders FROM slice_limits l JOIN slice_holdings h ON h.node = @Node AND h.limit_id = l.id WHERE l.wanting > 0 AND l.wanting > h.want AND h.units > 0 LIMIT 256;"
            + $"SELECT account, currency, SUM(units)::bigint FROM ledger_lots WHERE account = ANY(@owners) AND kind IN (1, 2) AND expires > {Clock} GROUP BY account, currency;"
            + "SELECT key_id, currency, total, month, month_spent, day, day_spent FROM ledger_key_spend WHERE key_id = ANY(@keys);"
            + "SELECT h.limit_id, h.node, n.sequence FROM slice_holdings h JOIN nodes n ON n.id = h.node WHERE h.limit_id = ANY(@lacking) AND h.node <> @Node AND h.units > 0;"
            + $"SELECT {Clock}",
            new
            {
                message.Node,
                ids = terms.Select(each => each.Id).ToArray(),
                kinds = terms.Select(each => (long)each.Kind).ToArray(),
                keeps = terms.Select(each => each.KeepMs).ToArray(),
                ends = terms.Select(each => each.Expires).ToArray(),
                lacking = message.Asks.Where(static ask => ask.Terms.IsMoney && ask.Need > 0).Select(static ask => ask.Terms.Id).ToArray(),
                owners = terms.Where(each => each.Kind == SliceKind.Funds).Select(each => each.Owner).Distinct(StringComparer.Ordinal).ToArray(),
                keys = terms.Where(each => each.Kind == SliceKind.Cap).Select(each => each.Owner).Distinct(StringComparer.Ordinal).ToArray(),
            },
            session.Transaction);
        NodeLeaseRow? node = grid.Read<NodeLeaseRow>().FirstOrDefault();
        Dictionary<string, SliceLimitRow> limits = grid.Read<LimitRow>().ToDictionary(row => row.Id, row => row.ToLimit(), StringComparer.Ordinal);
        var own = grid.Read<(string Id, long Units, long Want)>().ToDictionary(row => row.Id, StringComparer.Ordinal);
        (long nodes, long whole) = grid.ReadFirst<(long, long)>();
        SlicePressure[] pressures = [.. grid.Read<(string Id, long Lacking, long Cap, long Holders)>().Select(row => new SlicePressure(row.Id, row.Lacking, SliceExchange.Share(row.Cap, row.Holders)))];
        foreach ((string account, string currency, long units) in grid.Read<(string, string, long)>())
            funds[(account, currency, -1)] = units;
        List<SpendRow> spends = grid.Read<SpendRow>().AsList();
        var others = new Dictionary<string, List<SliceHolder>>(StringComparer.Ordinal);
        foreach ((string id, long holder, long sequence) in grid.Read<(string, long, long)>())
        {
            if (!others.TryGetValue(id, out List<SliceHolder>? holders))
                others[id] = holders = [];
            holders.Add(new SliceHolder(holder, sequence));
        }

        long now = grid.ReadFirst<long>();
        foreach (SliceTerms term in terms)
        {
            SliceLimitRow limit = limits.TryGetValue(term.Id, out SliceLimitRow? found) ? found : throw new StoreException($"The limit {term.Id} was removed while it was asked for.");
            if (term.Kind == SliceKind.Funds)
                limit.Funds = funds.GetValueOrDefault((term.Owner, term.Currency, -1));
            else if (term.Kind == SliceKind.Cap)
                limit.Funds = term.Limit - Spent(spends, term);
        }

        return new SliceView
        {
            Now = now,
            Node = node,
            Nodes = (int)nodes,
            OthersWhole = whole > 0,
            Limits = [.. terms.Select(term => limits[term.Id])],
            Own = [.. terms.Select(term => own.TryGetValue(term.Id, out var row) ? new SliceHoldingRow { Units = row.Units, Want = row.Want } : new SliceHoldingRow())],
            Pressures = pressures,
            Others = others,
        };
    }

    private static long Spent(List<SpendRow> spends, in SliceTerms term)
    {
        foreach (SpendRow row in spends)
        {
            if (row.Key_id != term.Owner || row.Currency != term.Currency)
                continue;
            return term.Period switch
            {
                (int)CapPeriod.Day => row.Day == term.PeriodNumber ? row.Day_spent : 0,
                (int)CapPeriod.Month => row.Month == term.PeriodNumber ? row.Month_spent : 0,
                _ => row.Total,
            };
        }

        return 0;
    }

    private static void Keep(StoreSession session, SliceMessage message, SliceView view)
    {
        string text = $"UPDATE nodes SET lease_end = @now + @LeaseMs, sequence = @Sequence, shared = @shared WHERE id = @Node";
        if (message.Asks.Count == 0)
        {
            session.Execute(text, new { message.Node, message.Sequence, message.LeaseMs, shared = message.Shared ? 1L : 0L, now = view.Now });
            return;
        }

        int[] parts = [.. Enumerable.Range(0, message.Asks.Count).Where(i => message.Asks[i].Terms.Kind != SliceKind.Rate)];
        int[] kept = [.. parts.Where(i => view.Own[i].Counts)];
        session.Execute(
            text + ";UPDATE slice_limits l SET cap = t.c, held = t.h, wanting = t.w, holders = t.o, full_at = t.f FROM unnest(@ids, @caps, @helds, @wantings, @holders, @fulls) AS t(i, c, h, w, o, f) WHERE l.id = t.i;"
            + "INSERT INTO slice_holdings (limit_id, node, units, want) SELECT i, @Node, u, w FROM unnest(@mine, @units, @wants) AS t(i, u, w) ON CONFLICT (node, limit_id) DO UPDATE SET units = excluded.units, want = excluded.want;"
            + "DELETE FROM slice_holdings WHERE node = @Node AND limit_id = ANY(@gone)",
            new
            {
                message.Node,
                message.Sequence,
                message.LeaseMs,
                shared = message.Shared ? 1L : 0L,
                now = view.Now,
                ids = view.Limits.Select(limit => limit.Id).ToArray(),
                caps = view.Limits.Select(limit => limit.Cap).ToArray(),
                helds = view.Limits.Select(limit => limit.Held).ToArray(),
                wantings = view.Limits.Select(limit => limit.Wanting).ToArray(),
                holders = view.Limits.Select(limit => limit.Holders).ToArray(),
                fulls = view.Limits.Select(limit => limit.FullAt).ToArray(),
                mine = kept.Select(i => view.Limits[i].Id).ToArray(),
                units = kept.Select(i => view.Own[i].Units).ToArray(),
                wants = kept.Select(i => view.Own[i].Want).ToArray(),
                gone = parts.Where(i => !view.Own[i].Counts).Select(i => view.Limits[i].Id).ToArray(),
            });
    }

    private static bool BuryOne(StoreSession session)
    {
        // Skipped when it is locked: it says something just now, or another node is at it.
        NodeLeaseRow? dead = session.First<NodeLeaseRow>($"SELECT {NodeColumns} FROM nodes WHERE lease_end <= {Clock} ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED");
        if (dead is null)
            return false;
        var what = new { dead.Id, dead.LeaseEnd, window = (long)SliceKind.Window, period = (long)SliceKind.Period };
        session.Execute("SELECT id FROM slice_limits WHERE id IN (SELECT limit_id FROM slice_holdings WHERE node = @Id) ORDER BY id FOR UPDATE", what);
        session.Execute(
            "UPDATE slice_limits l SET held = l.held - CASE WHEN l.kind IN (@window, @period) THEN 0 ELSE h.units END, wanting = l.wanting - h.want, holders = l.holders - 1 "
            + "FROM slice_holdings h WHERE h.node = @Id AND h.limit_id = l.id;"
            + "DELETE FROM slice_holdings h USING slice_limits l WHERE h.node = @Id AND l.id = h.limit_id AND (l.kind NOT IN (@window, @period) OR h.units = 0);"
            + "UPDATE slice_holdings h SET want = 0, free_at = CASE WHEN l.kind = @window THEN @LeaseEnd + l.keep_ms ELSE 9223372036854775807 END FROM slice_limits l WHERE h.node = @Id AND l.id = h.limit_id;"
            + "DELETE FROM nodes WHERE id = @Id",
            what);
        return true;
    }

    private static int Free(StoreSession session)
    {
        long now = session.Scalar<long>($"SELECT {Clock}");
        session.Execute("SELECT l.id FROM slice_limits l WHERE l.id IN (SELECT limit_id FROM slice_holdings WHERE free_at <= @now) OR (l.expires > 0 AND l.expires < @now) ORDER BY l.id FOR UPDATE", new { now });
        return session.Execute(
            "WITH gone AS (DELETE FROM slice_holdings WHERE free_at <= @now RETURNING limit_id, units), sums AS (SELECT limit_id, SUM(units)::bigint AS units FROM gone GROUP BY limit_id) "
            + "UPDATE slice_limits l SET held = l.held - s.units FROM sums s WHERE s.limit_id = l.id;"
            + "DELETE FROM slice_holdings WHERE limit_id IN (SELECT id FROM slice_limits WHERE expires > 0 AND expires < @now);"
            + "DELETE FROM slice_limits WHERE expires > 0 AND expires < @now",
            new { now });
    }

    private static int Clean(StoreSession session) => session.Scalar<bool>("SELECT pg_try_advisory_xact_lock(7310577, hashtext(current_schema()))")
        ? session.Execute($"DELETE FROM slice_limits WHERE held = 0 AND wanting = 0 AND holders = 0 AND full_at < ({Clock} - 120000) * 1000")
        : 0;

    private sealed record LimitRow
    {
        public string Id { get; init; } = "";

        public long Cap { get; init; }

        public long Held { get; init; }

        public long Wanting { get; init; }

        public long Holders { get; init; }

        public long FullAt { get; init; }

        public SliceLimitRow ToLimit() => new() { Id = Id, Cap = Cap, Held = Held, Wanting = Wanting, Holders = Holders, FullAt = FullAt };
    }

    private sealed record SpendRow
    {
        public string Key_id { get; init; } = "";

        public string Currency { get; init; } = "";

        public long Total { get; init; }

        public long Month { get; init; }

        public long Month_spent { get; init; }

        public long Day { get; init; }

        public long Day_spent { get; init; }
    }
}
