namespace Glimmer.Platform.Nodes;

/// <summary>The node's monotonic clock, and the spans of the trade in its ticks. Its date is never asked.</summary>
internal sealed class SliceClock(SliceSettings settings, TimeProvider time)
{
    /// <summary>Its timestamp.</summary>
    public long Now => time.GetTimestamp();

    /// <summary>How often a lease is renewed and idle units are looked for.</summary>
    public long Beat { get; } = Ticks(time, settings.Beat);

    /// <summary>How long drawn tokens of a rate are good.</summary>
    public long TokenLife { get; } = Ticks(time, settings.TokenLife);

    /// <summary>Shortest pause before a limit that has nothing left is asked for again.</summary>
    public long DryPause { get; } = Ticks(time, settings.DryPause);

    /// <summary>After how long others have heard that a limit is lacked, and have given back what they do not use: they hear it with their next heartbeat.</summary>
    public long TimeToYield => 2 * Beat;

    /// <summary>Longest pause before money is asked for again: how old it is at most that an account has too little, when that is said.</summary>
    public long MoneyPause => Math.Max(DryPause, Beat / 4);

    /// <summary>How long it is remembered that money was called back and there was too little.</summary>
    public long RecallMemory => 3 * Beat;

    /// <summary>The part of a lease that a node uses.</summary>
    public long Usable(TimeSpan lease) => (long)(Ticks(time, lease) * (1 - settings.Margin));

    /// <summary>From one timestamp to a later one; nothing when it is not later.</summary>
    public TimeSpan Until(long from, long to) => to <= from ? TimeSpan.Zero : time.GetElapsedTime(from, to);

    private static long Ticks(TimeProvider time, TimeSpan span) => (long)(span.TotalSeconds * time.TimestampFrequency);
}
