namespace Glimmer.Server.Tests.Billing;

/// <summary>A clock that stands at a chosen moment but whose timers are the system's.</summary>
internal sealed class ServerClock(DateTimeOffset start) : TimeProvider
{
    private TimeSpan _moved;

    public override DateTimeOffset GetUtcNow() => start + _moved;

    public void Advance(TimeSpan by) => _moved += by;
}
