namespace Glimmer.Platform.Nodes;

/// <summary>A node as the registry has it. Instants are the store's own, in milliseconds since 1970.</summary>
internal sealed record NodeLeaseRow
{
    /// <summary>Number, new with each registration: an end of the lease fences it for ever.</summary>
    public long Id { get; init; }

    /// <summary>What it calls itself.</summary>
    public string Name { get; init; } = "";

    /// <summary>How often a node of this name has registered.</summary>
    public long Epoch { get; init; }

    /// <summary>Version of the program.</summary>
    public string Version { get; init; } = "";

    /// <summary>Form of the exchange that it speaks.</summary>
    public long Protocol { get; init; }

    /// <summary>1 when it trades in slices, 0 while it owns everything.</summary>
    public long Shared { get; init; }

    /// <summary>When it registered.</summary>
    public long Started { get; init; }

    /// <summary>When its lease ends.</summary>
    public long LeaseEnd { get; init; }

    /// <summary>Number of its last message.</summary>
    public long Sequence { get; init; }
}
