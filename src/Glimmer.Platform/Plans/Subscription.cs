using System.Collections.Immutable;

namespace Glimmer.Platform.Plans;

/// <summary>A stretch of time with one plan, from <see cref="Start"/> to <see cref="End"/>, the end excluded.</summary>
/// <param name="Plan">The plan's code.</param>
/// <param name="Cycle">The cycle it was bought with.</param>
/// <param name="Months">Its months.</param>
/// <param name="Start">Beginning.</param>
/// <param name="End">End.</param>
/// <param name="Value">What it counts when it is pro-rated.</param>
/// <param name="Granted">Whether it was free.</param>
/// <param name="Cohort">Generation; null for the current one.</param>
public sealed record PlanTerm(string Plan, PlanCycle Cycle, int Months, DateTimeOffset Start, DateTimeOffset End, decimal Value, bool Granted, string? Cohort);

/// <summary>A discount of one subscriber.</summary>
/// <param name="Rate">Part of the price that falls away, 0 to 1.</param>
/// <param name="Until">Excluded end.</param>
public sealed record PersonalDiscount(decimal Rate, DateTimeOffset Until);

/// <summary>
/// An account's coding plan: the fold of its events. Immutable and without a clock; every question names its moment. Its terms
/// follow each other without gaps, and the end of each is counted in months from the beginning of the first
/// (<see cref="PlanCalendar"/>), so that a month and a year are thirteen months, also from the 31st on.
/// </summary>
public sealed record Subscription
{
    /// <summary>An account that never had a plan.</summary>
    public static Subscription None { get; } = new();

    /// <summary>Terms without gaps, the oldest first; those of an earlier run are gone.</summary>
    public ImmutableArray<PlanTerm> Terms { get; internal init; } = [];

    /// <summary>Beginning of the first term.</summary>
    public DateTimeOffset Anchor { get; private init; }

    /// <summary>Currency of its prices.</summary>
    public string Currency { get; private init; } = "";

    /// <summary>Whether it renews at its end.</summary>
    public bool AutoRenew { get; private init; }

    /// <summary>Bills that still pass after a late cancellation.</summary>
    public int BillsLeft { get; private init; }

    /// <summary>Plan and cycle that begin with the next renewal; null for no change.</summary>
    public (string Plan, PlanCycle Cycle)? Next { get; private init; }

    /// <summary>Failed tries of the coming renewal.</summary>
    public int FailedRenewals { get; private init; }

    /// <summary>When the last try failed.</summary>
    public DateTimeOffset LastFailure { get; private init; }

    /// <summary>Discount of this subscriber; null for none.</summary>
    public PersonalDiscount? Discount { get; private init; }

    /// <summary>Strikes of fair use.</summary>
    public int Strikes { get; private init; }

    /// <summary>Until when the rate is cut; null for never or no longer.</summary>
    public DateTimeOffset? RestrictedUntil { get; private init; }

    /// <summary>Whether so many strikes ended all benefits.</summary>
    public bool Banned { get; private init; }

    /// <summary>Whether an appeal waits for its decision.</summary>
    public bool AppealOpen { get; private init; }

    /// <summary>Whether anything was ever paid: a first order is cheaper for invited accounts.</summary>
    public bool EverPaid { get; private init; }

    /// <summary>End of everything that is paid or given; null without terms.</summary>
    public DateTimeOffset? End => Terms.IsEmpty ? null : Terms[^1].End;

    /// <summary>The term of a moment; null when none runs.</summary>
    public PlanTerm? TermAt(DateTimeOffset at)
    {
        foreach (PlanTerm term in Terms)
        {
            if (term.Start <= at && at < term.End)
                return term;
        }

        return null;
    }

    /// <summary>
    /// Where the weeks of a moment are counted from: the first of the terms with the same plan and generation that lead to it
    /// without interruption. Null when none runs.
    /// </summary>
    public DateTimeOffset? WeekAnchorAt(DateTimeOffset at)
    {
        DateTimeOffset? anchor = null;
        PlanTerm? before = null;
        foreach (PlanTerm term in Terms)
        {
            if (before is null || before.Plan != term.Plan || before.Cohort != term.Cohort)
                anchor = term.Start;
            if (term.Start <= at && at < term.End)
                return anchor;
            before = term;
        }

        return null;
    }

