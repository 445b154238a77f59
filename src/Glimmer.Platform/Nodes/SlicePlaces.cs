using Glimmer.Platform.Admission;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Nodes;

/// <summary>Makes the slices that admission asks: one name per limit, the same on all nodes.</summary>
internal static class SlicePlaces
{
    /// <summary>How long a call waits for the first answer about a limit that this node has nothing of.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static Slice OfKey(SliceTrader trader, string key, int limit) => trader.Of(new SliceTerms("k:" + key, SliceKind.Places, limit));

    public static Slice OfModel(SliceTrader trader, string account, string model, int limit) => trader.Of(new SliceTerms($"m:{account}:{model}", SliceKind.Places, limit));

    public static Slice OfPlan(SliceTrader trader, string account, int limit) => trader.Of(new SliceTerms(PlanId(account), SliceKind.Places, limit));

    public static Slice OfRate(SliceTrader trader, string account, string model, in RateLimit limit) =>
        trader.Of(new SliceTerms($"r:{account}:{model}", SliceKind.Rate, limit.PerMinute) { Burst = Math.Max(1, limit.Burst) });

    public static Slice OfFairUse(SliceTrader trader, string account, int perMinute) => trader.Of(new SliceTerms("u:" + account, SliceKind.Rate, perMinute) { Burst = 1 });

    public static Slice OfDay(SliceTrader trader, string account, string model, int day, DateTimeOffset end, int limit) =>
        trader.Of(new SliceTerms($"d:{account}:{model}:{day}", SliceKind.Period, limit) { Expires = End(end) });

    public static Slice OfWindow(SliceTrader trader, string account, TimeSpan length, long limit) =>
        trader.Of(new SliceTerms(WindowId(account), SliceKind.Window, limit) { KeepMs = (long)length.TotalMilliseconds });

    public static Slice OfWeek(SliceTrader trader, string account, DateTimeOffset start, TimeSpan length, long limit) =>
        trader.Of(new SliceTerms(WeekId(account, start), SliceKind.Period, limit) { Expires = End(start + length) });

    public static Slice OfMonth(SliceTrader trader, string account, DateTimeOffset start, DateTimeOffset end, int limit) =>
        trader.Of(new SliceTerms(MonthId(account, start), SliceKind.Period, limit) { Expires = End(end) });

    public static string PlanId(string account) => "p:" + account;

    public static string WindowId(string account) => "w:" + account;

    public static string WeekId(string account, DateTimeOffset start) => $"W:{account}:{start.ToUnixTimeSeconds()}";

    public static string MonthId(string account, DateTimeOffset start) => $"M:{account}:{start.ToUnixTimeSeconds()}";

    public static Slice OfFunds(SliceTrader trader, string account, string currency) =>
        trader.Of(new SliceTerms($"f:{account}:{currency}", SliceKind.Funds, 0) { Owner = account, Currency = currency });

    public static Slice OfCap(SliceTrader trader, string key, string currency, int period, long number, long limit) =>
        trader.Of(new SliceTerms($"c:{key}:{currency}:{period}:{number}", SliceKind.Cap, limit) { Owner = key, Currency = currency, Period = period, PeriodNumber = number });

    /// <summary>
    /// 1305: there is something left of a limit or of funds, but other nodes have it, and give it back when they do not use it. Whoever is told so is to try again; the codes of
    /// limits and arrears, upon which a client gives up, are for what is used up over all nodes.
    /// </summary>
    public static PlatformError Elsewhere(Slice slice) => PlatformError.Of(BusinessCode.Overloaded) with
    {
        Message = "What is left of this account's limits is in use at other nodes of the platform for the moment, please try again",
        Chinese = "该账户剩余的额度暂由平台其他节点占用，请稍后重试",
        RetryAfter = slice.Beat,
    };

    /// <summary>How long a call waits for money that is being called back from other nodes: they hear of it with their next heartbeat.</summary>
    public static TimeSpan RecallPatience(Slice slice) => 2 * slice.Beat;

    /// <summary>Answers that a caller waits for before it is told that an account has too little: what others use no more may be on its way.</summary>
    public const int AnswersToBeSpent = 2;

    /// <summary>Waits for news about a limit; false when none would help.</summary>
    /// <param name="slice">The limit.</param>
    /// <param name="answers">Answers that the caller has waited for.</param>
    /// <param name="time">The clock of its patience.</param>
    /// <param name="cancel">Ends the wait.</param>
    public static async ValueTask<bool> WaitAsync(Slice slice, int answers, TimeProvider time, CancellationToken cancel)
    {
        Task answer = slice.NextAnswer();
        if (slice.IsExhausted && (!slice.Terms.IsMoney || answers >= AnswersToBeSpent))
            return false;
        if (slice.Spare <= 0 || slice.Terms.IsMoney)
        {
            // A node that hears nothing refuses; what came meanwhile is seen at the next try.
            await answer.WaitAsync(Patience, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancel.ThrowIfCancellationRequested();
        }

        return true;
    }

    // Clocks of nodes differ; a period's row goes when no node can count in it any more.
    private static long End(DateTimeOffset end) => end.ToUnixTimeMilliseconds() + (long)TimeSpan.FromHours(1).TotalMilliseconds;
}
