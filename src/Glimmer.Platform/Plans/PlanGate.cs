using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Plans;

/// <summary>What pays for a call, or why it may not run.</summary>
/// <param name="Subscriber">Whose plan pays; null when the balance does.</param>
/// <param name="Receipt">What was taken from the plan's windows.</param>
/// <param name="Concurrency">Requests that the plan may have in flight now; 0 when the balance pays.</param>
/// <param name="Error">1113, 1308 to 1311 or 1313; null when it may run.</param>
public readonly record struct PlanDecision(Subscriber? Subscriber, QuotaReceipt Receipt, int Concurrency, PlatformError? Error)
{
    /// <summary>The balance pays.</summary>
    public static PlanDecision Balance { get; }

    /// <summary>Whether a plan pays.</summary>
    public bool IsPlan => Subscriber is not null;

    internal static PlanDecision Refuse(PlatformError error) => new(null, default, 0, error);
}

/// <summary>An account with a plan: its subscription and what it used.</summary>
public sealed class Subscriber
{
    internal Subscriber(string account, TimeSpan window)
    {
        Account = account;
        Meter = new QuotaMeter(window);
    }

    /// <summary>The account.</summary>
    public string Account { get; }

    /// <summary>Its subscription.</summary>
    public Subscription Subscription
    {
        get => Volatile.Read(ref field);
        internal set => Volatile.Write(ref field, value);
    } = Subscription.None;

    internal Lock Gate { get; } = new();

    internal QuotaMeter Meter { get; }

    /// <summary>Calls that the cut rate of fair use still lets pass, and when they were counted last.</summary>
    internal double FairUseTokens { get; set; } = 1;

    internal DateTimeOffset FairUseAt { get; set; }
}

/// <summary>
/// Decides for every call whether a plan pays for it, and keeps what plans used. In memory; one short lock per account and no
/// allocation for a call that may run. Used-up quota never falls back to the balance.
/// </summary>
public sealed class PlanGate(PlanRules initial)
{
    private readonly ConcurrentDictionary<string, Subscriber> _subscribers = new(StringComparer.Ordinal);
    private volatile PlanRules _rules = initial;

    /// <summary>The rules in force. Setting them changes every later call; what was used stays used.</summary>
    public PlanRules Rules
    {
        get => _rules;
        set
        {
            _rules = value;
            foreach (Subscriber subscriber in _subscribers.Values)
            {
                lock (subscriber.Gate)
                    subscriber.Meter.Length = value.Window;
            }
        }
    }

    /// <summary>All accounts that ever had a plan.</summary>
    public ICollection<Subscriber> Subscribers => _subscribers.Values;

    /// <summary>The account's subscription; <see cref="Subscription.None"/> when it never had one.</summary>
    public Subscription Of(string account) => _subscribers.TryGetValue(account, out Subscriber? found) ? found.Subscription : Subscription.None;

    /// <summary>Applies an event that has been stored.</summary>
    public Subscription Apply(string account, SubscriptionEvent item)
    {
        PlanRules rules = _rules;
        Subscriber subscriber = _subscribers.GetOrAdd(account, static (id, window) => new Subscriber(id, window), rules.Window);
        lock (subscriber.Gate)
            return subscriber.Subscription = subscriber.Subscription.Apply(item, rules);
    }

    /// <summary>Forgets an account: it was deleted.</summary>
    public void Remove(string account) => _subscribers.TryRemove(account, out _);