    /// <summary>The subscription after one more event.</summary>
    public Subscription Apply(SubscriptionEvent item, PlanRules rules)
    {
        ArgumentNullException.ThrowIfNull(item);
        ArgumentNullException.ThrowIfNull(rules);
        switch (item.Kind)
        {
            case SubscriptionEventKind.Ordered:
                bool queued = End > item.At;
                return Append(item, rules, queued, granted: false) with
                {
                    AutoRenew = item.AutoRenew,
                    BillsLeft = 0,
                    Next = null,
                    EverPaid = true,
                };
            case SubscriptionEventKind.Upgraded:
                return Append(item, rules, behind: false, granted: false) with { AutoRenew = item.AutoRenew, BillsLeft = 0, Next = null, EverPaid = true };
            case SubscriptionEventKind.Renewed:
                // A renewal that comes with the end goes on from it; one that comes after failures begins when it is paid.
                bool seamless = End is { } end && (end > item.At || (FailedRenewals == 0 && item.At < end + rules.RenewalRetry));
                return Append(item, rules, seamless, granted: false) with { BillsLeft = Math.Max(0, BillsLeft - 1), Next = null, EverPaid = true };
            case SubscriptionEventKind.RenewalFailed:
                int failed = FailedRenewals + 1;
                bool over = failed > rules.RenewalRetries;
                return this with { FailedRenewals = failed, LastFailure = item.At, AutoRenew = AutoRenew && !over, BillsLeft = over ? 0 : BillsLeft };
            case SubscriptionEventKind.RenewalOn:
                return this with { AutoRenew = true, BillsLeft = 0, FailedRenewals = 0 };
            case SubscriptionEventKind.Cancelled:
                return this with { AutoRenew = false, BillsLeft = item.Late ? 1 : 0 };
            case SubscriptionEventKind.RenewalEnded:
                return this with { AutoRenew = false, BillsLeft = 0, Next = null };
            case SubscriptionEventKind.ChangeScheduled:
                return this with { Next = item.Plan is { } plan ? (plan, item.Cycle) : null };
            case SubscriptionEventKind.Granted:
                return Append(item, rules, behind: End > item.At, granted: true);
            case SubscriptionEventKind.DiscountGiven:
                return this with { Discount = item.Until is { } until ? new PersonalDiscount(item.Rate, until) : null };
            case SubscriptionEventKind.Struck:
                bool banned = Strikes + 1 >= rules.FairUse.StrikesToBan;
                return this with { Strikes = Strikes + 1, Banned = Banned || banned, RestrictedUntil = item.At + rules.FairUse.Restriction };
            case SubscriptionEventKind.Appealed:
                return this with { AppealOpen = true };
            case SubscriptionEventKind.AppealDecided:
                return item.Accepted
                    ? this with { AppealOpen = false, Strikes = Math.Max(0, Strikes - 1), Banned = false, RestrictedUntil = null }
                    : this with { AppealOpen = false };
            default:
                throw new ArgumentOutOfRangeException(nameof(item), item.Kind, "Not an event of subscriptions.");
        }
    }

    /// <summary>The sum of events.</summary>
    public static Subscription Fold(IEnumerable<SubscriptionEvent> events, PlanRules rules)
    {
        ArgumentNullException.ThrowIfNull(events);
        Subscription state = None;
        foreach (SubscriptionEvent item in events)
            state = state.Apply(item, rules);
        return state;
    }

    private Subscription Append(SubscriptionEvent item, PlanRules rules, bool behind, bool granted)
    {
        DateTimeOffset anchor = behind ? Anchor : item.At;
        ImmutableArray<PlanTerm> terms = behind ? Terms : [];
        int months = terms.Sum(term => term.Months);
        var term = new PlanTerm(
            item.Plan ?? "", item.Cycle, item.Months, rules.Calendar.AddMonths(anchor, months), rules.Calendar.AddMonths(anchor, months + item.Months), item.Value, granted, item.Cohort);
        return this with { Anchor = anchor, Terms = terms.Add(term), Currency = item.Currency ?? Currency, FailedRenewals = 0 };
    }
}
