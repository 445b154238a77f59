namespace Glimmer.Server.Tests.Support;

/// <summary>A clock whose timers end after a thousandth of their time.</summary>
internal sealed class HurriedTime : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Timer(base.CreateTimer(callback, state, Hurry(dueTime), Hurry(period)));

    private static TimeSpan Hurry(TimeSpan time) => time <= TimeSpan.Zero ? time : TimeSpan.FromMilliseconds(Math.Max(1, time.TotalMilliseconds / 1000));

    private sealed class Timer(ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => timer.Change(Hurry(dueTime), Hurry(period));

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
