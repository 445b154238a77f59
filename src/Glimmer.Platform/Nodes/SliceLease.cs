namespace Glimmer.Platform.Nodes;

/// <summary>A node's lease by its own clock: the part of it that the node uses, from the moment the message was sent that renewed it.</summary>
internal sealed class SliceLease(SliceClock clock)
{
    private long _until = long.MinValue;

    /// <summary>Whether it runs for sure.</summary>
    public bool Runs => clock.Now < Volatile.Read(ref _until);

    /// <summary>How long it still runs without news of the store.</summary>
    public TimeSpan Left => clock.Until(clock.Now, Volatile.Read(ref _until));

    /// <summary>It was renewed by a message sent at a timestamp: the store's lease begins later than that.</summary>
    public void Begin(long sentAt, TimeSpan length) => Volatile.Write(ref _until, sentAt + clock.Usable(length));

    /// <summary>Nothing may be taken any more.</summary>
    public void End() => Volatile.Write(ref _until, long.MinValue);
}
