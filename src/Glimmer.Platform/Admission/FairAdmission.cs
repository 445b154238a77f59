using System.Collections.Concurrent;
using Glimmer.Platform.Nodes;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>
/// Places in flight: so many altogether, per key, per account and model (its tier), and per plan. When one is missing the request
/// waits in a line that is fair between accounts, and within an account between its keys: deficit round robin (Shreedhar
/// and Varghese, SIGCOMM 1995) by the tokens that requests bring. A place that frees goes to the line; only what the line cannot use
/// goes to newcomers. Without a line an entry is a few interlocked operations and one small object.
/// </summary>
public sealed class FairAdmission : IAdmission, IDisposable
{
    private readonly AdmissionLimits _limits;
    private readonly TimeProvider _time;
    private readonly SliceTrader? _slices;
    private readonly ConcurrentDictionary<string, AccountPlaces> _accounts = new(StringComparer.Ordinal);
    private readonly FairLine _line;
    private readonly Lock _gate = new();
    private readonly CancellationTokenSource _drain = new();
    private PlaceCount _open;
    private int _waiting;
    private long _averageTicks = TimeSpan.TicksPerSecond;

    /// <summary>With its bounds and the clock of its patience.</summary>
    public FairAdmission(AdmissionLimits limits, TimeProvider time)
        : this(limits, time, (SliceTrader?)null)
    {
    }

    /// <summary>On a node that shares limits with others: all but the platform's, which is each node's own.</summary>
    public FairAdmission(AdmissionLimits limits, TimeProvider time, NodeShare? nodes)
        : this(limits, time, nodes?.Trader)
    {
    }

