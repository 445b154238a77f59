namespace Glimmer.Platform.Plans;

/// <summary>Which limit refused a call.</summary>
internal enum QuotaLimit
{
    None,
    Window,
    Week,
    Month,
}

/// <summary>What a call took from the windows, for giving it back.</summary>
/// <param name="Units">Quota units; 0 when nothing was taken.</param>
/// <param name="Second">The rolling window's second.</param>
/// <param name="Week">The beginning of the week it counts in.</param>
public readonly record struct QuotaReceipt(long Units, long Second, long Week);

/// <summary>Used and allowed of one limit, in its own units, and when it is reset.</summary>
/// <param name="Used">Used now.</param>
/// <param name="Limit">Allowed; null for no limit.</param>
/// <param name="ResetsAt">When the next part frees or the period ends; null when there is nothing to reset.</param>
public readonly record struct QuotaStanding(long Used, long? Limit, DateTimeOffset? ResetsAt);

/// <summary>
/// What one account used of its plan: the rolling window, the week and the month's tool calls. A call is taken before it runs, so
/// that no number of simultaneous calls can pass a limit. Not thread-safe: its owner locks.
/// </summary>
internal sealed class QuotaMeter(TimeSpan window)
{
    private readonly RollingWindow _window = new(window);
    private readonly Dictionary<string, int> _tools = new(StringComparer.Ordinal);
    private long _week;
    private long _weekUsed;
    private long _month;
    private int _monthUsed;

    /// <summary>Length of the rolling window.</summary>
    public TimeSpan Length
    {
        get => _window.Length;
        set => _window.Length = value;
    }

    /// <summary>Takes units from the window and the week, or says which of them is full and when enough of it is free.</summary>
    /// <param name="now">The moment.</param>
    /// <param name="units">Units of the call.</param>
    /// <param name="windowLimit">Units of the window.</param>
    /// <param name="weekLimit">Units of the week; null for no limit.</param>
    /// <param name="weekStart">Beginning of the current week.</param>
    /// <param name="weekLength">Its length.</param>
    /// <param name="receipt">What was taken.</param>
    /// <param name="resetsAt">When a refused call can be made.</param>
    public QuotaLimit Take(
        DateTimeOffset now, long units, long windowLimit, long? weekLimit, DateTimeOffset weekStart, TimeSpan weekLength, out QuotaReceipt receipt, out DateTimeOffset resetsAt)
    {
        receipt = default;
        resetsAt = default;
        EnterWeek(weekStart);
        _window.Expire(now);
        if (_weekUsed + units > weekLimit)
        {
            resetsAt = weekStart + weekLength;
            return QuotaLimit.Week;
        }

        long over = _window.Used + units - windowLimit;
        if (over > 0)
        {
            // A call larger than the whole window never fits: then the emptiest moment is told.
            resetsAt = _window.FreeAt(Math.Min(over, _window.Used)) ?? now;
            return QuotaLimit.Window;
        }

        _weekUsed += units;
        receipt = new QuotaReceipt(units, _window.Add(now, units), _week);
        return QuotaLimit.None;
    }

    /// <summary>Gives a call back: it made nothing.</summary>
    /// <returns>Units that the window and the week have back.</returns>
    public (long Window, long Week) Release(in QuotaReceipt receipt)
    {
        long back = _window.Release(receipt.Second, receipt.Units);
        if (receipt.Week != _week)
            return (back, 0);
        long week = Math.Min(_weekUsed, receipt.Units);
        _weekUsed -= week;
        return (back, week);
    }

    /// <summary>Units of the rolling window that time has freed since it was asked last.</summary>
    public long TakeFreed(DateTimeOffset now)
    {
        _window.Expire(now);
        return _window.TakeFreed();
    }

    /// <summary>Notes what was used before a restart, oldest first; uses before the week do not count in it.</summary>
    public void Restore(DateTimeOffset at, long units, DateTimeOffset weekStart)
    {
        EnterWeek(weekStart);
        if (at >= weekStart)
            _weekUsed += units;
        _window.Add(at, units);
    }

    /// <summary>Takes one call of a remote tool from the month's pool.</summary>
    public QuotaLimit TakeTool(string tool, int limit, DateTimeOffset monthStart)
    {
        EnterMonth(monthStart);
        if (_monthUsed >= limit)
            return QuotaLimit.Month;
        _monthUsed++;
        _tools[tool] = _tools.GetValueOrDefault(tool) + 1;
        return QuotaLimit.None;
    }

    /// <summary>Gives a tool call back: it failed.</summary>
    /// <returns>Whether it counted.</returns>
    public bool ReleaseTool(string tool, DateTimeOffset monthStart)
    {
        EnterMonth(monthStart);
        if (_tools.GetValueOrDefault(tool) is not (var used and > 0))
            return false;
        _tools[tool] = used - 1;
        _monthUsed--;
        return true;
    }

    /// <summary>How the window stands.</summary>
    public QuotaStanding Window(DateTimeOffset now, long limit)
    {
        _window.Expire(now);
        return new QuotaStanding(_window.Used, limit, _window.Used > 0 ? _window.FreeAt(1) : null);
    }

    /// <summary>How the week stands.</summary>
    public QuotaStanding Week(DateTimeOffset weekStart, TimeSpan length, long? limit)
    {
        EnterWeek(weekStart);
        return new QuotaStanding(_weekUsed, limit, weekStart + length);
    }

    /// <summary>How the month's pool stands, and each tool's part.</summary>
    public QuotaStanding Month(DateTimeOffset monthStart, DateTimeOffset monthEnd, int limit, IDictionary<string, int> tools)
    {
        EnterMonth(monthStart);
        foreach ((string tool, int used) in _tools)
            tools[tool] = used;
        return new QuotaStanding(_monthUsed, limit, monthEnd);
    }

    private void EnterWeek(DateTimeOffset start)
    {
        if (_week == start.UtcTicks)
            return;
        _week = start.UtcTicks;
        _weekUsed = 0;
    }

    private void EnterMonth(DateTimeOffset start)
    {
        if (_month == start.UtcTicks)
            return;
        _month = start.UtcTicks;
        _monthUsed = 0;
        _tools.Clear();
    }
}
