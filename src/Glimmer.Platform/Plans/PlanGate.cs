using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
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

    /// <summary>The slice that had too little, when the limit itself may have more.</summary>
    internal Slice? Dry { get; init; }

    internal static PlanDecision Refuse(PlatformError error, Slice? dry = null) => new(null, default, 0, error) { Dry = dry };
}

/// <summary>An account with a plan: its subscription and what it used.</summary>
public sealed class Subscriber
{
    internal Subscriber(string account, TimeSpan window, SliceTrader? slices, TimeProvider time)
    {
        Account = account;
        Meter = new QuotaMeter(window);
        if (slices is null)
            return;
        Slices = new SubscriberSlices(slices, account);
        Settling = () =>
        {
            lock (Gate)
                Slices.Freed(Meter.TakeFreed(time.GetUtcNow()));
        };
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

    /// <summary>Parts of what the plan gives that this node may use; null where nobody shares it.</summary>
    internal SubscriberSlices? Slices { get; }

    /// <summary>Gives back what time has freed.</summary>
    internal Action Settling { get; } = static () => { };

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
    private readonly SliceTrader? _slices;
    private readonly NodeShare? _nodes;
    private readonly TimeProvider _time = TimeProvider.System;

    /// <summary>On a node that shares limits with others.</summary>
    public PlanGate(PlanRules initial, NodeShare? nodes, TimeProvider time)
        : this(initial, nodes?.Trader, time) => _nodes = nodes;

    internal PlanGate(PlanRules initial, SliceTrader? slices, TimeProvider time)
        : this(initial)
    {
        _slices = slices;
        _time = time;
    }

    // How long a call waits when other nodes hold what is left of a window.
    private static readonly TimeSpan ElsewhereFrees = TimeSpan.FromMinutes(1);

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
        Subscriber subscriber = _subscribers.GetOrAdd(account, id => new Subscriber(id, rules.Window, _slices, _time));
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
        Slice? dry = null;
        lock (subscriber.Gate)
        {
            if (now < subscription.RestrictedUntil && !TakeFairUse(subscriber, rules.FairUse.CallsPerMinute, now, out dry))
                return PlanDecision.Refuse(PlatformError.Of(BusinessCode.FairUse) with { RetryAfter = TimeSpan.FromMinutes(1.0 / rules.FairUse.CallsPerMinute) }, dry);
            long units = rules.UnitsOf(model, now);
            limit = subscriber.Meter.Take(now, units, plan.WindowUnits, weekLimit, weekStart, rules.Week, out receipt, out resetsAt);
            if (subscriber.Slices is { } slices)
            {
                slices.Freed(subscriber.Meter.TakeFreed(now));
                if (limit == QuotaLimit.None && (dry = slices.Take(new PlanWindow(rules.Window, plan.WindowUnits, weekStart, rules.Week, weekLimit), units, subscriber.Settling, out limit)) is not null)
                {
                    // Others use the rest; when theirs frees is not known here.
                    subscriber.Meter.Release(receipt);
                    resetsAt = limit == QuotaLimit.Week ? weekStart + rules.Week : now + ElsewhereFrees;
                }
            }
        }

        if (dry is { IsUsedUp: false })
            return PlanDecision.Refuse(SlicePlaces.Elsewhere(dry), dry);
        return limit switch
        {
            QuotaLimit.None => new PlanDecision(subscriber, receipt, rules.ConcurrencyOf(plan, now), null),
            QuotaLimit.Window => PlanDecision.Refuse(WindowError(rules, resetsAt, now), dry),
            _ => PlanDecision.Refuse(LimitError(rules, resetsAt, now), dry),
        };
    }