    internal FairAdmission(AdmissionLimits limits, TimeProvider time, SliceTrader? slices)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.Open, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(limits.OpenPerKey, 1);
        _limits = limits;
        _time = time;
        _slices = slices;
        _line = new FairLine(TryTake);
    }

    /// <inheritdoc/>
    public int InFlight => _open.Count;

    /// <summary>Requests of an account's plan in flight here.</summary>
    public int InFlightOnPlan(string account) => _accounts.TryGetValue(account, out AccountPlaces? places) ? places.Plan.Count : 0;

    /// <inheritdoc/>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <inheritdoc/>
    public ValueTask<AdmissionResult> EnterAsync(in AdmissionRequest request, CancellationToken cancel)
    {
        // These grow with known accounts and keys, not with what clients send: only authenticated requests come here.
        AccountPlaces account = _accounts.GetOrAdd(request.Account ?? request.Key.Id, static id => new AccountPlaces(id));
        if (_slices is not null)
            Share(account, request);
        var lease = new Lease(this, account, account.KeyOf(request.Key.Id), request.ModelLimit > 0 ? account.ModelOf(request.Model) : null, request);

        // Whoever finds a line goes through it, or places that free would go to whoever asks most often.
        if (Volatile.Read(ref _waiting) == 0)
        {
            PlaceKind missing = TryTake(lease);
            if (missing == PlaceKind.None)
                return new(new AdmissionResult(lease, null));
            lease.Missing = missing;
        }

        return WaitAsync(lease, cancel);
    }

    /// <inheritdoc/>
    public void Drain() => _drain.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _drain.Dispose();

    private async ValueTask<AdmissionResult> WaitAsync(Lease lease, CancellationToken cancel)
    {
        int position;
        if (lease.Missed is { IsDry: false } slice && _slices is { IsShared: true } && (_limits.Line == 0 || lease.Account.Line.Count >= _limits.LinePerAccount))
        {
            // Where nobody may wait in a line, the first answer about a limit is waited for all the same.
            await SlicePlaces.WaitAsync(slice, 0, _time, cancel);
        }

        lock (_gate)
        {
            bool full = _drain.IsCancellationRequested || _line.Count >= _limits.Line || lease.Account.Line.Count >= _limits.LinePerAccount;
            if (full)
            {
                _line.Pump();
                lease.Missing = TryTake(lease);
                Volatile.Write(ref _waiting, _line.Count);
                if (lease.Missing == PlaceKind.None)
                    return new AdmissionResult(lease, null);
                return new AdmissionResult(null, Refuse(lease));
            }

            position = _line.Add(lease);

            // The count must be seen before places are looked at again: whoever frees one afterwards finds the line.
            Interlocked.Exchange(ref _waiting, _line.Count);
            _line.Pump();
            Volatile.Write(ref _waiting, _line.Count);
        }

        if (lease.Granted.IsCompleted)
            return new AdmissionResult(lease, null);
        using var patience = new CancellationTokenSource(_limits.Patience, _time);
        using (patience.Token.UnsafeRegister(static state => ((Lease)state!).Leave(), lease))
        using (cancel.UnsafeRegister(static state => ((Lease)state!).Leave(), lease))
        using (_drain.Token.UnsafeRegister(static state => ((Lease)state!).Leave(), lease))
        {
            return await lease.Granted
                ? new AdmissionResult(lease, null) { Position = position }
                : new AdmissionResult(null, Refuse(lease)) { Position = position };
        }
    }

    private void Share(AccountPlaces account, in AdmissionRequest request)
    {
        KeyPlaces key = account.KeyOf(request.Key.Id);
        if (key.Open.Slice is null)
            key.Open.Slice = Tie(SlicePlaces.OfKey(_slices!, key.Id, _limits.OpenPerKey), account, () => key.Line.Count);
        if (request.ModelLimit > 0)
        {
            ModelPlaces model = account.ModelOf(request.Model);
            if (model.Open.Slice is { } known)
                known.Limit = request.ModelLimit;
            else
                model.Open.Slice = Tie(SlicePlaces.OfModel(_slices!, account.Id, request.Model, request.ModelLimit), account, () => account.Line.Count);
        }

        if (request.PlanLimit > 0)
        {
            if (account.Plan.Slice is { } known)
                known.Limit = request.PlanLimit;
            else
                account.Plan.Slice = Tie(SlicePlaces.OfPlan(_slices!, account.Id, request.PlanLimit), account, () => account.Line.Count);
        }
    }

    private Slice Tie(Slice slice, AccountPlaces account, Func<long> waiting)
    {
        slice.Waiting = waiting;
        slice.Refilled = () =>
        {
            if (Volatile.Read(ref _waiting) == 0)
                return;
            lock (_gate)
            {
                _line.Wake(account);
                _line.Pump();
                Volatile.Write(ref _waiting, _line.Count);
            }
        };
        return slice;
    }

    private void Leave(Lease lease)
    {
        lock (_gate)
        {
            if (!_line.Remove(lease))
                return;
            Volatile.Write(ref _waiting, _line.Count);
        }

        lease.Grant(false);
    }

    /// <summary>Takes all places of a lease or none.</summary>
    private PlaceKind TryTake(Lease lease)
    {
        if (!_open.TryTake(_limits.Open))
            return PlaceKind.Platform;
        if (!lease.Key.Open.TryTake(_limits.OpenPerKey))
            return Back(lease, PlaceKind.Key);
        if (lease.Model is { } model && !model.Open.TryTake(lease.Request.ModelLimit))
            return Back(lease, PlaceKind.Model);
        if (lease.Request.PlanLimit > 0 && !lease.Account.Plan.TryTake(lease.Request.PlanLimit))
            return Back(lease, PlaceKind.Plan);
        lease.Started = _time.GetTimestamp();
        return PlaceKind.None;
    }

    private PlaceKind Back(Lease lease, PlaceKind missing)
    {
        if (missing == PlaceKind.Plan)
            lease.Model?.Open.Free();
        if (missing is PlaceKind.Plan or PlaceKind.Model)
            lease.Key.Open.Free();
        _open.Free();

        // For a moment it held places it could not use; whoever was turned away from them meanwhile waits in the line, and the
        // caller goes there too and looks again.
        return missing;
    }

    private void Undo(Lease lease)
    {
        if (lease.Request.PlanLimit > 0)
            lease.Account.Plan.Free();
        lease.Model?.Open.Free();
        lease.Key.Open.Free();
        _open.Free();
    }

    private void Free(Lease lease)
    {
        Undo(lease);
        long ticks = _time.GetElapsedTime(lease.Started).Ticks;
        Volatile.Write(ref _averageTicks, ((Volatile.Read(ref _averageTicks) * 15) + ticks) / 16);
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _waiting) == 0)
            return;
        lock (_gate)
        {
            _line.Wake(lease.Account);
            _line.Pump();
            Volatile.Write(ref _waiting, _line.Count);
        }
    }

    private PlatformError Refuse(Lease lease)
    {
        if (_drain.IsCancellationRequested)
        {
            return PlatformError.Of(BusinessCode.Overloaded) with
            {
                Message = "The server is stopping, please try again later",
                Chinese = "服务正在停止，请稍后重试",
                Status = 503,
                RetryAfter = TimeSpan.FromSeconds(5),
            };
        }

        PlatformError error = lease.Missing switch
        {
            PlaceKind.Platform when lease.Request is { Plan: true, Alternative: { } other } => PlatformError.Of(BusinessCode.ModelBusy, other),
            PlaceKind.Platform => PlatformError.Of(BusinessCode.Overloaded),
            _ => PlatformError.Of(BusinessCode.ConcurrencyExceeded),
        };

        // About how long the line takes: what waits, at the pace at which places have freed.
        double seconds = TimeSpan.FromTicks(Volatile.Read(ref _averageTicks)).TotalSeconds * (1 + Waiting) / Math.Max(1, InFlight);
        return error with { RetryAfter = TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(seconds), 1, 60)) };
    }

    /// <summary>A place in flight, or the wish for one.</summary>
    internal sealed class Lease(FairAdmission owner, AccountPlaces account, KeyPlaces key, ModelPlaces? model, in AdmissionRequest request) : IDisposable
    {
        private TaskCompletionSource<bool>? _granted;
        private int _ended;

        public AccountPlaces Account => account;

        public KeyPlaces Key => key;

        public ModelPlaces? Model => model;

        public AdmissionRequest Request { get; } = request;

        public PlaceKind Missing { get; set; } = PlaceKind.Platform;

        public long Started { get; set; }

        /// <summary>The slice that had too little; null when another bound was met.</summary>
        public Slice? Missed => Missing switch
        {
            PlaceKind.Key => Key.Open.Slice,
            PlaceKind.Model => Model!.Open.Slice,
            PlaceKind.Plan => Account.Plan.Slice,
            _ => null,
        };

        public LinkedListNode<Lease>? Node { get; set; }

        public Task<bool> Granted => _granted!.Task;

        public void BeginWaiting() => _granted = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Grant(bool granted) => _granted!.TrySetResult(granted);

        /// <summary>Gives places back that it just took, since it is not its turn.</summary>
        public void Undo() => owner.Undo(this);

        public void Leave() => owner.Leave(this);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
                owner.Free(this);
        }
    }
}
