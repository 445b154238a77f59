using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Plans;

/// <summary>How an order takes effect.</summary>
public enum OrderKind
{
    /// <summary>It begins at once.</summary>
    New,

    /// <summary>It is paid now and begins behind what is paid already.</summary>
    Queued,

    /// <summary>It begins at once; what is left of the old terms is set against its price.</summary>
    Upgrade,

    /// <summary>Nothing is paid now; it begins with the next renewal.</summary>
    NextPeriod,
}

/// <summary>What an order would do.</summary>
/// <param name="Kind">How it takes effect.</param>
/// <param name="ListPrice">Price of the list.</param>
/// <param name="Price">After discounts.</param>
/// <param name="RestValue">Worth of the old terms that an upgrade ends.</param>
/// <param name="Due">To pay now, 0 or more.</param>
/// <param name="CreditBack">What the old terms are worth more than the new one costs; comes back as credits.</param>
/// <param name="Event">The event to apply once it is paid.</param>
public sealed record OrderQuote(OrderKind Kind, decimal ListPrice, decimal Price, decimal RestValue, decimal Due, decimal CreditBack, SubscriptionEvent Event);

/// <summary>
/// Says what orders, cancellations and the passing of time do to a subscription, and what they cost. Pure: takes a state and a
/// moment, gives events and amounts; whoever moves the money applies the event when it has moved.
/// </summary>
public sealed class SubscriptionDesk(PlanRules rules)
{
    /// <summary>What an order would do and cost.</summary>
    /// <param name="state">The account's subscription.</param>
    /// <param name="plan">Code of the plan.</param>
    /// <param name="cycle">Cycle.</param>
    /// <param name="currency">Currency of the account.</param>
    /// <param name="now">The moment.</param>
    /// <param name="autoRenew">Whether it is to renew.</param>
    /// <param name="invited">Whether the account was invited and its first payment is still in time.</param>
    public (OrderQuote? Quote, PlatformError? Error) Order(
        Subscription state, string plan, PlanCycle cycle, string currency, DateTimeOffset now, bool autoRenew = true, bool invited = false)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (rules.Find(plan) is not { } wanted)
            return (null, PlatformError.Invalid("plan", $"\"{plan}\" is not a plan", $"Use one of {string.Join(", ", rules.Plans.Select(known => known.Code))}"));
        if (rules.PriceOf(wanted.Code, cycle, currency) is not { } list)
            return (null, PlatformError.Invalid("cycle", $"{wanted.Code} is not sold for this cycle in {currency}", "Choose another cycle or currency"));
        if (state.Banned)
            return (null, PlatformError.Of(BusinessCode.FairUse));

        PlanTerm? current = state.TermAt(now);
        Plan? held = current is null ? null : rules.Find(current.Plan);
        int months = PlanRules.MonthsOf(cycle);
        string? cohort = CohortOf(now, autoRenew);
        decimal price = Discounted(state, list, now, invited && !state.EverPaid && current is null);
        if (current is null || held is null)
            return (Paid(OrderKind.New, SubscriptionEventKind.Ordered), null);

        // A queue may hold a higher tier than the running one; the highest counts for what is an upgrade.
        int rank = state.Terms.Where(term => term.End > now).Max(term => rules.Find(term.Plan)?.Rank ?? 0);
        if (wanted.Rank > rank)
        {
            decimal rest = RestValue(state, now);
            decimal due = Math.Max(0, price - rest);
            return (new OrderQuote(OrderKind.Upgrade, list, price, rest, due, Math.Max(0, rest - price), Event(SubscriptionEventKind.Upgraded)), null);
        }

        bool freeMonths = state.Terms.Any(term => term.Granted && term.End > now);
        bool legacy = state.Terms[^1].Cohort is not null;
        PlanTerm last = state.Terms[^1];
        if (freeMonths || legacy || (wanted.Code == last.Plan && months >= PlanRules.MonthsOf(last.Cycle)))
            return (Paid(OrderKind.Queued, SubscriptionEventKind.Ordered), null);
        var change = new SubscriptionEvent(SubscriptionEventKind.ChangeScheduled, now) { Plan = wanted.Code, Cycle = cycle };
        return (new OrderQuote(OrderKind.NextPeriod, list, price, 0, 0, 0, change), null);

        OrderQuote Paid(OrderKind kind, SubscriptionEventKind what) => new(kind, list, price, 0, price, 0, Event(what));

