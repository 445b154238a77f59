using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Plans;

/// <summary>What an order came to.</summary>
/// <param name="Quote">What it does and costs; null when it was refused.</param>
/// <param name="Error">Why it was refused: 1113 when the funds do not suffice, 1214 for what is not sold.</param>
public readonly record struct OrderResult(OrderQuote? Quote, PlatformError? Error);

/// <summary>
/// Orders, renewals and all other facts of coding plans: moves the money in the ledger, stores the event, then lets <see cref="PlanGate"/>
/// know. Follows the store, so that several nodes agree. Money moves first and under an id made of the order: an order that is repeated
/// after a crash in between is not paid twice.
/// </summary>
public sealed class Subscriptions : IDisposable
{
    private const string Topic = "plans";
    private static readonly TimeSpan LongestMonth = TimeSpan.FromDays(31);
    private readonly PlatformStore _store;
    private readonly PlatformLedger _ledger;
    private readonly PlanGate _gate;
    private readonly Invitations? _invitations;
    private readonly IDisposable _watch;
    private readonly Lock _refreshing = new();
    private readonly ConcurrentDictionary<string, long> _numbers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _turns = new(StringComparer.Ordinal);
    private long _version;

    private Subscriptions(PlatformStore store, PlatformLedger ledger, PlanGate gate, Invitations? invitations)
    {
        _invitations = invitations;
        _store = store;
        _ledger = ledger;
        _gate = gate;
        Refresh();
        RestoreUsage();
        _watch = store.Changes.Watch(Topic, Volatile.Read(ref _version), _ => Refresh());
    }

    /// <summary>Reads all subscriptions and what was used of their windows.</summary>
    /// <param name="store">The store.</param>
    /// <param name="ledger">What pays.</param>
    /// <param name="gate">Learns of everything.</param>
    /// <param name="invitations">Makes first orders of invited accounts cheaper and rewards who invited them; null for neither.</param>
    public static Subscriptions Open(PlatformStore store, PlatformLedger ledger, PlanGate gate, Invitations? invitations = null) => new(store, ledger, gate, invitations);

    /// <summary>Orders a plan: pays it from credits, then cash, and lets it begin as its quote says.</summary>
    /// <param name="account">The account.</param>
    /// <param name="plan">Code of the plan.</param>
    /// <param name="cycle">Cycle.</param>
    /// <param name="currency">Currency of the account.</param>
    /// <param name="author">Who orders, for the history.</param>
    /// <param name="autoRenew">Whether it renews.</param>
    public Task<OrderResult> OrderAsync(string account, string plan, PlanCycle cycle, Currency currency, string author, bool autoRenew = true) =>
        InTurnAsync(account, async number =>
        {
            bool invited = _invitations is not null && !_gate.Of(account).EverPaid && await _invitations.IsInTimeAsync(account);
            (OrderQuote? quote, PlatformError? error) = new SubscriptionDesk(_gate.Rules).Order(_gate.Of(account), plan, cycle, currency.Code, Now, autoRenew, invited);
            if (quote is null)
                return new OrderResult(null, error);
            return await PayAsync(account, number, quote, currency, author) ? new OrderResult(quote, null) : new OrderResult(null, PlatformError.Of(BusinessCode.AccountInArrears));
        });

    /// <summary>Cancels renewal; false when it is not on.</summary>
    public Task<bool> CancelAsync(string account, string author) =>
        InTurnAsync(account, async number =>
        {
            if (new SubscriptionDesk(_gate.Rules).Cancel(_gate.Of(account), Now) is not { } item)
                return false;
            await StoreAsync(account, number, [item], author);
            return true;
        });

    /// <summary>Notes a fact that moves no money: renewal switched on, free months, discounts, strikes, appeals and their decisions.</summary>
    /// <exception cref="ArgumentException">The event is one that is paid.</exception>
    public Task AddAsync(string account, SubscriptionEvent item, string author)
    {
        ArgumentNullException.ThrowIfNull(item);
        if (item.Kind is SubscriptionEventKind.Ordered or SubscriptionEventKind.Upgraded or SubscriptionEventKind.Renewed)
            throw new ArgumentException($"{item.Kind} is paid; order it.", nameof(item));
        return InTurnAsync(account, async number =>
        {
            await StoreAsync(account, number, [item], author);
            return true;
        });
    }

    /// <summary>Renews what is due and does what the passing of time brings; gives how many subscriptions changed.</summary>
    public async Task<int> RunDueAsync()
    {
        int changed = 0;
        foreach (Subscriber subscriber in _gate.Subscribers)
        {
            var desk = new SubscriptionDesk(_gate.Rules);
            if (desk.Renewal(subscriber.Subscription, Now) is null && desk.Passing(subscriber.Subscription, Now).Count == 0)
                continue;
            changed += await InTurnAsync(subscriber.Account, number => RunDueAsync(subscriber.Account, number)) ? 1 : 0;
        }

        return changed;
    }

    /// <summary>Everything that happened to an account's plan, oldest first, with who did it.</summary>
    public async Task<IReadOnlyList<(SubscriptionEvent Event, string Author)>> HistoryAsync(string account, CancellationToken cancel = default)
    {
        List<EventRow> rows = await _store.ReadAsync(
            session => session.List<EventRow>("SELECT account, number, event, author, version FROM plan_events WHERE account = @account ORDER BY number", new { account }), cancel: cancel);
        return [.. rows.Select(row => (SubscriptionEvent.FromJson(row.Event), row.Author))];
    }

    /// <inheritdoc/>
    public void Dispose() => _watch.Dispose();

    private DateTimeOffset Now => _store.Time.GetUtcNow();