    /// <summary>Gives back what a call took: it made nothing.</summary>
    public void Release(in PlanDecision decision)
    {
        if (decision.Subscriber is not { } subscriber)
            return;
        lock (subscriber.Gate)
        {
            (long window, long week) = subscriber.Meter.Release(decision.Receipt);
            subscriber.Slices?.Give(window, week, decision.Receipt.Week);
        }
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
            if (subscriber.Meter.TakeTool(tool, plan.ToolCalls, start) != QuotaLimit.None)
                return LimitError(rules, end, now);
            if (subscriber.Slices?.Month(start, end, plan.ToolCalls) is not { } month || month.TryTake(1))
                return null;
            subscriber.Meter.ReleaseTool(tool, start);
            return month.IsUsedUp ? LimitError(rules, end, now) : SlicePlaces.Elsewhere(month);
        }
    }

    /// <summary>Gives a tool call back: it failed.</summary>
    public void ReleaseTool(string account, string tool, DateTimeOffset now)
    {
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is null)
            return;
        (DateTimeOffset start, DateTimeOffset end) = Month(_rules, subscriber.Subscription, now);
        lock (subscriber.Gate)
        {
            if (subscriber.Meter.ReleaseTool(tool, start) && subscriber.Slices is { } slices && subscriber.Subscription.TermAt(now) is { } term && _rules.Find(term.Plan) is { } plan)
                slices.Month(start, end, plan.ToolCalls).Give(1);
        }
    }

    /// <summary>Notes usage from before a restart, oldest first.</summary>
    public void Restore(string account, DateTimeOffset at, long units, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return;
        if (_slices is { IsShared: true })
            return;   // the nodes that live hold it
        (DateTimeOffset start, long? limit) = Week(rules, subscriber.Subscription, term, plan, now);
        lock (subscriber.Gate)
        {
            subscriber.Meter.Restore(at, units, start);
            subscriber.Slices?.Note(new PlanWindow(rules.Window, plan.WindowUnits, start, rules.Week, limit), units, at >= start, subscriber.Settling);
        }
    }

    /// <summary>Notes a tool call from before a restart.</summary>
    public void RestoreTool(string account, string tool, DateTimeOffset at, DateTimeOffset now)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is null)
            return;
        if (_slices is { IsShared: true })
            return;
        (DateTimeOffset start, DateTimeOffset end) = Month(rules, subscriber.Subscription, now);
        lock (subscriber.Gate)
        {
            if (at < start)
                return;
            subscriber.Meter.TakeTool(tool, int.MaxValue, start);
            if (subscriber.Slices is { } slices && subscriber.Subscription.TermAt(now) is { } term && rules.Find(term.Plan) is { } plan)
                slices.Month(start, end, plan.ToolCalls).Note(1);
        }
    }

    /// <summary>
    /// How an account stands over all nodes; null without a running plan. What other nodes hold is asked of the database, also where this one has had nothing to do with the account, and
    /// counts as used: about an eighth of a limit more than they use, nothing half a minute after they used the account last. While the database is away, it is what this node heard
    /// last of windows, week and month, and none in flight elsewhere.
    /// </summary>
    public async Task<PlanStanding?> StandingAsync(string account, DateTimeOffset now, CancellationToken cancel = default)
    {
        PlanRules rules = _rules;
        if (_nodes is not { IsShared: true } || !_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return Standing(account, now);
        string window = SlicePlaces.WindowId(account);
        string week = SlicePlaces.WeekId(account, Week(rules, subscriber.Subscription, term, plan, now).Start);
        string month = SlicePlaces.MonthId(account, Month(rules, subscriber.Subscription, now).Start);
        try
        {
            string places = SlicePlaces.PlanId(account);
            Dictionary<string, long> units = await _nodes.ReadElsewhereAsync([window, week, month, places], cancel);
            PlanStanding? standing = Standing(account, now, (units.GetValueOrDefault(window), units.GetValueOrDefault(week), units.GetValueOrDefault(month)));
            return standing is null ? null : standing with { InFlightElsewhere = units.GetValueOrDefault(places) };
        }
        catch (StoreAwayException)
        {
            return Standing(account, now);
        }
    }

    /// <summary>How an account stands as far as this node knows, in memory; null without a running plan.</summary>
    public PlanStanding? Standing(string account, DateTimeOffset now) => Standing(account, now, null);

    private PlanStanding? Standing(string account, DateTimeOffset now, (long Window, long Week, long Month)? elsewhere)
    {
        PlanRules rules = _rules;
        if (!_subscribers.TryGetValue(account, out Subscriber? subscriber) || subscriber.Subscription.TermAt(now) is not { } term || rules.Find(term.Plan) is not { } plan)
            return null;
        (DateTimeOffset weekStart, long? weekLimit) = Week(rules, subscriber.Subscription, term, plan, now);
        (DateTimeOffset monthStart, DateTimeOffset monthEnd) = Month(rules, subscriber.Subscription, now);
        var tools = new SortedDictionary<string, int>(StringComparer.Ordinal);
        lock (subscriber.Gate)
        {
            (long window, long week, long month) = elsewhere ?? subscriber.Slices?.Elsewhere ?? default;
            return new PlanStanding(
                plan,
                term,
                With(subscriber.Meter.Window(now, plan.WindowUnits), window),
                With(subscriber.Meter.Week(weekStart, rules.Week, weekLimit), week),
                With(subscriber.Meter.Month(monthStart, monthEnd, plan.ToolCalls, tools), month),
                tools)
            {
                Concurrency = rules.ConcurrencyOf(plan, now),
            };
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

    private static QuotaStanding With(QuotaStanding here, long elsewhere) => here with { Used = Math.Min(here.Used + elsewhere, Math.Max(here.Used, here.Limit ?? long.MaxValue)) };

    private bool TakeFairUse(Subscriber subscriber, int perMinute, DateTimeOffset now, out Slice? dry)
    {
        dry = null;
        if (_slices is { IsShared: true } shared)
        {
            Slice rate = SlicePlaces.OfFairUse(shared, subscriber.Account, perMinute);
            if (rate.TryTake(1))
                return true;
            dry = rate;
            return false;
        }

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
public sealed record PlanStanding(Plan Plan, PlanTerm Term, QuotaStanding Window, QuotaStanding Week, QuotaStanding Month, IReadOnlyDictionary<string, int> Tools)
{
    /// <summary>Places in flight that other nodes hold of the plan.</summary>
    public long InFlightElsewhere { get; init; }

    /// <summary>Requests that the plan may have in flight now.</summary>
    public int Concurrency { get; init; }
}
