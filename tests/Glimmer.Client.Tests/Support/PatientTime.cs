namespace Glimmer.Client.Tests.Support;

/// <summary>A clock on which long waits end when a test says so, and short ones by themselves.</summary>
internal sealed class PatientTime : TimeProvider
{
    private static readonly TimeSpan _long = TimeSpan.FromMinutes(1);
    private readonly List<Wait> _waits = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        if (dueTime < _long)
            return base.CreateTimer(callback, state, dueTime, period);
        var wait = new Wait(this, () => callback(state));
        lock (_waits)
            _waits.Add(wait);
        return wait;
    }

    /// <summary>Ends the long waits that have begun.</summary>
    public void Expire()
    {
        Wait[] ended;
        lock (_waits)
        {
            ended = [.. _waits];
            _waits.Clear();
        }

        foreach (Wait wait in ended)
            wait.End();
    }

    private sealed class Wait(PatientTime owner, Action end) : ITimer
    {
        public void End() => end();

        public bool Change(TimeSpan dueTime, TimeSpan period) => throw new NotSupportedException();

        public void Dispose()
        {
            lock (owner._waits)
                owner._waits.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }
    }
}
