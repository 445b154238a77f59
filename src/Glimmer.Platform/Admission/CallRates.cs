using System.Collections.Concurrent;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>How often calls may come; 0 is no limit.</summary>
/// <param name="PerMinute">Calls a minute on average.</param>
/// <param name="Burst">Calls at once after a pause, at least 1.</param>
/// <param name="PerDay">Calls a day, from midnight of the platform's clock.</param>
public readonly record struct RateLimit(int PerMinute, int Burst, int PerDay)
{
    /// <summary>Whether anything is limited.</summary>
    public bool IsSet => PerMinute > 0 || PerDay > 0;
}

/// <summary>
/// Frequency and daily limits of accounts, per model, and of the whole platform. The token bucket is kept as the one moment at which it
/// would be full again (generic cell rate algorithm, ITU-T I.371), so that a call is one compare and exchange.
/// </summary>
public sealed class CallRates(PlanCalendar calendar)
{
    private readonly ConcurrentDictionary<(string Account, string Model), Bucket> _buckets = new();
    private readonly SliceTrader? _slices;

    /// <summary>On a node that shares limits with others.</summary>
    public CallRates(PlanCalendar calendar, NodeShare? nodes)
        : this(calendar, nodes?.Trader)
    {
    }

    internal CallRates(PlanCalendar calendar, SliceTrader? slices)
        : this(calendar) => _slices = slices;

    /// <summary>Counts a call, or says which limit it meets: 1303 for the frequency, 1304 for the day. Null when it may pass.</summary>
    /// <param name="account">Whose call; empty for the whole platform.</param>
    /// <param name="model">The model's code.</param>
    /// <param name="limit">The limits.</param>
    /// <param name="now">The moment.</param>
    public PlatformError? Take(string account, string model, in RateLimit limit, DateTimeOffset now) => Take(account, model, limit, now, out _);

    /// <inheritdoc cref="Take(string, string, in RateLimit, DateTimeOffset)"/>
    /// <param name="account">Whose call.</param>
    /// <param name="model">The model's code.</param>
    /// <param name="limit">The limits.</param>
    /// <param name="now">The moment.</param>
    /// <param name="dry">The slice that has too little, when the limit itself may have more.</param>
    internal PlatformError? Take(string account, string model, in RateLimit limit, DateTimeOffset now, out Slice? dry)
    {
        dry = null;
        if (!limit.IsSet)
            return null;
        Bucket bucket = _buckets.GetOrAdd((account, model), static _ => new Bucket());
        if (limit.PerMinute > 0 && _slices is { IsShared: true } shared)
        {
            Slice rate = SlicePlaces.OfRate(shared, account, model, limit);
            if (!rate.TryTake(1))
            {
                dry = rate;
                return PlatformError.Of(BusinessCode.FrequencyExceeded) with { RetryAfter = TimeSpan.FromMinutes(1.0 / limit.PerMinute) };
            }
        }
        else if (limit.PerMinute > 0 && bucket.TakeFrequency(now.UtcTicks, TimeSpan.TicksPerMinute / limit.PerMinute, Math.Max(1, limit.Burst)) is var wait and > 0)
            return PlatformError.Of(account.Length == 0 ? BusinessCode.Overloaded : BusinessCode.FrequencyExceeded) with { RetryAfter = TimeSpan.FromTicks(wait) };
        if (limit.PerDay <= 0)
            return null;
        int day = (calendar.Local(now) - DateTime.UnixEpoch).Days;
        bool fits = bucket.TakeDay(day, limit.PerDay);
        if (fits && _slices is not null)
        {
            if (bucket.DaySlice is not { } known || known.Day != day)
                bucket.DaySlice = known = new DaySlice(day, SlicePlaces.OfDay(_slices, account, model, day, calendar.NextMidnight(now), limit.PerDay));
            Slice slice = known.Slice;
            slice.Limit = limit.PerDay;
            fits = slice.TryTake(1);
            if (!fits)
            {
                dry = slice;
                bucket.GiveDay();
                if (!slice.IsUsedUp)
                    return SlicePlaces.Elsewhere(slice);
            }
        }

        return fits ? null : PlatformError.Of(BusinessCode.DailyLimitReached) with { RetryAfter = calendar.NextMidnight(now) - now };
    }

    private sealed record DaySlice(int Day, Slice Slice);

    private sealed class Bucket
    {
        private long _fullAt;
        private long _day;

        public DaySlice? DaySlice { get; set; }

        public void GiveDay() => Interlocked.Decrement(ref _day);

        /// <summary>Ticks to wait; 0 when it passed.</summary>
        public long TakeFrequency(long now, long interval, int burst)
        {
            long seen = Volatile.Read(ref _fullAt);
            while (true)
            {
                long next = Math.Max(seen, now) + interval;
                long wait = next - now - (interval * burst);
                if (wait > 0)
                    return wait;
                long before = Interlocked.CompareExchange(ref _fullAt, next, seen);
                if (before == seen)
                    return 0;
                seen = before;
            }
        }

        /// <summary>Day number and its count in one word.</summary>
        public bool TakeDay(int day, int limit)
        {
            long seen = Volatile.Read(ref _day);
            while (true)
            {
                long count = seen >> 32 == day ? seen & uint.MaxValue : 0;
                if (count >= limit)
                    return false;
                long before = Interlocked.CompareExchange(ref _day, ((long)day << 32) | (count + 1), seen);
                if (before == seen)
                    return true;
                seen = before;
            }
        }
    }
}