    private async Task<bool> RunDueAsync(string account, long number)
    {
        // Looked at again, now that it is this account's turn.
        var desk = new SubscriptionDesk(_gate.Rules);
        Subscription state = _gate.Of(account);
        if (desk.Passing(state, Now) is { Count: > 0 } passing)
        {
            await StoreAsync(account, number, passing, "clock");
            return true;
        }

        if (desk.Renewal(state, Now) is not { } renewal || !Currency.TryParse(state.Currency, out Currency currency))
            return false;
        if (!await PayAsync(account, number, renewal, currency, "clock"))
            await StoreAsync(account, number, [new SubscriptionEvent(SubscriptionEventKind.RenewalFailed, Now)], "clock");
        return true;
    }

    private async Task<bool> PayAsync(string account, long number, OrderQuote quote, Currency currency, string author)
    {
        SubscriptionEvent item = quote.Event;
        string id = string.Create(CultureInfo.InvariantCulture, $"plan:{account}:{number}:{item.Kind}:{item.Plan}:{item.Cycle}:{quote.Due}");
        string memo = $"{item.Plan} {item.Cycle}".ToLowerInvariant();
        bool first = !_gate.Of(account).EverPaid;
        Money cash = Money.Zero(currency);
        if (quote.Due > 0)
        {
            Purchase purchase = await _ledger.BuyPlanAsync(account, Money.Of(quote.Due, currency), id, memo);
            if (purchase.State == PostingState.Refused)
                return false;
            cash = purchase.Cash;
        }

        try
        {
            await StoreAsync(account, number, [item], author);
        }
        catch (Exception fault) when (StoreDialect.IsDuplicate(fault))
        {
            // Another node was first: nothing was ordered, so nothing is paid.
            if (quote.Due > 0)
                await _ledger.RefundChargeAsync(account, Money.Of(quote.Due, currency), id + ":refund", memo);
            throw;
        }

        if (first && _invitations is not null)
            await _invitations.OrderedAsync(account, id, cash);
        if (quote.CreditBack > 0)
            await _ledger.GrantAsync(account, Money.Of(quote.CreditBack, currency), id + ":rest", source: CreditSource.PlanValue, memo: memo);
        return true;
    }

    private async Task StoreAsync(string account, long number, IReadOnlyList<SubscriptionEvent> items, string author)
    {
        await _store.WriteAsync(session =>
        {
            long version = session.NextVersion(Topic);
            for (int i = 0; i < items.Count; i++)
            {
                session.Execute(
                    "INSERT INTO plan_events (account, number, at, event, author, version) VALUES (@account, @number, @at, @text, @author, @version)",
                    new { account, number = number + i, at = items[i].At.ToUnixTimeMilliseconds(), text = items[i].ToJson(), author, version });
            }

            return version;
        });
        Refresh();
    }

    /// <summary>One change of an account at a time; the number is that of its next event.</summary>
    private async Task<T> InTurnAsync<T>(string account, Func<long, Task<T>> change)
    {
        SemaphoreSlim turn = _turns.GetOrAdd(account, static _ => new SemaphoreSlim(1));
        await turn.WaitAsync();
        try
        {
            for (int attempt = 0; ; attempt++)
            {
                try
                {
                    return await change(_numbers.GetValueOrDefault(account) + 1);
                }
                catch (Exception fault) when (attempt < 3 && StoreDialect.IsDuplicate(fault))
                {
                    Refresh();
                }
            }
        }
        finally
        {
            turn.Release();
        }
    }

    private void Refresh()
    {
        lock (_refreshing)
        {
            long known = _version;
            List<EventRow> rows = _store.Read(session =>
                session.List<EventRow>("SELECT account, number, event, author, version FROM plan_events WHERE version > @known ORDER BY version, account, number", new { known }));
            foreach (EventRow row in rows)
            {
                _gate.Apply(row.Account, SubscriptionEvent.FromJson(row.Event));
                _numbers[row.Account] = row.Number;
                Volatile.Write(ref _version, row.Version);
            }
        }
    }

    /// <summary>Fills the windows from the usage of the last week, and the pool of tools from that of the last month.</summary>
    private void RestoreUsage()
    {
        DateTimeOffset now = Now;
        TimeSpan back = _gate.Rules.Week > _gate.Rules.Window ? _gate.Rules.Week : _gate.Rules.Window;
        if (back < LongestMonth)
            back = LongestMonth;
        foreach (Subscriber subscriber in _gate.Subscribers)
        {
            if (subscriber.Subscription.TermAt(now) is null)
                continue;
            List<UsageRow> rows = _store.Read(session => session.List<UsageRow>(
                "SELECT u.at AS at, u.plan_units AS units, n.name AS model FROM ledger_usage u JOIN ledger_names n ON n.id = u.model "
                + "WHERE u.account = (SELECT id FROM ledger_names WHERE name = @name) AND u.at > @since AND u.mode = @mode AND (u.plan_units > 0 OR u.searches > 0 OR u.tools > 0) ORDER BY u.at",
                new { name = subscriber.Account, since = (now - back).ToUnixTimeMilliseconds(), mode = (long)ChargeMode.Plan }));
            foreach (UsageRow row in rows)
            {
                var at = DateTimeOffset.FromUnixTimeMilliseconds(row.At);
                if (row.Units == 0)
                    _gate.RestoreTool(subscriber.Account, row.Model, at, now);
                else
                    _gate.Restore(subscriber.Account, at, row.Units, now);
            }
        }
    }

    private sealed record EventRow
    {
        public string Account { get; init; } = "";

        public long Number { get; init; }

        public string Event { get; init; } = "";

        public string Author { get; init; } = "";

        public long Version { get; init; }
    }

    private sealed record UsageRow
    {
        public long At { get; init; }

        public long Units { get; init; }

        public string Model { get; init; } = "";
    }
}
