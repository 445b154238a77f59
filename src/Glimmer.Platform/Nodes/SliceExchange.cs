namespace Glimmer.Platform.Nodes;

/// <summary>A limit's row: its sums over all nodes.</summary>
internal sealed class SliceLimitRow
{
    /// <summary>The limit.</summary>
    public required string Id { get; init; }

    /// <summary>Units in all, as told last.</summary>
    public long Cap { get; set; }

    /// <summary>Units of all nodes, those of dead ones that still count included.</summary>
    public long Held { get; set; }

    /// <summary>Units that nodes lack.</summary>
    public long Wanting { get; set; }

    /// <summary>Nodes that hold or lack something.</summary>
    public long Holders { get; set; }

    /// <summary>Of a rate: when its bucket would be full again, in microseconds of the store's clock.</summary>
    public long FullAt { get; set; }

    /// <summary>Of funds and caps: what the books leave now, holdings not taken off.</summary>
    public long Funds { get; set; }
}

/// <summary>A node's part of a limit.</summary>
internal sealed class SliceHoldingRow
{
    /// <summary>Units it holds.</summary>
    public long Units { get; set; }

    /// <summary>Units it lacks.</summary>
    public long Want { get; set; }

    /// <summary>Whether it counts among the limit's holders.</summary>
    public bool Counts => Units != 0 || Want != 0;
}

/// <summary>What the store shows of an exchange, with the rows of the asks locked.</summary>
internal sealed record SliceView
{
    /// <summary>The store's clock, in milliseconds since 1970.</summary>
    public long Now { get; init; }

    /// <summary>The node's row; null when it is not known any more.</summary>
    public NodeLeaseRow? Node { get; init; }

    /// <summary>Nodes with a running lease, this one included.</summary>
    public int Nodes { get; init; }

    /// <summary>Whether another node still owns every limit whole.</summary>
    public bool OthersWhole { get; init; }

    /// <summary>The limits of the asks, in their order.</summary>
    public IReadOnlyList<SliceLimitRow> Limits { get; init; } = [];

    /// <summary>The node's parts of them, in their order.</summary>
    public IReadOnlyList<SliceHoldingRow> Own { get; init; } = [];

    /// <summary>Limits of which this node holds something and others lack.</summary>
    public IReadOnlyList<SlicePressure> Pressures { get; init; } = [];

    /// <summary>By limit, the other nodes that hold some of the funds and caps which are asked for; those that none holds are left out.</summary>
    public IReadOnlyDictionary<string, List<SliceHolder>> Others { get; init; } = new Dictionary<string, List<SliceHolder>>(StringComparer.Ordinal);
}

/// <summary>
/// The rules by which the store answers: the one place where units are given out. Pure, so that the simulation proves what runs on
/// PostgreSQL. Changes the rows of the view; the store keeps them in the same transaction.
/// </summary>
internal static class SliceExchange
{
    /// <summary>Answers a message; the caller keeps nothing when the reply is fenced or stale.</summary>
    public static SliceReply Answer(SliceView view, SliceMessage message)
    {
        if (view.Node is not { } node)
            return new SliceReply { IsFenced = true };
        if (message.Sequence <= node.Sequence)
            return new SliceReply { IsStale = true };
        var grants = new SliceGrant[message.Asks.Count];
        for (int i = 0; i < grants.Length; i++)
        {
            SliceAsk ask = message.Asks[i];
            SliceLimitRow limit = view.Limits[i];
            grants[i] = ask.Terms.Kind == SliceKind.Rate
                ? Draw(limit, ask, view.OthersWhole ? 0 : ask.Want, view.Now)
                : Grant(limit, view.Own[i], ask, view.OthersWhole, view.Others);
        }

        return new SliceReply { Nodes = view.Nodes, IsWaiting = view.OthersWhole, Grants = grants, Pressures = view.Pressures };
    }

    /// <summary>What a node may hold of a limit when all want it; 0 when there are more nodes than units, which then go round.</summary>
    public static long Share(long cap, long claimants) => cap / Math.Max(1, claimants);

