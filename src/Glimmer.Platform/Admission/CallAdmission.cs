using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>What is charged on this server.</summary>
public enum BillingMode
{
    /// <summary>Everything is recorded, nothing is charged or refused for want of money.</summary>
    Free,

    /// <summary>Balances and plans pay.</summary>
    Metered,
}

/// <summary>A call that wants to run.</summary>
/// <param name="Key">Whose it is.</param>
/// <param name="Model">The model that answers, as the catalogue has it.</param>
/// <param name="Surface">The base it came by.</param>
/// <param name="Id">The platform's id of the request.</param>
/// <param name="WorstCase">Most units it can use.</param>
/// <param name="RequestId">The client's own id; null when it gave none.</param>
/// <param name="EndUser">The client's end user; null when it named none.</param>
/// <param name="Endpoint">Short name of the endpoint, for usage rows.</param>
public readonly record struct CallRequest(
    AccessKey Key, CatalogModel Model, ApiSurface Surface, string Id, UsageUnits WorstCase, string? RequestId = null, string? EndUser = null, string Endpoint = "chat");

/// <summary>A call that may run, or why it may not.</summary>
public readonly record struct CallEntry(AdmittedCall? Call, PlatformError? Error);

/// <summary>
/// The whole way in: what the key may do, the end user, frequency and day, repeated ids, plan or balance, money set aside, and a place in
/// flight, waiting for it when there is none. Memory only. What a step took is given back when a later one refuses.
/// </summary>
public sealed class CallAdmission(
    ICallerPolicy callers,
    IAdmission places,
    PlanGate plans,
    CatalogueSource catalogue,
    CallRates rates,
    RequestIdWindow? ids,
    BillingMode mode,
    Currency currency,
    TimeProvider time,
    ILedger? ledger = null)
{
    private const int MostTries = 5;

    /// <summary>Lets a call in, or says why not; the caller settles or releases it in every outcome.</summary>
    public async ValueTask<CallEntry> EnterAsync(CallRequest request, CancellationToken cancel)
    {
        Catalogue current = catalogue.Current;
        AdmittedCall? call = Begin(request, current, out PlatformError? error);
        if (call is null && Slices is { IsShared: true })
            (call, error) = await AgainAsync(request, current, error, cancel);
        if (call is null)
            return new CallEntry(null, error);
        AdmissionResult place;
        try
        {
            place = await places.EnterAsync(PlaceOf(request, call, current), cancel);
        }
        catch
        {
            call.Dispose();
            throw;
        }

        if (place.Lease is not { } lease)
        {
            call.Dispose();
            return new CallEntry(null, place.Error);
        }

        call.Run(lease, place.Position);
        return new CallEntry(call, null);
    }

    /// <summary>Takes a client's id for work that enters later: chats that are answered at once and those that are fetched share one window.</summary>
    /// <returns>False when it was taken already.</returns>
    public bool TryTakeRequestId(AccessKey key, string id) => ids?.TryTake(callers.Find(key).AccountId, id) ?? true;

    /// <summary>Gives an id back: nothing came of its request.</summary>
    public void ForgetRequestId(AccessKey key, string id) => ids?.Forget(callers.Find(key).AccountId, id);

    /// <summary>This node among others; null where there are none.</summary>
    public NodeShare? Nodes
    {
        init => Slices = value?.Trader;
    }

    internal SliceTrader? Slices { get; init; }

    /// <summary>Tries again as long as news of a limit helps: this node may have had nothing of it yet.</summary>
    private async ValueTask<(AdmittedCall? Call, PlatformError? Error)> AgainAsync(CallRequest request, Catalogue current, PlatformError? error, CancellationToken cancel)
    {
        bool counted = false;
        long begun = time.GetTimestamp();
        Slice? dry = null;
        for (int attempt = 0; attempt < MostTries || (dry is { IsBeingRecalled: true } && time.GetElapsedTime(begun) < SlicePlaces.RecallPatience(dry)); attempt++)
        {
            if (!Slices!.MayAdmit)
            {
                return (null, PlatformError.Of(BusinessCode.Overloaded) with
                {
                    Message = "This node has lost touch with the others and admits nothing for now, please try again",
                    Chinese = "该节点与其他节点失去联系，暂不接受请求，请稍后重试",
                    Status = 503,
                    RetryAfter = TimeSpan.FromSeconds(2),
                });
            }

            AdmittedCall? call = Begin(request, current, ref counted, out error, out dry);
            if (call is not null || dry is null || !await SlicePlaces.WaitAsync(dry, attempt, time, cancel))
                return (call, error);
        }

        return (null, error);
    }

    /// <summary>All steps but the place in flight. Waits for nothing.</summary>
    internal AdmittedCall? Begin(in CallRequest request, Catalogue current, out PlatformError? error)
    {
        bool counted = false;
        return Begin(request, current, ref counted, out error, out _);
    }

    private AdmittedCall? Begin(in CallRequest request, Catalogue current, ref bool counted, out PlatformError? error, out Slice? dry)
    {
        dry = null;
        Caller caller = callers.Find(request.Key);
        DateTimeOffset now = time.GetUtcNow();
        string model = request.Model.Code;
        if (caller.Models is { } allowed && !allowed.Contains(model, StringComparer.OrdinalIgnoreCase))
        {
            error = PlatformError.Of(BusinessCode.ApiForbidden, model) with { Field = "model" };
            return null;
        }

        if (callers.CheckEndUser(request.Key, request.EndUser) is { } locked)
        {
            error = locked;
            return null;
        }

        if (!counted && caller.Tier is { } tier && rates.Take(caller.AccountId, model, current.RateOf(request.Model, tier), now, out dry) is { } often)
        {
            error = often;
            return null;
        }

        counted = true;

        if (request.RequestId is { } id && ids?.TryTake(caller.AccountId, id) == false)
        {
            error = PlatformError.Of(BusinessCode.RequestDuplicate, id) with { Field = "request_id" };
            return null;
        }

        var call = new AdmittedCall(this, request, caller, now);
        call.Plan = plans.Admit(caller.AccountId, model, request.Surface, now, mode == BillingMode.Free);
        error = call.Plan.Error;
        dry = call.Plan.Dry;
        if (error is null)
            error = Reserve(request, current, caller, call, out dry);
        if (error is null)
            return call;
        call.Dispose();
        return null;
    }

    private PlatformError? Reserve(in CallRequest request, Catalogue current, in Caller caller, AdmittedCall call, out Slice? dry)
    {
        dry = null;
        call.Catalogue = current;
        call.Price = PriceOf(current, request.Model, request.WorstCase);
        if (ledger is null)
            return null;
        var quote = new Quote(call.Price, request.WorstCase, call.Plan.IsPlan ? ChargeMode.Plan : ChargeMode.Balance);
        if (!ledger.TryReserve(new Payer(caller.AccountId, caller.ProjectId, caller.KeyId, caller.Cap), quote, request.Id, out Reservation? reservation, out PlatformError? error))
        {
            dry = ledger is PlatformLedger ? PlatformLedger.Dry : null;
            return error;
        }

        call.Reservation = reservation;
        return null;
    }

    private Price PriceOf(Catalogue current, CatalogModel model, in UsageUnits units) => mode == BillingMode.Free
        ? Price.Free(model.Code, current.Version, currency, model.Family.Length > 0 ? model.Family : null)
        : current.PriceOf(model, currency, units.Input, units.Output);

    private AdmissionRequest PlaceOf(in CallRequest request, AdmittedCall call, Catalogue current)
    {
        bool isPlan = call.Plan.IsPlan;
        return new AdmissionRequest(request.Key, request.Model.Code)
        {
            Account = call.Caller.AccountId,
            ModelLimit = isPlan ? 0 : call.Caller.Concurrency ?? (call.Caller.Tier is { } tier ? current.ConcurrencyOf(request.Model, tier) : 0),
            Plan = isPlan,
            PlanLimit = call.Plan.Concurrency,
            Cost = (int)Math.Min(int.MaxValue, (long)request.WorstCase.Input + Math.Min(request.WorstCase.Output, 4096)),
            Alternative = isPlan ? AlternativeTo(request.Model.Code, call.Plan) : null,
        };
    }

    private string? AlternativeTo(string model, in PlanDecision plan)
    {
        PlanRules rules = plans.Rules;
        if (plan.Subscriber!.Subscription.TermAt(time.GetUtcNow()) is not { } term || rules.Find(term.Plan) is not { } held)
            return null;
        foreach (string other in held.Models)
        {
            if (other != model)
                return other;
        }

        return null;
    }

    internal Settlement? Settle(AdmittedCall call, in UsageUnits units, bool failed, bool once)
    {
        if (call.Reservation is not { } reservation)
            return null;
        UsageUnits used = units.Clamped();
        Price price = PriceOf(call.Catalogue!, call.Request.Model, used);
        return ledger!.Settle(reservation, used, new SettleDetails(ReferenceEquals(price, call.Price) ? null : price, call.Plan.Receipt.Units, call.Request.Endpoint, failed, once));
    }

    internal void Release(AdmittedCall call)
    {
        if (call.Plan.IsPlan)
            plans.Release(call.Plan);
        if (call.Reservation is { } reservation)
            ledger!.Release(reservation);
        if (call.Request.RequestId is { } id)
            ids?.Forget(call.Caller.AccountId, id);
    }
}

