using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>
/// The store of slices in memory, with the same exchange rules as the one on PostgreSQL: registry, sums, burial. Its clock is told.
/// </summary>
internal sealed class MemorySliceStore : ISliceStore
{
    private readonly Dictionary<string, (SliceLimitRow Row, SliceTerms Terms)> _limits = new(StringComparer.Ordinal);
    private readonly Dictionary<long, NodeLeaseRow> _nodes = [];
    private readonly Dictionary<long, Dictionary<string, (SliceHoldingRow Row, SliceTerms Terms)>> _holdings = [];
    private readonly List<(string Id, long Units, long FreeAt)> _ghosts = [];
    private long _ids;

    /// <summary>The store's clock in milliseconds.</summary>
    public long Now { get; set; }

    /// <summary>Funds and caps by owner, as the books have them.</summary>
    public Dictionary<string, long> Funds { get; } = new(StringComparer.Ordinal);

    /// <summary>Called with a node whose lease has ended, before what it held is freed.</summary>
    public Action<long>? Buried { get; set; }

    public long Transactions { get; private set; }

    public long RowsWritten { get; private set; }

    public IReadOnlyCollection<NodeLeaseRow> Nodes => _nodes.Values;

    public SliceLimitRow? Limit(string id) => _limits.TryGetValue(id, out var found) ? found.Row : null;

    public NodeLeaseRow Register(SliceSettings settings, bool again)
    {
        Transactions++;
        Maintain();
        bool alone = _nodes.Count == 0 && !settings.AlwaysShared && !again;
        if (alone)
        {
            _limits.Clear();
            _ghosts.Clear();
        }

        var row = new NodeLeaseRow
        {
            Id = ++_ids,
            Name = settings.Name,
            Protocol = 1,
            Shared = alone ? 0 : 1,
            Started = Now,
            LeaseEnd = Now + (long)(alone ? settings.LoneLease : settings.Lease).TotalMilliseconds,
        };
        _nodes[row.Id] = row;
        _holdings[row.Id] = new(StringComparer.Ordinal);
        return row;
    }

    public SliceReply Trade(SliceMessage message)
    {
        Transactions++;
        _nodes.TryGetValue(message.Node, out NodeLeaseRow? node);
        var limits = new List<SliceLimitRow>();
        var own = new List<SliceHoldingRow>();
        Dictionary<string, (SliceHoldingRow Row, SliceTerms Terms)> mine = node is null ? [] : _holdings[node.Id];
        if (node is not null && message.Sequence > node.Sequence)
        {
            foreach (SliceAsk ask in message.Asks)
            {
                if (!_limits.TryGetValue(ask.Terms.Id, out var limit))
                    limit = (new SliceLimitRow { Id = ask.Terms.Id }, ask.Terms);
                limit.Row.Funds = Funds.GetValueOrDefault(ask.Terms.Owner);
                _limits[ask.Terms.Id] = (limit.Row, ask.Terms);
                if (!mine.TryGetValue(ask.Terms.Id, out var holding))
                    mine[ask.Terms.Id] = holding = (new SliceHoldingRow(), ask.Terms);
                limits.Add(limit.Row);
                own.Add(holding.Row);
                RowsWritten += ask.Terms.Kind == SliceKind.Rate ? 1 : 2;
            }
        }

        var pressures = new List<SlicePressure>();
        foreach ((string id, (SliceHoldingRow row, _)) in mine)
        {
            SliceLimitRow limit = _limits[id].Row;
            long lacking = Math.Max(limit.Wanting - row.Want, limit.Held - limit.Cap);
            if (row.Units > 0 && lacking > 0)
                pressures.Add(new SlicePressure(id, lacking, SliceExchange.Share(limit.Cap, limit.Holders)));
        }

        var view = new SliceView
        {
            Now = Now,
            Node = node,
            Nodes = _nodes.Values.Count(each => each.LeaseEnd > Now || each.Id == message.Node),
            OthersWhole = _nodes.Values.Any(each => each.Id != message.Node && each.Shared == 0 && each.LeaseEnd > Now),
            Limits = limits,
            Own = own,
            Pressures = pressures,
            Others = message.Asks.Where(ask => ask.Terms.IsMoney && ask.Need > 0).ToDictionary(ask => ask.Terms.Id, ask => Others(ask.Terms.Id, message.Node)),
        };
        SliceReply reply = SliceExchange.Answer(view, message);
        if (reply.IsFenced || reply.IsStale)
            return reply;
        foreach (SliceAsk ask in message.Asks)
        {
            if (!mine[ask.Terms.Id].Row.Counts)
                mine.Remove(ask.Terms.Id);
        }

        RowsWritten++;
        _nodes[node!.Id] = node with { Sequence = message.Sequence, Shared = message.Shared ? 1 : 0, LeaseEnd = Now + message.LeaseMs };
        return reply;
    }

    public void Maintain()
    {
        foreach (NodeLeaseRow dead in _nodes.Values.Where(node => node.LeaseEnd < Now).ToArray())
            Bury(dead);
        for (int i = _ghosts.Count - 1; i >= 0; i--)
        {
            if (_ghosts[i].FreeAt > Now)
                continue;
            if (_limits.TryGetValue(_ghosts[i].Id, out var limit))
                limit.Row.Held -= _ghosts[i].Units;
            _ghosts.RemoveAt(i);
        }
    }

    /// <summary>What does not add up; empty when the sums are those of the parts.</summary>
    public List<string> Check()
    {
        var faults = new List<string>();
        foreach ((string id, (SliceLimitRow row, SliceTerms terms)) in _limits)
        {
            if (terms.Kind == SliceKind.Rate)
                continue;
            SliceHoldingRow[] parts = [.. _holdings.Values.Where(node => node.ContainsKey(id)).Select(node => node[id].Row)];
            long held = parts.Sum(part => part.Units) + _ghosts.Where(ghost => ghost.Id == id).Sum(ghost => ghost.Units);
            if (held != row.Held || parts.Sum(part => part.Want) != row.Wanting || parts.Count(part => part.Counts) != row.Holders)
                faults.Add($"{id}: {row.Held}/{row.Wanting}/{row.Holders} is not the sum {held}/{parts.Sum(part => part.Want)}/{parts.Count(part => part.Counts)}.");
        }

        return faults;
    }

    private List<SliceHolder> Others(string id, long but) =>
        [.. _nodes.Values.Where(node => node.Id != but && _holdings[node.Id].TryGetValue(id, out var held) && held.Row.Units > 0).Select(node => new SliceHolder(node.Id, node.Sequence))];

    private void Bury(NodeLeaseRow dead)
    {
        Buried?.Invoke(dead.Id);
        foreach ((string id, (SliceHoldingRow row, SliceTerms terms)) in _holdings[dead.Id])
        {
            SliceLimitRow limit = _limits[id].Row;
            limit.Wanting -= row.Want;
            limit.Holders -= row.Counts ? 1 : 0;
            long freeAt = SliceExchange.FreeAt(terms.Kind, dead.LeaseEnd, terms.KeepMs);
            if (freeAt <= Now)
                limit.Held -= row.Units;
            else if (row.Units != 0)
                _ghosts.Add((id, row.Units, freeAt));
        }

        _holdings.Remove(dead.Id);
        _nodes.Remove(dead.Id);
    }
}