    /// <summary>Decides what pays for a call and takes its quota; give it back with <see cref="Release"/> when the call made nothing.</summary>
    /// <param name="account">The account.</param>
    /// <param name="model">The model's code, lower case.</param>
    /// <param name="surface">The base it came by.</param>
    /// <param name="now">The moment.</param>
    /// <param name="free">Whether nothing is charged on this server: then accounts without a running plan are never refused.</param>
    public PlanDecision Admit(string account, string model, ApiSurface surface, DateTimeOffset now, bool free = false)
    {
        PlanRules rules = _rules;
        if (surface == ApiSurface.General)
            return PlanDecision.Balance;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription is { Terms.IsEmpty: true })
            return free || rules.BalanceWithoutPlan ? PlanDecision.Balance : PlanDecision.Refuse(PlatformError.Of(BusinessCode.AccountInArrears));
        Subscription subscription = subscriber.Subscription;
        if (subscription.Banned)
            return PlanDecision.Refuse(PlatformError.Of(BusinessCode.FairUse));
        if (subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return free ? PlanDecision.Balance : PlanDecision.Refuse(PlatformError.Of(BusinessCode.PlanExpired));
        if (!plan.Surfaces.Contains(surface))
            return PlanDecision.Balance;
        if (!plan.Models.Contains(model) && !plan.ToolModels.Contains(model))
            return PlanDecision.Refuse(PlatformError.Of(BusinessCode.PlanModelDenied, model));

        (DateTimeOffset weekStart, long? weekLimit) = Week(rules, subscription, term, plan, now);
        QuotaLimit limit;
        QuotaReceipt receipt;
        DateTimeOffset resetsAt;
        lock (subscriber.Gate)
        {
            if (now < subscription.RestrictedUntil && !TakeFairUse(subscriber, rules.FairUse.CallsPerMinute, now))
                return PlanDecision.Refuse(PlatformError.Of(BusinessCode.FairUse) with { RetryAfter = TimeSpan.FromMinutes(1.0 / rules.FairUse.CallsPerMinute) });
            limit = subscriber.Meter.Take(now, rules.UnitsOf(model, now), plan.WindowUnits, weekLimit, weekStart, rules.Week, out receipt, out resetsAt);
        }

        return limit switch
        {
            QuotaLimit.None => new PlanDecision(subscriber, receipt, rules.ConcurrencyOf(plan, now), null),
            QuotaLimit.Window => PlanDecision.Refuse(WindowError(rules, resetsAt, now)),
            _ => PlanDecision.Refuse(LimitError(rules, resetsAt, now)),
        };
    }

    /// <summary>Gives back what a call took: it made nothing.</summary>
    public void Release(in PlanDecision decision)
    {
        if (decision.Subscriber is not { } subscriber)
            return;
        lock (subscriber.Gate)
            subscriber.Meter.Release(decision.Receipt);
    }

    /// <summary>
    /// Takes one call of a remote tool (search, reader, repositories) from the month's pool: 1309 without a running plan, 1310 when
    /// the pool is empty. Null when it may run.
    /// </summary>
    public PlatformError? AdmitTool(string account, string tool, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription is { Terms.IsEmpty: true })
            return PlatformError.Of(BusinessCode.AccountInArrears);
        Subscription subscription = subscriber.Subscription;
        if (subscription.Banned)
            return PlatformError.Of(BusinessCode.FairUse);
        if (subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return PlatformError.Of(BusinessCode.PlanExpired);
        (DateTimeOffset start, DateTimeOffset end) = Month(rules, subscription, now);
        lock (subscriber.Gate)
        {
            return subscriber.Meter.TakeTool(tool, plan.ToolCalls, start) == QuotaLimit.None ? null : LimitError(rules, end, now);
        }
    }

