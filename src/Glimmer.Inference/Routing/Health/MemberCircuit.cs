using System.Numerics;

namespace Glimmer.Inference.Routing.Health;

/// <summary>States of a circuit.</summary>
internal enum CircuitState
{
    /// <summary>Requests go through.</summary>
    Closed,

    /// <summary>None do, until its time is over.</summary>
    Open,

    /// <summary>One goes through, to see.</summary>
    HalfOpen,
}

/// <summary>
/// The circuit breaker of one backend: failures in a row or a share of failures open it, after its time one request is let through as a trial,
/// which closes it or opens it for twice as long. While closed and well, an outcome costs one compare-and-swap.
/// </summary>
internal sealed class MemberCircuit(TimeProvider time)
{
    // The last outcomes, newest lowest, 1 for a failure; the highest set bit only marks how many there are.
    private const ulong Empty = 1;
    private const ulong Full = 1UL << 63;
    private readonly Lock _lock = new();
    private ulong _history = Empty;
    private volatile int _consecutive;
    private volatile CircuitState _state;
    private volatile bool _trial;
    private long _openUntil;
    private long _closedSince;
    private int _times;

    /// <summary>The state; an open circuit whose time is over counts as half-open.</summary>
    public CircuitState State => _state == CircuitState.Open && TimeLeft == TimeSpan.Zero ? CircuitState.HalfOpen : _state;

    /// <summary>Why it is not closed, for people.</summary>
    public string Why { get; private set; } = "";

    /// <summary>How often it has opened.</summary>
    public long Openings { get; private set; }

    /// <summary>How long it stays open.</summary>
    public TimeSpan TimeLeft => time.GetElapsedTime(time.GetTimestamp(), Volatile.Read(ref _openUntil)) is { Ticks: > 0 } left ? left : TimeSpan.Zero;

    /// <summary>Whether a request would be let through.</summary>
    public bool Allows => _state switch
    {
        CircuitState.Closed => true,
        CircuitState.Open => TimeLeft == TimeSpan.Zero,
        _ => !_trial,
    };

    /// <summary>Lets a request through.</summary>
    /// <param name="trial">Whether it is the trial; its outcome must be told.</param>
    public bool TryPass(out bool trial)
    {
        trial = false;
        if (_state == CircuitState.Closed)
            return true;
        lock (_lock)
        {
            if (_state == CircuitState.Closed)
                return true;
            if (_trial || (_state == CircuitState.Open && TimeLeft > TimeSpan.Zero))
                return false;
            _state = CircuitState.HalfOpen;
            return trial = _trial = true;
        }
    }

    /// <summary>A request went well. True when that closed the circuit.</summary>
    public bool Succeed(bool trial)
    {
        if (!trial)
        {
            if (_state == CircuitState.Closed)
            {
                if (_consecutive != 0)
                    _consecutive = 0;
                Push(0);
            }

            return false;
        }

        lock (_lock)
        {
            Close();
            return true;
        }
    }

    /// <summary>A request failed.</summary>
    /// <param name="trial">Whether it was the trial.</param>
    /// <param name="options">When that opens the circuit.</param>
    /// <param name="mayOpen">Asked whether it may.</param>
    /// <returns>True when that opened it.</returns>
    public bool Fail(bool trial, EjectOptions options, Func<bool> mayOpen)
    {
        if (trial)
        {
            lock (_lock)
            {
                if (_state != CircuitState.HalfOpen)
                    return false;
                _trial = false;
                Open(options, "its trial failed");
                return true;
            }
        }

        if (_state != CircuitState.Closed)
            return false;
        int consecutive = Interlocked.Increment(ref _consecutive);
        ulong history = Push(1);
        int samples = BitOperations.Log2(history), failures = BitOperations.PopCount(history) - 1;
        string? why = options.Failures > 0 && consecutive >= options.Failures ? $"{consecutive} requests in a row failed"
            : options.Rate > 0 && samples >= options.Samples && failures >= options.Rate * samples ? $"{failures} of its last {samples} requests failed"
            : null;
        if (why is null || !mayOpen())
            return false;
        lock (_lock)
        {
            if (_state != CircuitState.Closed)
                return false;
            Open(options, why);
            return true;
        }
    }

    /// <summary>The trial ended without saying anything of the backend: another may be made at once.</summary>
    public void Abandon()
    {
        lock (_lock)
            _trial = false;
    }

    /// <summary>Closes it, because the backend has shown otherwise that it is well.</summary>
    public void Reset()
    {
        if (_state == CircuitState.Closed)
            return;
        lock (_lock)
            Close();
    }

    private void Close()
    {
        _trial = false;
        _consecutive = 0;
        Volatile.Write(ref _history, Empty);
        _closedSince = time.GetTimestamp();
        _state = CircuitState.Closed;
        Why = "";
    }

    private void Open(EjectOptions options, string why)
    {
        // One that was well for long begins again with the shortest time.
        if (_state == CircuitState.Closed && (_times == 0 || time.GetElapsedTime(_closedSince) > options.LongestTime))
            _times = 0;
        double factor = Math.Pow(2, Math.Min(_times++, 30));
        TimeSpan length = TimeSpan.FromTicks((long)Math.Min(options.Time.Ticks * factor, Math.Max(options.LongestTime.Ticks, options.Time.Ticks)));
        Volatile.Write(ref _openUntil, time.GetTimestamp() + (long)(length.TotalSeconds * time.TimestampFrequency));
        Why = why;
        Openings++;
        _state = CircuitState.Open;
    }

    private ulong Push(ulong failed)
    {
        while (true)
        {
            ulong old = Volatile.Read(ref _history);
            ulong next = (old << 1) | failed | (old & Full);
            if (Interlocked.CompareExchange(ref _history, next, old) == old)
                return next;
        }
    }
}
