namespace Glimmer.Platform.Ledger;

/// <summary>What a key has spent of a currency, in all and in the running day and month, and what its running requests may yet.</summary>
internal sealed class KeySpend(string keyId, Currency currency)
{
    private readonly Lock _gate = new();
    private long _held;
    private long _pending;
    private long _total;
    private long _dayNumber;
    private long _day;
    private long _monthNumber;
    private long _month;

    public string KeyId { get; } = keyId;

    public Currency Currency { get; } = currency;

    /// <summary>Sets an amount aside; false when the cap is reached. One request may go beyond it, as with a balance.</summary>
    public bool TryReserve(SpendCap? cap, long amount, in BillingDay today)
    {
        lock (_gate)
        {
            if (cap is { } limit && limit.Amount.Currency == Currency && amount > 0)
            {
                Turn(today);
                long spent = limit.Period switch { CapPeriod.Day => _day, CapPeriod.Month => _month, _ => _total };
                if (spent + _held >= limit.Amount.Units)
                    return false;
            }

            _held += amount;
            return true;
        }
    }

    /// <summary>Gives back what was set aside.</summary>
    public void Release(long held)
    {
        lock (_gate)
            _held -= held;
    }

    /// <summary>Notes what was spent; below nothing when it is undone.</summary>
    public void Spend(long amount, in BillingDay day)
    {
        lock (_gate)
        {
            Turn(day);
            _pending += amount;
            _total += amount;
            _day += day.Day == _dayNumber ? amount : 0;
            _month += day.Month == _monthNumber ? amount : 0;
        }
    }

    /// <summary>What was spent in a period that contains <paramref name="today"/>.</summary>
    public long Spent(CapPeriod period, in BillingDay today)
    {
        lock (_gate)
        {
            Turn(today);
            return period switch { CapPeriod.Day => _day, CapPeriod.Month => _month, _ => _total };
        }
    }

    /// <summary>Notes that so much of what was spent is stored now.</summary>
    public void Stored(long amount)
    {
        lock (_gate)
            _pending -= amount;
    }

    /// <summary>Takes over what is stored, by this process and others; what is spent here and not stored yet is added.</summary>
    public void Load(long total, long monthNumber, long month, long dayNumber, long day)
    {
        lock (_gate)
        {
            _total = total + _pending;
            if (monthNumber >= _monthNumber)
                (_monthNumber, _month) = (monthNumber, month + _pending);
            if (dayNumber >= _dayNumber)
                (_dayNumber, _day) = (dayNumber, day + _pending);
        }
    }

    // Only forwards: what is settled a moment before midnight and noted after it counts for the total alone.
    private void Turn(in BillingDay today)
    {
        if (today.Day > _dayNumber)
            (_dayNumber, _day) = (today.Day, 0);
        if (today.Month > _monthNumber)
            (_monthNumber, _month) = (today.Month, 0);
    }
}

/// <summary>A day of the billing calendar.</summary>
/// <param name="Day">Days since 1970.</param>
/// <param name="Month">Months since the year 0: twelve times the year plus the month from 0.</param>
internal readonly record struct BillingDay(long Day, long Month);

/// <summary>The calendar that days, months and hours of bills follow: a fixed offset from UTC, without summer time.</summary>
internal sealed class BillingCalendar(TimeSpan offset)
{
    private const long MillisecondsPerDay = 86_400_000;
    private const long MillisecondsPerHour = 3_600_000;
    private readonly long _offset = (long)offset.TotalMilliseconds;
    private volatile Known? _last;

    public TimeSpan Offset { get; } = offset;

    /// <summary>The day of an instant (milliseconds since 1970).</summary>
    public BillingDay Of(long at)
    {
        long day = DayOf(at);
        if (_last is { } known && known.Day.Day == day)
            return known.Day;
        DateTime date = DateTime.UnixEpoch.AddDays(day);
        var result = new BillingDay(day, (date.Year * 12) + date.Month - 1);
        _last = new Known(result);
        return result;
    }

    /// <summary>Days since 1970 of an instant.</summary>
    public long DayOf(long at) => (at + _offset) / MillisecondsPerDay;

    /// <summary>Hours since 1970 of an instant, local.</summary>
    public long HourOf(long at) => (at + _offset) / MillisecondsPerHour;

    /// <summary>The instant at which a day begins.</summary>
    public long StartOfDay(long day) => (day * MillisecondsPerDay) - _offset;

    /// <summary>The instant at which an hour begins.</summary>
    public long StartOfHour(long hour) => (hour * MillisecondsPerHour) - _offset;

    /// <summary>The number of a date.</summary>
    public static long DayOf(DateOnly date) => date.DayNumber - DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber;

    /// <summary>The date of a number.</summary>
    public static DateOnly DateOf(long day) => DateOnly.FromDateTime(DateTime.UnixEpoch).AddDays((int)day);

    private sealed record Known(BillingDay Day);
}
