using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Plans;

/// <summary>
/// This node's parts of what one account's plan gives: the rolling window, the week, the month's pool. The account's meter counts what
/// was used here; these say how much may be. Not thread-safe: the meter's owner locks.
/// </summary>
internal sealed class SubscriberSlices(SliceTrader trader, string account)
{
    private Slice? _window;
    private (long Start, Slice Slice)? _week;
    private (long Start, Slice Slice)? _month;

    /// <summary>Gives back what time has freed of the window.</summary>
    public void Freed(long units)
    {
        if (units > 0)
            _window?.Give(units);
    }

    /// <summary>Takes a call's units of the window and the week; the slice that has too few, or null.</summary>
    public Slice? Take(PlanWindow terms, long units, Action settling, out QuotaLimit limit)
    {
        limit = QuotaLimit.Window;
        Slice window = Window(terms, settling);
        if (!window.TryTake(units))
            return window;
        if (terms.WeekLimit is { } most)
        {
            Slice week = Week(terms, most);
            if (!week.TryTake(units))
            {
                window.Give(units);
                limit = QuotaLimit.Week;
                return week;
            }
        }

        limit = QuotaLimit.None;
        return null;
    }

    /// <summary>Gives back what a call that made nothing had taken.</summary>
    public void Give(long window, long week, long weekStart)
    {
        if (window > 0)
            _window?.Give(window);
        if (week > 0 && _week is { } known && known.Start == weekStart)
            known.Slice.Give(week);
    }

    /// <summary>Notes units used before a restart.</summary>
    public void Note(PlanWindow terms, long units, bool inWeek, Action settling)
    {
        Window(terms, settling).Note(units);
        if (inWeek && terms.WeekLimit is { } most)
            Week(terms, most).Note(units);
    }

    /// <summary>The month's pool.</summary>
    public Slice Month(DateTimeOffset start, DateTimeOffset end, int limit)
    {
        if (_month is not { } known || known.Start != start.UtcTicks)
            _month = known = (start.UtcTicks, SlicePlaces.OfMonth(trader, account, start, end, limit));
        known.Slice.Limit = limit;
        return known.Slice;
    }

    /// <summary>Units that other nodes hold of the window, the week and the month, as this node heard last.</summary>
    public (long Window, long Week, long Month) Elsewhere => (Others(_window), Others(_week?.Slice), Others(_month?.Slice));

    private long Others(Slice? slice) => slice is null || !trader.IsShared ? 0 : Math.Max(0, slice.HeldByAll - slice.Holding);

    private Slice Window(PlanWindow terms, Action settling)
    {
        Slice window = _window ??= SlicePlaces.OfWindow(trader, account, terms.Length, terms.Limit);
        window.Limit = terms.Limit;
        window.Settling = settling;
        return window;
    }

    private Slice Week(PlanWindow terms, long limit)
    {
        if (_week is not { } known || known.Start != terms.WeekStart.UtcTicks)
            _week = known = (terms.WeekStart.UtcTicks, SlicePlaces.OfWeek(trader, account, terms.WeekStart, terms.WeekLength, limit));
        known.Slice.Limit = limit;
        return known.Slice;
    }
}

/// <summary>Window and week of a plan at a moment.</summary>
internal readonly record struct PlanWindow(TimeSpan Length, long Limit, DateTimeOffset WeekStart, TimeSpan WeekLength, long? WeekLimit);
