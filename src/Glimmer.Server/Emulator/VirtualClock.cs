namespace Glimmer.Server.Emulator;

/// <summary>
/// A clock that stands still or runs, and can be moved forward: what is due in between happens then. Timers are also due when their time has really passed, so that
/// whatever waits for a stop, a drain or a poll goes on while the clock stands. Never goes back.
/// </summary>
public sealed class VirtualClock : TimeProvider
{
    private readonly Lock _turn = new();
    private readonly HashSet<Timer> _armed = [];
    private volatile Reading _reading;

    /// <summary>A clock that stands at a moment.</summary>
    public VirtualClock(DateTimeOffset at)
        : this(new Reading(at.ToUniversalTime(), null))
    {
    }

    /// <summary>A clock that runs with the system's.</summary>
    public VirtualClock()
        : this(new Reading(System.GetUtcNow(), System.GetTimestamp()))
    {
    }

    private VirtualClock(Reading reading)
    {
        _reading = reading;
        Waits = new WaitClock(this);
    }

    /// <summary>This clock with timers that are due by it alone: they wait for as long as it stands.</summary>
    public TimeProvider Waits { get; }

    /// <summary>Whether it stands still.</summary>
    public bool IsFrozen => _reading.Anchor is null;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => _reading.Now;

    /// <inheritdoc/>
    public override long GetTimestamp() => _reading.Now.UtcTicks;

    /// <summary>Moves it forward. Timers that are due in between have been told when this returns.</summary>
    /// <param name="by">Not negative.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is negative, or leads beyond the calendar.</exception>
    public void Advance(TimeSpan by)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(by, TimeSpan.Zero);
        lock (_turn)
        {
            Reading reading = _reading;
            ArgumentOutOfRangeException.ThrowIfGreaterThan(by, DateTimeOffset.MaxValue - reading.Now - TimeSpan.FromDays(366));
            _reading = new Reading(reading.Now + by, reading.Anchor is null ? null : System.GetTimestamp());
        }

        FireDue();
    }

    /// <summary>Sets it to a moment that is not before its own.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It would go back.</exception>
    public void Set(DateTimeOffset to) => Advance(to - GetUtcNow());

    /// <summary>Stops it, or lets it run on.</summary>
    public void Freeze(bool frozen)
    {
        lock (_turn)
            _reading = new Reading(_reading.Now, frozen ? null : System.GetTimestamp());
    }

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Timer(this, callback, state, dueTime, period, byReal: true);

    private void FireDue()
    {
        Timer[] due;
        DateTimeOffset now = GetUtcNow();
        lock (_turn)
            due = [.. _armed.Where(timer => timer.Due <= now).OrderBy(timer => timer.Due)];
        foreach (Timer timer in due)
            timer.Fire();
    }

    private sealed record Reading(DateTimeOffset At, long? Anchor)
    {
        public DateTimeOffset Now => Anchor is { } anchor ? At + System.GetElapsedTime(anchor) : At;
    }

    private sealed class WaitClock(VirtualClock clock) : TimeProvider
    {
        public override long TimestampFrequency => clock.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => clock.GetUtcNow();

        public override long GetTimestamp() => clock.GetTimestamp();

        // A clock that runs makes these due by the system's timers, one that stands does not.
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => new Timer(clock, callback, state, dueTime, period, byReal: !clock.IsFrozen);
    }

    /// <summary>Due by the clock and, unless it is to wait for that alone, by the system's as well, whichever is first.</summary>
    private sealed class Timer : ITimer
    {
        private readonly VirtualClock _clock;
        private readonly TimerCallback _callback;
        private readonly object? _state;
        private readonly ITimer? _real;
        private TimeSpan _period;
        private bool _disposed;

        public Timer(VirtualClock clock, TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period, bool byReal)
        {
            _clock = clock;
            _callback = callback;
            _state = state;
            _real = byReal ? System.CreateTimer(static timer => ((Timer)timer!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan) : null;
            Change(dueTime, period);
        }

        public DateTimeOffset Due { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            bool now = false;
            lock (_clock._turn)
            {
                if (_disposed)
                    return false;
                _period = period;
                now = Arm(dueTime);
            }

            if (now && _real is null)
                ThreadPool.UnsafeQueueUserWorkItem(static timer => timer.Fire(), this, preferLocal: false);
            return true;
        }

        public void Fire()
        {
            lock (_clock._turn)
            {
                if (_disposed || !_clock._armed.Remove(this))
                    return;
                if (_period > TimeSpan.Zero)
                    Arm(_period);
            }

            _callback(_state);
        }

        public void Dispose()
        {
            lock (_clock._turn)
            {
                _disposed = true;
                _clock._armed.Remove(this);
            }

            _real?.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return default;
        }

        /// <summary>Under the clock's lock. True when it is due at once.</summary>
        private bool Arm(TimeSpan dueTime)
        {
            if (dueTime < TimeSpan.Zero)
            {
                _clock._armed.Remove(this);
                _real?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
                return false;
            }

            DateTimeOffset now = _clock.GetUtcNow();
            Due = dueTime < DateTimeOffset.MaxValue - now ? now + dueTime : DateTimeOffset.MaxValue;
            _clock._armed.Add(this);
            _real?.Change(dueTime, Timeout.InfiniteTimeSpan);
            return dueTime == TimeSpan.Zero;
        }
    }
}