        SubscriptionEvent Event(SubscriptionEventKind what) => new(what, now)
        {
            Plan = wanted.Code,
            Cycle = cycle,
            Months = months,
            Value = price,
            Currency = currency,
            AutoRenew = autoRenew,
            Cohort = cohort,
        };
    }

    /// <summary>
    /// The renewal that is due, at the price of the moment; null when none is. Pay <see cref="OrderQuote.Due"/> and apply the event, or
    /// apply <see cref="SubscriptionEventKind.RenewalFailed"/>. A plan that is no longer sold is not renewed: the quote is null
    /// and <see cref="Passing"/> ends renewal.
    /// </summary>
    public OrderQuote? Renewal(Subscription state, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (!IsRenewalTime(state, now))
            return null;
        (string plan, PlanCycle cycle) = ToRenew(state);
        if (rules.PriceOf(plan, cycle, state.Currency) is not { } list)
            return null;
        decimal price = Discounted(state, list, now, invited: false);
        return new OrderQuote(OrderKind.Queued, list, price, 0, price, 0, new SubscriptionEvent(SubscriptionEventKind.Renewed, now)
        {
            Plan = plan,
            Cycle = cycle,
            Months = PlanRules.MonthsOf(cycle),
            Value = price,
            Currency = state.Currency,
        });
    }

    /// <summary>What the passing of time brings without money: the migration of cohorts, the end of renewal of what is not sold any more.</summary>
    public IReadOnlyList<SubscriptionEvent> Passing(Subscription state, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        if (state.AutoRenew && state.Terms is [.., { Cohort: { } name } last] && rules.Cohorts.FirstOrDefault(known => known.Name == name) is { } cohort && now >= cohort.AutoRenewEnds)
        {
            decimal monthly = rules.PriceOf(last.Plan, PlanCycle.Month, state.Currency) ?? 0;
            var granted = new SubscriptionEvent(SubscriptionEventKind.Granted, now)
            {
                Plan = last.Plan,
                Cycle = last.Cycle,
                Months = cohort.FreeMonths,
                Value = monthly * cohort.FreeMonths,
                Cohort = cohort.Name,
            };
            Subscription after = state.Apply(granted, rules);
            return
            [
                new SubscriptionEvent(SubscriptionEventKind.RenewalEnded, now) { Reason = cohort.Name },
                granted,
                new SubscriptionEvent(SubscriptionEventKind.DiscountGiven, now) { Rate = cohort.Discount, Until = rules.Calendar.AddMonths(after.End!.Value, cohort.DiscountMonths) },
            ];
        }

        if (IsRenewalTime(state, now) && ToRenew(state) is var (plan, cycle) && rules.PriceOf(plan, cycle, state.Currency) is null)
            return [new SubscriptionEvent(SubscriptionEventKind.RenewalEnded, now) { Reason = $"{plan} is no longer sold" }];
        return [];
    }

    /// <summary>Cancels renewal; null when it is not on. After the notice the coming bill still passes.</summary>
    public SubscriptionEvent? Cancel(Subscription state, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        return state.AutoRenew && state.End is { } end
            ? new SubscriptionEvent(SubscriptionEventKind.Cancelled, now) { Late = end > now && end - now < rules.CancelNotice }
            : null;
    }

    /// <summary>What is left of all terms, to the cent: paid value by seconds, commercially rounded once.</summary>
    public decimal RestValue(Subscription state, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(state);
        decimal rest = 0;
        foreach (PlanTerm term in state.Terms)
        {
            if (term.End <= now || (term.Granted && !rules.OffsetGrantedMonths))
                continue;
            if (term.Start >= now)
            {
                rest += term.Value;
                continue;
            }

            decimal left = (term.End - now).Ticks, whole = (term.End - term.Start).Ticks;
            rest += term.Value * left / whole;
        }

        return decimal.Round(rest, 2, MidpointRounding.AwayFromZero);
    }

    private bool IsRenewalTime(Subscription state, DateTimeOffset now) =>
        (state.AutoRenew || state.BillsLeft > 0)
        && state.End is { } end && now >= end - rules.RenewalLead
        && (state.FailedRenewals == 0 || now >= state.LastFailure + rules.RenewalRetry);

    private static (string Plan, PlanCycle Cycle) ToRenew(Subscription state) => state.Next ?? (state.Terms[^1].Plan, state.Terms[^1].Cycle);

    private string? CohortOf(DateTimeOffset now, bool autoRenew) =>
        autoRenew ? rules.Cohorts.FirstOrDefault(cohort => now < cohort.OrderedBefore)?.Name : null;

    private decimal Discounted(Subscription state, decimal price, DateTimeOffset now, bool invited)
    {
        // Not stackable: the larger discount counts.
        decimal rate = state.Discount is { } personal && now < personal.Until ? personal.Rate : 0;
        if (invited && rules.InviteeDiscount > rate)
        {
            decimal reduced = decimal.Round(price * (1 - rules.InviteeDiscount), 2, MidpointRounding.AwayFromZero);
            return Math.Min(price, Math.Max(reduced, rules.InviteePayableMinimum));
        }

        return decimal.Round(price * (1 - rate), 2, MidpointRounding.AwayFromZero);
    }
}