/// <summary>A call in flight: settle it once with what it used, or let it go; dispose it when it has ended.</summary>
public sealed class AdmittedCall : IDisposable
{
    private readonly CallAdmission _owner;
    private IDisposable? _lease;
    private int _ended;

    internal AdmittedCall(CallAdmission owner, in CallRequest request, in Caller caller, DateTimeOffset begun)
    {
        _owner = owner;
        Request = request;
        Caller = caller;
        Begun = begun;
    }

    /// <summary>What was asked.</summary>
    public CallRequest Request { get; }

    /// <summary>Who pays.</summary>
    public Caller Caller { get; }

    /// <summary>When it was let in.</summary>
    public DateTimeOffset Begun { get; }

    /// <summary>Place in the line on arrival; 0 when it did not wait.</summary>
    public int Position { get; private set; }

    /// <summary>Whether a plan pays.</summary>
    public bool IsPlan => Plan.IsPlan;

    internal PlanDecision Plan { get; set; }

    internal Reservation? Reservation { get; set; }

    internal Price? Price { get; set; }

    internal Catalogue? Catalogue { get; set; }

    /// <summary>
    /// Charges what was used. The first outcome counts: a second call, or one after <see cref="Release"/>, does nothing.
    /// </summary>
    /// <param name="units">What was used.</param>
    /// <param name="failed">Whether the answer ended with a fault.</param>
    /// <param name="once">Whether a request of this id is charged once only: see <see cref="SettleDetails.Once"/>.</param>
    /// <returns>Completes when the record is durable; faults when it could not be stored. Await it before the last byte.</returns>
    public Task Settle(in UsageUnits units, bool failed = false, bool once = false) =>
        Interlocked.Exchange(ref _ended, 1) == 0 && _owner.Settle(this, units, failed, once) is { } settlement ? settlement.Durable : Task.CompletedTask;

    /// <summary>Gives everything back: it made nothing.</summary>
    public void Release()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
            _owner.Release(this);
    }

    /// <summary>Frees its place in flight, and releases it when it was not settled.</summary>
    public void Dispose()
    {
        Release();
        Interlocked.Exchange(ref _lease, null)?.Dispose();
    }

    internal void Run(IDisposable lease, int position)
    {
        _lease = lease;
        Position = position;
    }
}
