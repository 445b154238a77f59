using System.Globalization;

namespace Glimmer.Platform.Plans;

/// <summary>
/// Dates as plans count them: in one fixed offset without summer time (UTC+8 for the platform), months from an anchor. The
/// k-th month ends on the anchor's day, or on the last day of a shorter month; a later longer month has the anchor's day
/// again, because every border is counted from the anchor and not from the border before.
/// </summary>
/// <param name="Offset">Offset of the plan's clock from UTC.</param>
public readonly record struct PlanCalendar(TimeSpan Offset)
{
    /// <summary>The wall clock of the plan at a moment.</summary>
    public DateTime Local(DateTimeOffset at) => at.UtcDateTime + Offset;

    /// <summary>The moment at which a day begins.</summary>
    public DateTimeOffset StartOf(DateOnly day) => new DateTimeOffset(day.ToDateTime(TimeOnly.MinValue), Offset).ToUniversalTime();

    /// <summary>So many months after an anchor.</summary>
    public DateTimeOffset AddMonths(DateTimeOffset anchor, int months) => anchor.ToOffset(Offset).AddMonths(months).ToUniversalTime();

    /// <summary>How many whole months from the anchor have passed; negative before it.</summary>
    public int MonthOf(DateTimeOffset anchor, DateTimeOffset at)
    {
        DateTimeOffset start = anchor.ToOffset(Offset);
        DateTimeOffset now = at.ToOffset(Offset);
        int months = ((now.Year - start.Year) * 12) + now.Month - start.Month;
        return AddMonths(anchor, months) <= at ? months : months - 1;
    }

    /// <summary>The next midnight after a moment.</summary>
    public DateTimeOffset NextMidnight(DateTimeOffset at) => StartOf(DateOnly.FromDateTime(Local(at)).AddDays(1));

    /// <summary>A moment as messages write it: <c>2026-03-01 14:00:00</c>.</summary>
    public string Write(DateTimeOffset at) => Local(at).ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
}
