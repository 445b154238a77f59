namespace Glimmer.Platform.Plans;

/// <summary>
/// Usage of the last hours, exactly: every unit frees when the window's length has passed since it was used. Uses of the
/// same second are kept as one, at the end of that second, so that a window holds at most one entry per second. Not
/// thread-safe: its owner locks.
/// </summary>
internal sealed class RollingWindow(TimeSpan length)
{
    private long _length = (long)length.TotalSeconds;
    private (long Second, long Units)[] _ring = [];
    private int _head;
    private int _count;
    private long _freed;

    /// <summary>Length; a longer one does not bring back what has freed.</summary>
    public TimeSpan Length
    {
        get => TimeSpan.FromSeconds(_length);
        set => _length = (long)value.TotalSeconds;
    }

    /// <summary>Units in the window after the last <see cref="Expire"/>.</summary>
    public long Used { get; private set; }

    /// <summary>Units that time has freed since it was asked last.</summary>
    public long TakeFreed()
    {
        long freed = _freed;
        _freed = 0;
        return freed;
    }

    /// <summary>The second that a moment's use is kept under: its end.</summary>
    public static long SecondOf(DateTimeOffset at) => (at.UtcTicks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond;

    /// <summary>Frees what is older than the window.</summary>
    public void Expire(DateTimeOffset now)
    {
        long second = now.UtcTicks / TimeSpan.TicksPerSecond;
        while (_count > 0 && _ring[_head].Second + _length <= second)
        {
            Used -= _ring[_head].Units;
            _freed += _ring[_head].Units;
            _head = (_head + 1) & (_ring.Length - 1);
            _count--;
        }
    }

    /// <summary>Notes a use; a clock that went back counts as not having moved.</summary>
    /// <returns>The second it is kept under, for <see cref="Release"/>.</returns>
    public long Add(DateTimeOffset now, long units)
    {
        long second = SecondOf(now);
        Used += units;
        if (_count > 0)
        {
            ref (long Second, long Units) last = ref _ring[(_head + _count - 1) & (_ring.Length - 1)];
            if (last.Second >= second)
            {
                last.Units += units;
                return last.Second;
            }
        }

        if (_count == _ring.Length)
            Grow();
        _ring[(_head + _count) & (_ring.Length - 1)] = (second, units);
        _count++;
        return second;
    }

    /// <summary>Takes a use back, when it still counts.</summary>
    /// <returns>Units taken back.</returns>
    public long Release(long second, long units)
    {
        int low = 0, high = _count - 1;
        while (low <= high)
        {
            int middle = (low + high) >> 1;
            ref (long Second, long Units) entry = ref _ring[(_head + middle) & (_ring.Length - 1)];
            if (entry.Second == second)
            {
                long back = Math.Min(units, entry.Units);
                entry.Units -= back;
                Used -= back;
                return back;
            }

            if (entry.Second < second)
                low = middle + 1;
            else
                high = middle - 1;
        }

        return 0;
    }

    /// <summary>When so many units will have freed; null when the window does not hold as many.</summary>
    public DateTimeOffset? FreeAt(long units)
    {
        long freed = 0;
        for (int i = 0; i < _count; i++)
        {
            (long second, long held) = _ring[(_head + i) & (_ring.Length - 1)];
            freed += held;
            if (freed >= units)
                return new DateTimeOffset((second + _length) * TimeSpan.TicksPerSecond, TimeSpan.Zero);
        }

        return null;
    }

    private void Grow()
    {
        var ring = new (long, long)[Math.Max(8, _ring.Length * 2)];
        for (int i = 0; i < _count; i++)
            ring[i] = _ring[(_head + i) & (_ring.Length - 1)];
        (_ring, _head) = (ring, 0);
    }
}
