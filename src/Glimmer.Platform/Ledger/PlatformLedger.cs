using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// The ledger: wallets in memory, which requests meet, and the double-entry books in the store, which follow by group
/// commit. What is in the store counts; a restart reads the wallets from it and knows no reservation.
/// </summary>
public sealed partial class PlatformLedger : ILedger, IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan _sweepStopsWithin = TimeSpan.FromSeconds(5);
    private readonly ConcurrentDictionary<(string Account, Currency Currency), Wallet> _wallets = new();
    private readonly ConcurrentDictionary<(string Key, Currency Currency), KeySpend> _keys = new();
    private readonly ConcurrentDictionary<string, Currency[]> _currencies = new(StringComparer.Ordinal);
    private readonly PlatformStore _store;
    private readonly LedgerSettings _settings;
    private readonly LedgerWriter _writer;
    private readonly LedgerPump _pump;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stop = new();
    private readonly IDisposable _watch;
    private readonly Task _sweeper;
    private readonly long _run;
    private readonly LedgerJournal? _journal;
    private long _count;

    private PlatformLedger(PlatformStore store, LedgerSettings settings)
    {
        _store = store;
        _settings = settings;
        _time = store.Time;
        Calendar = new BillingCalendar(settings.BillingOffset);
        string token = Guid.NewGuid().ToString("N");
        long run = store.Write(session => session.Scalar<long>("INSERT INTO ledger_runs (started, token) VALUES (@now, @token) RETURNING id", new { now = store.Now, token }));
        _run = run << 36;
        _writer = new LedgerWriter(this, Calendar);
        _journal = store.Kind == StoreKind.Postgres && settings.JournalBytes > 0 ? LedgerJournal.Open(store.Settings, run, token, settings.JournalBytes) : null;
        _pump = new LedgerPump(store.Writes, _writer, _journal, settings.JournalAfter, () => store.Presence.IsAway, fault => store.Faulted?.Invoke(fault));
        long version = store.Read(session => LedgerLoader.Load(session, this), snapshot: true);
        _writer.Seen = version;
        _watch = store.Changes.Watch(LedgerWriter.Topic, version, seen =>
        {
            if (seen > Volatile.Read(ref _writer.Seen))
                _pump.Refresh(seen).GetAwaiter().GetResult();
        });
        _sweeper = settings.SweepEvery > TimeSpan.Zero ? SweepLoopAsync() : Task.CompletedTask;
    }

    /// <summary>Settled requests that the store does not have yet.</summary>
    public int Backlog => _pump.Waiting;

    /// <summary>Settled requests in this node's journal that the database does not have.</summary>
    public long JournalWaiting => _journal?.Waiting ?? 0;

    /// <summary>Settled requests put into the journal since the start.</summary>
    public long JournalKept => _journal?.Kept ?? 0;

    /// <summary>Bytes of the journal.</summary>
    public long JournalBytes => _journal?.Bytes ?? 0;

    /// <summary>What journals of former runs brought at the start.</summary>
    public IReadOnlyList<JournalReplay> Replays { get; private set; } = [];

    /// <summary>Whether new requests are let in now, as far as the database counts: it answers, or its absence is within its bounds.</summary>
    public bool Admits => Broken is null && (!_store.Presence.IsAway || (_settings.WhenAway == StoreAwayPolicy.Admit && _store.Presence.Duration < _settings.AdmitFor && _journal is not { IsUnable: true }));

    /// <summary>Why this process can charge nothing any more and must be started again; null when all is well.</summary>
    public string? Broken { get; internal set; }

    internal BillingCalendar Calendar { get; }

    internal PlatformStore Store => _store;

    internal long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Reads the wallets from the store and starts.</summary>
    public static PlatformLedger Open(PlatformStore store, LedgerSettings settings)
    {
        if (settings.BillingOffset.Ticks % TimeSpan.TicksPerHour != 0 || settings.BillingOffset.Duration() > TimeSpan.FromHours(14))
            throw new ArgumentException("The billing offset is whole hours, from -14 to 14.", nameof(settings));
        var ledger = new PlatformLedger(store, settings);
        if (ledger._journal is null)
            return ledger;
        try
        {
            ledger.Replays = LedgerJournal.Replay(store, ledger, ledger.SettleAgainAsync);
            return ledger;
        }
        catch
        {
            ledger.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryReserve(
        in Payer payer,
        in Quote worstCase,
        string requestId,
        [NotNullWhen(true)] out Reservation? reservation,
        [NotNullWhen(false)] out PlatformError? error)
    {
        reservation = null;
        _dry = null;
        if (_pump.Waiting > _settings.BacklogLimit)
        {
            error = PlatformError.Of(BusinessCode.AccountUnavailable) with { RetryAfter = TimeSpan.FromSeconds(2) };
            return false;
        }

        bool away = _store.Presence.IsAway;
        if ((away || Broken is not null) && !Admits)
        {
            error = Away(requestId);
            return false;
        }

        Quote quote = worstCase.WorstCase.IsValid ? worstCase : worstCase with { WorstCase = worstCase.WorstCase.Clamped() };
        Currency currency = quote.Price.Currency;
        Wallet wallet = WalletOf(payer.AccountId, currency);
        bool charged = quote.Mode == ChargeMode.Balance && !quote.Price.IsFree;
        KeySpend? key = charged && payer.KeyId.Length > 0 ? KeyOf(payer.KeyId, currency) : null;
        var held = new LedgerReservation(payer, quote, StoredText.Of(requestId, StoredText.IdLength), wallet, key);
        if (charged)
        {
            long now = Now;
            if (away && Money.FromUnits(wallet.Unstored(), currency).Amount >= _settings.AdmitAmount)
            {
                error = Away(requestId);
                return false;
            }

            if (!wallet.TryReserve(held, now, _settings.CoverWorstCase))
            {
                error = PlatformError.Of(BusinessCode.AccountInArrears);
                return false;
            }

            if (key is not null && !key.TryReserve(payer.Cap, held.HeldUnits, Calendar.Of(now)))
            {
                wallet.Release(held);
                error = CapReached(payer.Cap!.Value);
                return false;
            }

            if (Slices is not null && !TakeSlices(held, Calendar.Of(now), out error))
            {
                // A share that cannot be had while the database is away says nothing about the account's money.
                if (away)
                    error = Away(requestId);
                key?.Release(held.HeldUnits);
                wallet.Release(held);
                return false;
            }
        }

        reservation = held;
        error = null;
        return true;
    }

    /// <inheritdoc/>
    public Settlement Settle(Reservation reservation, in UsageUnits units, in SettleDetails details = default)
    {
        LedgerReservation held = Own(reservation);
        Price price = details.Price ?? held.Quote.Price;
        if (price.Currency != held.Wallet.Currency)
            throw new ArgumentException($"The request was reserved in {held.Wallet.Currency} and cannot be settled in {price.Currency}.", nameof(details));
        if (!held.TryEnd())
            return new Settlement(Money.FromUnits(held.Charge.Cash + held.Charge.Credit, price.Currency), held.Durable ?? Task.CompletedTask);

        long now = Now;
        ref Charge charge = ref held.Charge;
        charge.Id = NextId();
        charge.At = now;
        charge.Price = price;
        charge.Units = units.IsValid ? units : units.Clamped();
        charge.Mode = held.Quote.Mode;
        charge.PlanUnits = details.PlanUnits;
        charge.Surface = details.Surface;
        charge.Failed = details.Failed;
        charge.Once = details.Once;
        long keyHeld = held.HeldUnits;
        held.Wallet.Settle(held, ref charge);
        if (held.Key is { } key)
        {
            key.Release(keyHeld);
            key.Spend(charge.Cash + charge.Credit + charge.PackValue, Calendar.Of(now));
        }

        GiveSlices(held, keyHeld, ref charge);
        Task durable = _pump.Add(held);
        held.Durable = durable;
        return new Settlement(Money.FromUnits(charge.Cash + charge.Credit, price.Currency), durable);
    }

    /// <inheritdoc/>
    public void Release(Reservation reservation)
    {
        LedgerReservation held = Own(reservation);
        if (!held.TryEnd())
            return;
        held.Key?.Release(held.HeldUnits);
        ReleaseSlices(held);
        held.Wallet.Release(held);
    }

    /// <summary>What a key has spent of the balance in the period that runs now.</summary>
    public Money KeySpent(string keyId, Currency currency, CapPeriod period) =>
        Money.FromUnits(_keys.TryGetValue((keyId, currency), out KeySpend? spend) ? spend.Spent(period, Calendar.Of(Now)) : 0, currency);

    /// <summary>Waits until everything settled so far is stored.</summary>
    public Task FlushAsync() => _pump.DrainAsync();

    /// <summary>Stores what waits and stops. The store stays open.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        _watch.Dispose();

        // A sweep that waits for a database that is away ends when the store is closed, which comes after this.
        await _sweeper.WaitAsync(_sweepStopsWithin, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        Task drained = _pump.DrainAsync();
        await WaitForAsync(drained);
        _journal?.Dispose();

        // The store, when it is closed, gives the database some more time: what it then takes is known before the process ends.
        if (_journal is not null && !drained.IsCompleted)
            _store.WaitFor(drained);
        _stop.Dispose();
    }

    /// <summary>Waits for a database that is slow, and not much longer once it is known to be away: what waits then is in the journal, or fails when the store is closed.</summary>
    private async Task WaitForAsync(Task drained)
    {
        long end = Environment.TickCount64 + (long)_patience.TotalMilliseconds;
        bool away = false;
        while (!drained.IsCompleted && Environment.TickCount64 < end)
        {
            if (!away && _journal is not null && _store.Presence.IsAway)
            {
                away = true;
                end = Math.Min(end, Environment.TickCount64 + 1000);
            }

            await drained.WaitAsync(TimeSpan.FromMilliseconds(50), CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>1234 with 503: what is asked needs the database, which is away.</summary>
    /// <param name="requestId">Id of the request.</param>
    public static PlatformError Away(string requestId) => PlatformError.Of(BusinessCode.Network, requestId) with { Status = 503, RetryAfter = TimeSpan.FromSeconds(5) };

    /// <summary>Settles requests out of a journal; false when one of them cannot be.</summary>
    private async Task<bool> SettleAgainAsync(List<LedgerReservation> charges)
    {
        var durable = new HashSet<Task>();
        foreach (LedgerReservation held in charges)
        {
            held.TryEnd();
            ref Charge charge = ref held.Charge;
            held.Wallet.Settle(held, ref charge);
            held.Key?.Spend(charge.Cash + charge.Credit + charge.PackValue, Calendar.Of(charge.At));
            durable.Add(held.Durable = _pump.Add(held));
        }

        try
        {
            await Task.WhenAll(durable);

            // They may be durable by this run's own journal; what the database had already is given back in memory once it says so.
            await _pump.DrainAsync().WaitAsync(_patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return true;
        }
        catch (Exception fault) when (fault is not ObjectDisposedException)
        {
            return false;
        }
    }

    internal Wallet WalletOf(string accountId, Currency currency) =>
        _wallets.TryGetValue((accountId, currency), out Wallet? wallet) ? wallet : MakeWallet(accountId, currency);

    internal KeySpend KeyOf(string keyId, Currency currency) =>
        _keys.TryGetValue((keyId, currency), out KeySpend? spend) ? spend : _keys.GetOrAdd((keyId, currency), static key => new KeySpend(key.Key, key.Currency));

    internal IEnumerable<Wallet> Wallets => _wallets.Values;

    /// <summary>Unique for ever: the number of this run of the process, then a count.</summary>
    internal long NextId() => _run | Interlocked.Increment(ref _count);

    private Wallet MakeWallet(string accountId, Currency currency)
    {
        Wallet wallet = _wallets.GetOrAdd((accountId, currency), static key => new Wallet(key.Account, key.Currency, new Lot(0, LotKind.Cash, 0, 0, 0, Lot.Never, null)));
        _currencies.AddOrUpdate(
            accountId,
            static (_, added) => [added],
            static (_, known, added) => known.Contains(added) ? known : [.. known.Append(added).OrderBy(static each => each.Code, StringComparer.Ordinal)],
            currency);
        return wallet;
    }

    private LedgerReservation Own(Reservation reservation) =>
        reservation as LedgerReservation ?? throw new ArgumentException("The reservation is not this ledger's.", nameof(reservation));

    private static PlatformError CapReached(SpendCap cap)
    {
        (string english, string chinese) = cap.Period switch
        {
            CapPeriod.Day => (" per day", "每日"),
            CapPeriod.Month => (" per month", "每月"),
            _ => ("", ""),
        };
        return new PlatformError(BusinessCode.AccountInArrears, $"The spend cap of this API key is reached ({cap.Amount}{english}); raise it or use another key")
        {
            Chinese = $"该 API Key 的{chinese}消费上限 {cap.Amount} 已达到，请提高上限或使用其他 Key",
        };
    }
}
