namespace Glimmer.Platform.Nodes;

/// <summary>How a limit is shared between nodes. The numbers are stored.</summary>
internal enum SliceKind
{
    /// <summary>Places in flight: what a dead node held is free when its lease has ended.</summary>
    Places = 1,

    /// <summary>A rolling window: what a dead node held counts for the window's length after its lease.</summary>
    Window = 2,

    /// <summary>A budget of a day, week or month: what a dead node held counts until the period ends.</summary>
    Period = 3,

    /// <summary>Calls a minute: tokens drawn in advance, each good for a short time.</summary>
    Rate = 4,

    /// <summary>An account's funds: a node sets aside at most its slice; what is booked leaves slice and funds together.</summary>
    Funds = 5,

    /// <summary>A key's spend cap, which is shared as funds are.</summary>
    Cap = 6,
}

/// <summary>What a limit is, told by whoever uses it.</summary>
/// <param name="Id">Names it on all nodes, such as <c>k:KEY</c>.</param>
/// <param name="Kind">How it is shared.</param>
/// <param name="Limit">Units in all; calls a minute of a rate. Funds: 0, the books say.</param>
internal readonly record struct SliceTerms(string Id, SliceKind Kind, long Limit)
{
    /// <summary>How long units of a dead node count after its lease, in milliseconds; only of a window.</summary>
    public long KeepMs { get; init; }

    /// <summary>When the limit ends for good, in milliseconds since 1970; 0 for never. Only of a period.</summary>
    public long Expires { get; init; }

    /// <summary>Calls at once after a pause; only of a rate.</summary>
    public long Burst { get; init; }

    /// <summary>Whose funds, or which key's cap.</summary>
    public string Owner { get; init; } = "";

    /// <summary>Currency of funds or cap.</summary>
    public string Currency { get; init; } = "";

    /// <summary>Whether the books say how much there is: funds and caps.</summary>
    public bool IsMoney => Kind is SliceKind.Funds or SliceKind.Cap;

    /// <summary>Period of a cap: 0 all time, 1 a day, 2 a month.</summary>
    public int Period { get; init; }

    /// <summary>Number of the day or month that a cap's period is now.</summary>
    public long PeriodNumber { get; init; }
}