    /// <summary>Gives a tool call back: it failed.</summary>
    public void ReleaseTool(string account, string tool, DateTimeOffset now)
    {
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is null)
            return;
        lock (subscriber.Gate)
            subscriber.Meter.ReleaseTool(tool, Month(_rules, subscriber.Subscription, now).Start);
    }

    /// <summary>Notes usage from before a restart, oldest first.</summary>
    public void Restore(string account, DateTimeOffset at, long units, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return;
        DateTimeOffset start = Week(rules, subscriber.Subscription, term, plan, now).Start;
        lock (subscriber.Gate)
            subscriber.Meter.Restore(at, units, start);
    }

    /// <summary>Notes a tool call from before a restart.</summary>
    public void RestoreTool(string account, string tool, DateTimeOffset at, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is null)
            return;
        (DateTimeOffset start, _) = Month(rules, subscriber.Subscription, now);
        lock (subscriber.Gate)
        {
            if (at >= start)
                subscriber.Meter.TakeTool(tool, int.MaxValue, start);
        }
    }

    /// <summary>How an account stands; null without a running plan.</summary>
    public PlanStanding? Standing(string account, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return null;
        (DateTimeOffset weekStart, long? weekLimit) = Week(rules, subscriber.Subscription, term, plan, now);
        (DateTimeOffset monthStart, DateTimeOffset monthEnd) = Month(rules, subscriber.Subscription, now);
        var tools = new SortedDictionary<string, int>(StringComparer.Ordinal);
        lock (subscriber.Gate)
        {
            return new PlanStanding(
                plan,
                term,
                subscriber.Meter.Window(now, plan.WindowUnits),
                subscriber.Meter.Week(weekStart, rules.Week, weekLimit),
                subscriber.Meter.Month(monthStart, monthEnd, plan.ToolCalls, tools),
                tools);
        }
    }

    private static (DateTimeOffset Start, long? Limit) Week(PlanRules rules, Subscription subscription, PlanTerm term, Plan plan, DateTimeOffset now)
    {
        DateTimeOffset anchor = subscription.WeekAnchorAt(now) ?? term.Start;
        DateTimeOffset start = anchor + TimeSpan.FromTicks((now - anchor).Ticks / rules.Week.Ticks * rules.Week.Ticks);
        bool limited = true;
        if (term.Cohort is { } name)
        {
            foreach (PlanCohort cohort in rules.Cohorts)
            {
                if (cohort.Name == name)
                    limited = cohort.WeekLimit;
            }
        }

        return (start, limited ? plan.WeekUnits : null);
    }

    private static (DateTimeOffset Start, DateTimeOffset End) Month(PlanRules rules, Subscription subscription, DateTimeOffset now)
    {
        int month = rules.Calendar.MonthOf(subscription.Anchor, now);
        return (rules.Calendar.AddMonths(subscription.Anchor, month), rules.Calendar.AddMonths(subscription.Anchor, month + 1));
    }

    private static bool TakeFairUse(Subscriber subscriber, int perMinute, DateTimeOffset now)
    {
        double tokens = Math.Min(1, subscriber.FairUseTokens + (Math.Max(0, (now - subscriber.FairUseAt).TotalMinutes) * perMinute));
        subscriber.FairUseAt = now;
        subscriber.FairUseTokens = tokens < 1 ? tokens : 0;
        return tokens >= 1;
    }

    private static PlatformError WindowError(PlanRules rules, DateTimeOffset resetsAt, DateTimeOffset now)
    {
        string hours = rules.Window.TotalHours.ToString("0.##", CultureInfo.InvariantCulture);
        string at = rules.Calendar.Write(resetsAt);
        return PlatformError.Of(BusinessCode.UsageLimitReached, $"{hours} hour", at) with
        {
            Chinese = PlatformError.Of(BusinessCode.UsageLimitReached, $"{hours} 小时", at).Chinese,
            RetryAfter = resetsAt - now,
        };
    }

    private static PlatformError LimitError(PlanRules rules, DateTimeOffset resetsAt, DateTimeOffset now) =>
        PlatformError.Of(BusinessCode.PlanLimitExhausted, rules.Calendar.Write(resetsAt)) with { RetryAfter = resetsAt - now };
}

/// <summary>How an account's plan stands.</summary>
/// <param name="Plan">The plan.</param>
/// <param name="Term">The running term.</param>
/// <param name="Window">The rolling window, in quota units.</param>
/// <param name="Week">The week, in quota units.</param>
/// <param name="Month">The month's tool calls.</param>
/// <param name="Tools">Each tool's calls of the month.</param>
public sealed record PlanStanding(Plan Plan, PlanTerm Term, QuotaStanding Window, QuotaStanding Week, QuotaStanding Month, IReadOnlyDictionary<string, int> Tools);
