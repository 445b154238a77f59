using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Ledger;

/// <summary>What became of a transaction.</summary>
public enum PostingState
{
    /// <summary>It was booked and is durable.</summary>
    Booked,

    /// <summary>One of the same id was booked before; nothing was changed.</summary>
    BookedBefore,

    /// <summary>There are not the funds for it, or a condition does not hold; nothing was changed.</summary>
    Refused,
}

/// <summary>What credits come from.</summary>
public enum CreditSource
{
    /// <summary>A gift: welcome, invitation, campaign.</summary>
    Promotion,

    /// <summary>What an ended plan was still worth.</summary>
    PlanValue,

    /// <summary>Charges given back.</summary>
    ChargeRefund,
}

/// <summary>What a purchase took.</summary>
/// <param name="State">Whether it was booked.</param>
/// <param name="Credits">From credits.</param>
/// <param name="Cash">From cash.</param>
public readonly record struct Purchase(PostingState State, Money Credits, Money Cash);

/// <summary>A pack on offer: so many units of use for a price.</summary>
/// <param name="Quantity">Units of use, e.g. tokens; 1 to 10¹⁵.</param>
/// <param name="Price">What it costs; may be nothing.</param>
/// <param name="Scope">What it pays for.</param>
/// <param name="Lifetime">How long it can be used.</param>
public sealed record PackOffer(long Quantity, Money Price, PackScope Scope, TimeSpan Lifetime);

/// <summary>Money that moves outside requests. Every method takes an id that makes it happen once, also across restarts and nodes.</summary>
public sealed partial class PlatformLedger
{
    /// <summary>Books a recharge: cash that came in from outside.</summary>
    public Task<PostingState> DepositAsync(string accountId, Money amount, string id, string memo = "", string reference = "") =>
        DepositAsync(accountId, amount, id, memo, reference, guard: null);

