namespace Glimmer.Platform.Nodes;

/// <summary>
/// What a node tells the store in one exchange. Holdings are absolute and messages are numbered, so that one which is lost, doubled
/// or late does no harm: the next one says all again.
/// </summary>
/// <param name="Node">The node's number.</param>
/// <param name="Sequence">Number of the message, from 1.</param>
/// <param name="LeaseMs">How long the lease is to run, in milliseconds of the store's clock.</param>
/// <param name="Shared">Whether the node has given up owning every limit whole.</param>
/// <param name="Asks">Limits it says something about, by id in ordinal order.</param>
internal sealed record SliceMessage(long Node, long Sequence, long LeaseMs, bool Shared, IReadOnlyList<SliceAsk> Asks);

/// <summary>What a node says of one limit.</summary>
/// <param name="Terms">The limit.</param>
/// <param name="Keep">Units it holds, in use ones included.</param>
/// <param name="Need">Units that callers lack now.</param>
/// <param name="Want">Units it would like, the lacking ones included.</param>
internal readonly record struct SliceAsk(SliceTerms Terms, long Keep, long Need, long Want)
{
    /// <summary>Of funds and caps: the fewest units that let one caller pass; fewer would help nobody. 0 when no caller waits.</summary>
    public long Least { get; init; }

    /// <summary>Of funds and caps: units that callers lacked a moment ago. None are granted for it, but others go on giving back what they do not use.</summary>
    public long Lacked { get; init; }

    /// <summary>Of funds and caps: units that the node would keep spare if there were plenty.</summary>
    public long Headroom { get; init; }
}

/// <summary>The store's answer.</summary>
internal sealed record SliceReply
{
    /// <summary>The node is not known any more: its lease ended and others have its slices. It must register anew.</summary>
    public bool IsFenced { get; init; }

    /// <summary>A later message was taken before this one.</summary>
    public bool IsStale { get; init; }

    /// <summary>Nodes with a running lease, this one included.</summary>
    public int Nodes { get; init; }

    /// <summary>A node that owns everything has not yet noticed this one: nothing is granted until it has.</summary>
    public bool IsWaiting { get; init; }

    /// <summary>One answer for each ask, in their order; empty when fenced or stale.</summary>
    public IReadOnlyList<SliceGrant> Grants { get; init; } = [];

    /// <summary>Limits of which this node holds something and others lack.</summary>
    public IReadOnlyList<SlicePressure> Pressures { get; init; } = [];
}

/// <summary>The answer to one ask.</summary>
/// <param name="Units">Units that are the node's from now on, in addition to those it kept.</param>
/// <param name="HeldByAll">Units of all nodes, those of dead ones that still count included.</param>
/// <param name="Limit">Units in all, as the store sees them.</param>
/// <param name="Lacking">Units that other nodes lack.</param>
/// <param name="Share">What this node may keep by rights while they do.</param>
internal readonly record struct SliceGrant(long Units, long HeldByAll, long Limit, long Lacking = 0, long Share = 0)
{
    /// <summary>Of funds and caps that are lacking still: the other nodes that hold some. Null otherwise.</summary>
    public IReadOnlyList<SliceHolder>? Others { get; init; }
}

/// <summary>A node that holds some of a limit.</summary>
/// <param name="Node">Its number.</param>
/// <param name="Sequence">Number of its last message.</param>
internal readonly record struct SliceHolder(long Node, long Sequence);

/// <summary>A limit that others lack.</summary>
/// <param name="Id">The limit.</param>
/// <param name="Lacking">Units that other nodes lack, or that are held beyond the limit.</param>
/// <param name="Share">What this node may keep by rights.</param>
internal readonly record struct SlicePressure(string Id, long Lacking, long Share);
