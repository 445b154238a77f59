namespace Glimmer.Inference.Relay.Answers;

/// <summary>Why a watch ended a request.</summary>
internal enum WatchCause
{
    /// <summary>It has not.</summary>
    None,

    /// <summary>The client left or the server stops.</summary>
    Cancelled,

    /// <summary>The first token did not come.</summary>
    NoBeginning,

    /// <summary>The stream was silent, or said nothing of meaning, for too long.</summary>
    Stalled,
}

/// <summary>
/// Ends a request whose service does not answer: one timer for all of it, which looks at the clock of what came last instead of being set anew for each piece.
/// Signs of life without meaning keep a stream alive as long as the first token may take.
/// </summary>
internal sealed class AnswerWatch : IDisposable
{
    private readonly TimeProvider _time;
    private readonly TimeSpan _first;
    private readonly TimeSpan _stall;
    private readonly CancellationTokenSource _ended = new();
    private readonly CancellationTokenRegistration _client;
    private readonly ITimer _timer;
    private long _lastBytes;
    private long _lastMeaning;
    private int _begun;
    private int _cause;
    private int _disposed;

    /// <summary>Watches a request that begins now.</summary>
    public AnswerWatch(TimeProvider time, TimeSpan first, TimeSpan stall, CancellationToken cancel)
    {
        _time = time;
        _first = first;
        _stall = stall;
        _lastBytes = _lastMeaning = time.GetTimestamp();
        _client = cancel.UnsafeRegister(static watch => ((AnswerWatch)watch!).End(WatchCause.Cancelled), this);
        _timer = time.CreateTimer(static watch => ((AnswerWatch)watch!).Look(), this, first, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Ends the request.</summary>
    public CancellationToken Token => _ended.Token;

    /// <summary>Why it was ended.</summary>
    public WatchCause Cause => (WatchCause)Volatile.Read(ref _cause);

    /// <summary>Notes that bytes came.</summary>
    /// <param name="meaning">Whether they meant anything.</param>
    public void Note(bool meaning)
    {
        long now = _time.GetTimestamp();
        Volatile.Write(ref _lastBytes, now);
        if (!meaning)
            return;
        Volatile.Write(ref _lastMeaning, now);
        if (Volatile.Read(ref _begun) == 0 && Interlocked.Exchange(ref _begun, 1) == 0)
            Arm(_stall);
    }

    /// <summary>Ends the request for a reason; the first one counts.</summary>
    public void End(WatchCause cause)
    {
        if (Interlocked.CompareExchange(ref _cause, (int)cause, (int)WatchCause.None) == (int)WatchCause.None && Volatile.Read(ref _disposed) == 0)
            _ended.Cancel();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;

        // The source itself has nothing to free without a timer of its own, and a call that is under way may still end it.
        _timer.Dispose();
        _client.Dispose();
    }

    private void Look()
    {
        if (Volatile.Read(ref _disposed) != 0)
            return;
        TimeSpan quiet = _time.GetElapsedTime(Volatile.Read(ref _lastBytes)), empty = _time.GetElapsedTime(Volatile.Read(ref _lastMeaning));
        if (Volatile.Read(ref _begun) == 0)
        {
            if (empty >= _first)
                End(WatchCause.NoBeginning);
            else
                Arm(_first - empty);
            return;
        }

        TimeSpan longest = _first > _stall ? _first : _stall;
        if (quiet >= _stall || empty >= longest)
            End(WatchCause.Stalled);
        else
            Arm(_stall - quiet < longest - empty ? _stall - quiet : longest - empty);
    }

    private void Arm(TimeSpan due)
    {
        // Whole milliseconds, rounded up, so that the timer never comes a little early.
        due = TimeSpan.FromMilliseconds(Math.Ceiling(due.TotalMilliseconds));
        if (Volatile.Read(ref _disposed) == 0)
            _timer.Change(due, Timeout.InfiniteTimeSpan);
    }
}