    /// <summary>Grants credits.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="amount">How much; above nothing.</param>
    /// <param name="id">Makes it happen once.</param>
    /// <param name="expires">When what is left of them expires; null for never.</param>
    /// <param name="source">What they come from.</param>
    /// <param name="memo">Shown in the history.</param>
    public async Task<PostingState> GrantAsync(
        string accountId, Money amount, string id, DateTimeOffset? expires = null, CreditSource source = CreditSource.Promotion, string memo = "")
    {
        Positive(amount);
        ThrowIfAway();
        long now = Now;
        var lot = new Lot(NextId(), LotKind.Credit, amount.Units, 0, now, expires?.ToUnixTimeMilliseconds() ?? Lot.Never, null);
        Book book = source switch { CreditSource.PlanValue => Book.PlanRevenue, CreditSource.ChargeRefund => Book.Refund, _ => Book.Promotion };
        return Public(await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = source == CreditSource.ChargeRefund ? TransactionKind.ChargeRefund : TransactionKind.Grant,
            Wallet = WalletOf(accountId, amount.Currency),
            At = now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Gifts = [new PostingGift(lot, amount.Units)],
            Others = [(book, -amount.Units)],
        }));
    }

    /// <summary>Gives a charge back to the cash.</summary>
    public async Task<PostingState> RefundChargeAsync(string accountId, Money amount, string id, string memo = "")
    {
        Positive(amount);
        ThrowIfAway();
        Wallet wallet = WalletOf(accountId, amount.Currency);
        return Public(await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = TransactionKind.ChargeRefund,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Gifts = [new PostingGift(wallet.Cash, amount.Units)],
            Others = [(Book.Refund, -amount.Units)],
        }));
    }

    /// <summary>Takes the price of a plan out of credits, then cash, if the funds suffice; never takes a part.</summary>
    public Task<Purchase> BuyPlanAsync(string accountId, Money price, string id, string memo = "") =>
        BuyAsync(accountId, price, id, memo, TransactionKind.PlanPurchase, [], [(Book.PlanRevenue, price.Units)]);

    /// <summary>Sells a pack for credits, then cash, if the funds suffice. A pack that costs nothing is given.</summary>
    public Task<Purchase> BuyPackAsync(string accountId, PackOffer offer, string id, string memo = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(offer.Quantity, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offer.Quantity, 1_000_000_000_000_000);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(offer.Lifetime, TimeSpan.Zero);
        long now = Now;
        long price = offer.Price.Units;
        var lot = new Lot(NextId(), LotKind.Pack, price, offer.Quantity, now, now + (long)offer.Lifetime.TotalMilliseconds, offer.Scope);
        return BuyAsync(accountId, offer.Price, id, memo, TransactionKind.PackPurchase, [new PostingGift(lot, price, offer.Quantity)], []);
    }

    /// <summary>A correction of the cash by an administrator, either way; may take it below nothing.</summary>
    public async Task<PostingState> AdjustAsync(string accountId, Money amount, string id, string memo)
    {
        ThrowIfAway();
        Wallet wallet = WalletOf(accountId, amount.Currency);
        var posting = new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = TransactionKind.Adjustment,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Gifts = [new PostingGift(wallet.Cash, amount.Units)],
            Others = [(Book.Adjustment, -amount.Units)],
        };
        return Public(await _pump.Add(posting));
    }

    /// <summary>Takes back what is left of a grant, at most an amount; gives what was taken.</summary>
    public async Task<Money> ClawBackAsync(string accountId, string grantId, Money most, string id, string memo = "")
    {
        Positive(most);
        Wallet wallet = WalletOf(accountId, most.Currency);
        long? lotId = await _store.ReadAsync(session => session.Scalar<long?>(
            "SELECT e.lot FROM ledger_transactions t JOIN ledger_entries e ON e.seq = t.seq WHERE t.id = @grantId AND t.account = @accountId AND e.book = 2", new { grantId, accountId }));
        if (lotId is null || wallet.Find(lotId.Value) is not { } lot)
            return Money.Zero(most.Currency);
        Draw draw = wallet.TakeFrom(lot, most.Units);
        if (draw.Units == 0)
            return Money.Zero(most.Currency);
        PostingOutcome outcome = await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = TransactionKind.ClawBack,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Reference = Id(grantId),
            Draws = [draw],
            Others = [(Book.Promotion, draw.Units)],
        });
        return outcome == PostingOutcome.Stored ? Money.FromUnits(draw.Units, most.Currency) : Money.Zero(most.Currency);
    }

    /// <summary>Books the expiry of credits and packs that ran out; gives how many.</summary>
    public async Task<int> SweepAsync()
    {
        long now = Now;
        var work = new List<Task<PostingOutcome>>();
        foreach (Wallet wallet in _wallets.Values)
        {
            var expired = new List<Lot>();
            wallet.Sweep(now, expired);
            foreach (Lot lot in expired)
            {
                Draw draw = wallet.TakeFrom(lot, long.MaxValue);
                if (draw is { Units: 0, Quantity: 0 })
                    continue;
                work.Add(_pump.Add(new Posting
                {
                    Seq = NextId(),
                    Id = $"expiry:{lot.Id}:{draw.Units}:{draw.Quantity}",
                    Kind = TransactionKind.Expiry,
                    Wallet = wallet,
                    At = now,
                    Draws = [draw],
                    Others = draw.Units == 0 ? [] : [(Book.Breakage, draw.Units)],
                }));
            }
        }

        await Task.WhenAll(work);
        return work.Count(static task => task.Result == PostingOutcome.Stored);
    }

    /// <summary>Books a recharge if a condition holds in its transaction.</summary>
    internal async Task<PostingState> DepositAsync(string accountId, Money amount, string id, string memo, string reference, Func<StoreSession, bool>? guard)
    {
        Positive(amount);
        ThrowIfAway();
        Wallet wallet = WalletOf(accountId, amount.Currency);
        return Public(await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = TransactionKind.Deposit,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Reference = StoredText.Of(reference, StoredText.IdLength),
            Gifts = [new PostingGift(wallet.Cash, amount.Units)],
            Others = [(Book.Clearing, -amount.Units)],
            Guard = guard,
        }));
    }

    /// <summary>Pays cash back to where it came from, if a condition holds in its transaction.</summary>
    /// <param name="accountId">Whose.</param>
    /// <param name="amount">How much.</param>
    /// <param name="id">Makes it happen once.</param>
    /// <param name="memo">Shown in the history.</param>
    /// <param name="reference">The payment.</param>
    /// <param name="force">Whether it is booked though the cash is less: the provider has paid it back already.</param>
    /// <param name="guard">The condition.</param>
    internal async Task<PostingState> WithdrawAsync(
        string accountId, Money amount, string id, string memo, string reference, bool force, Func<StoreSession, bool>? guard)
    {
        Positive(amount);
        ThrowIfAway();
        Wallet wallet = WalletOf(accountId, amount.Currency);
        var draws = new List<Draw>();
        if (force)
        {
            wallet.Change(wallet.Cash, -amount.Units, 0);
            draws.Add(new Draw(wallet.Cash, amount.Units));
        }
        else if (!wallet.TryTake(amount.Units, Now, creditsToo: false, draws))
        {
            return PostingState.Refused;
        }

        return Public(await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = TransactionKind.PaymentRefund,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Reference = StoredText.Of(reference, StoredText.IdLength),
            Draws = draws,
            Others = [(Book.Clearing, amount.Units)],
            Guard = guard,
        }));
    }

    private async Task<Purchase> BuyAsync(
        string accountId, Money price, string id, string memo, TransactionKind kind, List<PostingGift> gifts, List<(Book Book, long Units)> others)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(price.Units, nameof(price));
        ThrowIfAway();
        Wallet wallet = WalletOf(accountId, price.Currency);
        var draws = new List<Draw>();
        Money nothing = Money.Zero(price.Currency);
        if (!price.IsZero && !wallet.TryTake(price.Units, Now, creditsToo: true, draws))
        {
            // A purchase that was booked before may have used up the funds; the same id then says so.
            bool before = await _store.ReadAsync(session => session.Scalar<long>("SELECT COUNT(*) FROM ledger_transactions WHERE id = @id", new { id = Id(id) })) != 0;
            return new Purchase(before ? PostingState.BookedBefore : PostingState.Refused, nothing, nothing);
        }

        long cash = draws.Where(static draw => draw.Lot.Kind == LotKind.Cash).Sum(static draw => draw.Units);
        PostingState state = Public(await _pump.Add(new Posting
        {
            Seq = NextId(),
            Id = Id(id),
            Kind = kind,
            Wallet = wallet,
            At = Now,
            Memo = StoredText.Of(memo, StoredText.MemoLength),
            Draws = draws,
            Gifts = gifts,
            Others = others,
        }));
        return state == PostingState.Booked
            ? new Purchase(state, Money.FromUnits(price.Units - cash, price.Currency), Money.FromUnits(cash, price.Currency))
            : new Purchase(state, nothing, nothing);
    }

    private async Task SweepLoopAsync()
    {
        using var timer = new PeriodicTimer(_settings.SweepEvery, _time);
        while (await timer.WaitForNextTickAsync(_stop.Token))
        {
            try
            {
                if (!_store.Presence.IsAway)
                {
                    await SweepAsync();
                    await ForgetOnceAsync();
                }
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                SweepFailed?.Invoke(fault);
            }
        }
    }

    // No task lives as long, and no journal waits as long for its node.
    private Task ForgetOnceAsync() => _store.WriteAsync(session => session.Execute(
        "DELETE FROM ledger_once WHERE request IN (SELECT request FROM ledger_once WHERE at < @before ORDER BY at LIMIT 5000)", new { before = Now - (long)TimeSpan.FromDays(30).TotalMilliseconds }));

    /// <summary>Called when booking expiries failed; it is tried again.</summary>
    public Action<Exception>? SweepFailed { get; set; }

    // Before anything is taken in memory: money that moves outside requests is not put into the journal.
    private void ThrowIfAway()
    {
        if (_store.Presence.IsAway)
            throw new StoreAwayException();
    }

    private static void Positive(Money amount)
    {
        if (!amount.IsPositive)
            throw new ArgumentOutOfRangeException(nameof(amount), amount, "The amount must be above nothing.");
    }

    private static string Id(string id)
    {
        ArgumentException.ThrowIfNullOrEmpty(id);
        string stored = StoredText.Of(id, StoredText.IdLength);
        return stored == id ? id : throw new ArgumentException($"The transaction id is longer than {StoredText.IdLength} characters or holds characters that can't be stored.", nameof(id));
    }

    private static PostingState Public(PostingOutcome outcome) => outcome switch
    {
        PostingOutcome.Stored => PostingState.Booked,
        PostingOutcome.Duplicate => PostingState.BookedBefore,
        _ => PostingState.Refused,
    };
}