    /// <summary>Until when what a dead node held counts: to the end of its lease, for the window's length after it, or for ever (the period's row goes with it).</summary>
    public static long FreeAt(SliceKind kind, long leaseEnd, long keepMs) => kind switch
    {
        SliceKind.Window => leaseEnd + keepMs,
        SliceKind.Period => long.MaxValue,
        _ => leaseEnd,
    };

    private static SliceGrant Grant(SliceLimitRow limit, SliceHoldingRow own, in SliceAsk ask, bool waiting, IReadOnlyDictionary<string, List<SliceHolder>> others)
    {
        bool counted = own.Counts, isMoney = ask.Terms.IsMoney, tight = false;
        limit.Cap = isMoney ? limit.Funds : ask.Terms.Limit;
        limit.Held += ask.Keep - own.Units;
        long othersWant = limit.Wanting - own.Want, claimants = limit.Holders - (counted ? 1 : 0) + 1;
        long units = 0;
        if (isMoney)
            units = Money(limit, ask, othersWant, claimants, out tight);
        else if (!waiting)
            units = Units(limit, ask, othersWant, claimants);
        if (waiting)
            units = 0;
        long lacking = Math.Max(0, Math.Max(ask.Need - units, units > 0 ? 0 : ask.Lacked));
        limit.Held += units;
        limit.Wanting = othersWant + lacking;
        own.Units = ask.Keep + units;
        own.Want = lacking;
        limit.Holders += (own.Counts ? 1 : 0) - (counted ? 1 : 0);
        long pressure = Math.Max(othersWant, limit.Held - limit.Cap);
        return new SliceGrant(units, limit.Held, limit.Cap, tight ? Math.Max(1, pressure) : pressure, Share(limit.Cap, limit.Holders))
        {
            Others = isMoney && lacking > 0 ? others.GetValueOrDefault(limit.Id) ?? [] : null,
        };
    }

    // Nobody else lacks any: what is needed, and of the rest at most half, so that something is left for the next who asks. Others
    // lack some: up to this node's share, or half of what is free.
    private static long Units(SliceLimitRow limit, in SliceAsk ask, long othersWant, long claimants)
    {
        long free = limit.Cap - limit.Held;
        if (free <= 0)
            return 0;
        long need = Math.Min(ask.Need, free);
        if (othersWant > 0)
            return Math.Min(need, Math.Max(Share(limit.Cap, claimants) - ask.Keep, (free + 1) / 2));
        return need + Math.Max(0, Math.Min(ask.Want - ask.Need, (free - need) / 2));
    }

    // A part of what a caller must set aside helps nobody, and two nodes with a part each would keep it from each other: all that one
    // caller needs, or nothing. Where what is left is less than what all who hold some would keep spare, nothing is given beyond the
    // need, and nodes are told to give back at once what they do not use: the rest stays here, and any node can have it.
    private static long Money(SliceLimitRow limit, in SliceAsk ask, long othersWant, long claimants, out bool tight)
    {
        long free = limit.Cap - limit.Held, need = Math.Min(ask.Need, Math.Max(0, free));
        tight = free - need < Math.Max(ask.Headroom, 1) * claimants;
        if (free <= 0 || free < ask.Least)
            return 0;
        if (othersWant > 0)
            return Math.Min(need, Math.Max(ask.Least, Math.Max(Share(limit.Cap, claimants) - ask.Keep, (free + 1) / 2)));
        return tight ? need : need + Math.Max(0, Math.Min(ask.Want - ask.Need, (free - need) / 2));
    }

    // The generic cell rate algorithm, drawn for several calls at once.
    private static SliceGrant Draw(SliceLimitRow limit, in SliceAsk ask, long most, long nowMs)
    {
        limit.Cap = ask.Terms.Limit;
        if (ask.Terms.Limit <= 0)
            return default;
        long now = nowMs * 1000, interval = 60_000_000 / ask.Terms.Limit, start = Math.Max(limit.FullAt, now);
        long room = now + (interval * Math.Max(1, ask.Terms.Burst)) - start;
        long units = Math.Clamp(room / interval, 0, Math.Max(0, most));
        if (units > 0)
            limit.FullAt = start + (units * interval);
        return new SliceGrant(units, 0, ask.Terms.Limit);
    }
}
