using System.Collections.Concurrent;

namespace Glimmer.Platform.Nodes;

/// <summary>
/// A node's side of the trade in slices: which limits it holds parts of, what it asks for and what it gives back. A state machine without
/// threads or waits: <see cref="Prepare"/> makes the next message, <see cref="Apply"/> takes its answer, <see cref="Fail"/> says that there
/// was none. <see cref="SliceLoop"/> runs it against the store, the simulation against a store of its own.
/// </summary>
internal sealed class SliceTrader
{
    private readonly SliceSettings _settings;
    private readonly TimeProvider _time;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Slice> _slices = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<Slice> _wanted = new();
    private readonly List<Slice> _active = [];
    private readonly SortedDictionary<string, Slice> _later = new(StringComparer.Ordinal);
    private Slice[] _asked = [];
    private SliceMessage? _underWay;
    private long _sentAt;
    private long _leaseUntil = long.MinValue;
    private long _lookAt;
    private long _sequence;
    private bool _shared = true;
    private readonly HashSet<Slice> _adopting = [];

    /// <summary>With the clock that measures leases; only its timestamps are used, never its date.</summary>
    public SliceTrader(SliceSettings settings, TimeProvider time)
    {
        _settings = settings;
        _time = time;
        _lookAt = time.GetTimestamp();
    }

    /// <summary>Called when something is wanted at once; must not wait.</summary>
    public Action? Poked { get; set; }

    /// <summary>The node's number; 0 before it registers.</summary>
    public long Node { get; private set; }

    /// <summary>Whether limits are shared with other nodes: the node is not alone, or was not.</summary>
    public bool IsShared => Volatile.Read(ref _shared);

    /// <summary>Nodes that the store knew at the last answer.</summary>
    public int Nodes { get; private set; }

    /// <summary>Messages answered.</summary>
    public long Exchanges { get; private set; }

    /// <summary>Limits said in them.</summary>
    public long Asks { get; private set; }

    /// <summary>Messages that had no answer.</summary>
    public long Failures { get; private set; }

    /// <summary>Times that the node's lease had ended and others had its slices.</summary>
    public long Fences { get; private set; }

    /// <summary>Limits that had too little at the last answer.</summary>
    public int Starved { get; private set; }

    /// <summary>The limits that it holds parts of.</summary>
    public IEnumerable<Slice> Slices => _slices.Values;

    internal long Timestamp => _time.GetTimestamp();

    internal SliceSettings Settings => _settings;

    /// <summary>In timestamp ticks, after how long others have heard that a limit is lacked, and have given back what they do not use: they hear it with their next heartbeat.</summary>
    internal long TimeToYield => Ticks(2 * _settings.Beat);

    /// <summary>Whether units may be taken now: the node owns everything, or its lease runs for sure.</summary>
    public bool MayAdmit => !Volatile.Read(ref _shared) || _time.GetTimestamp() < Volatile.Read(ref _leaseUntil);

    /// <summary>How long units may still be taken without news of the store.</summary>
    public TimeSpan LeaseLeft
    {
        get
        {
            long until = Volatile.Read(ref _leaseUntil), now = _time.GetTimestamp();
            return until <= now ? TimeSpan.Zero : _time.GetElapsedTime(now, until);
        }
    }

    /// <summary>The node's part of a limit.</summary>
    public Slice Of(in SliceTerms terms)
    {
        if (_slices.TryGetValue(terms.Id, out Slice? slice))
        {
            slice.Limit = terms.Limit;
            return slice;
        }

        lock (_gate)
        {
            if (!_slices.TryGetValue(terms.Id, out slice))
            {
                slice = new Slice(this, terms, !_shared);
                _slices[terms.Id] = slice;
            }

            return slice;
        }
    }

    /// <summary>The node is registered under a number; what the store counted under a former one is lost.</summary>
    /// <param name="node">The number.</param>
    /// <param name="shared">Whether other nodes live, or limits are shared anyway.</param>
    /// <param name="sentAt">Timestamp before the registration was sent.</param>
    public void Register(long node, bool shared, long sentAt)
    {
        lock (_gate)
        {
            if (Node != 0 && _shared)
            {
                foreach (Slice slice in _slices.Values)
                    slice.Lose();
            }

            Node = node;
            _sequence = 0;
            _underWay = null;
            _adopting.Clear();
            if (shared && !_shared)
                Share();
            else if (!shared && _shared)
                Own();
            Volatile.Write(ref _leaseUntil, sentAt + Usable(shared ? _settings.Lease : _settings.LoneLease));
            foreach (Slice slice in _slices.Values)
            {
                if (_shared && slice.Spare < 0)
                    Want(slice);
            }
        }
    }

    /// <summary>The next message: the lease's renewal and everything wanted.</summary>
    public SliceMessage Prepare()
    {
        // Measured before anything is sent: the store's lease begins later than this.
        _sentAt = _time.GetTimestamp();
        Settle();
        lock (_gate)
        {
            long now = _time.GetTimestamp();
            if (!_shared)
                return _underWay = new SliceMessage(Node, ++_sequence, (long)_settings.LoneLease.TotalMilliseconds, false, []);
            bool look = now >= _lookAt;
            if (look)
            {
                _lookAt = now + Ticks(_settings.Beat);
                Look();
            }

            Gather();
            var asks = new List<SliceAsk>();
            var asked = new List<Slice>();
            List<string>? done = null;
            foreach ((string id, Slice slice) in _later)
            {
                if (asks.Count >= _settings.BatchLimit && _adopting.Count == 0)
                    break;
                if (DueAt(slice) > now)
                    continue;
                (done ??= []).Add(id);
                asks.Add(Ask(slice));
                asked.Add(slice);
            }

            foreach (string id in done ?? [])
                _later.Remove(id);
            _asked = [.. asked];

            // Others are told that they may take part in the message that names everything in use here, never before.
            bool told = _adopting.Count == 0 || _adopting.IsSubsetOf(asked);
            return _underWay = new SliceMessage(Node, ++_sequence, (long)_settings.Lease.TotalMilliseconds, told, asks);
        }
    }

    /// <summary>How long until something is to be said, if nothing is wanted before.</summary>
    public TimeSpan UntilNext()
    {
        lock (_gate)
        {
            Gather();
            long now = _time.GetTimestamp(), next = _sentAt + Ticks(_settings.Beat);
            foreach (Slice slice in _later.Values)
                next = Math.Min(next, DueAt(slice));
            return _time.GetElapsedTime(now, Math.Max(now, next));
        }
    }

    /// <summary>Takes the answer to a message; one to a former message is thrown away.</summary>
    /// <returns>False when the node must register anew.</returns>
    public bool Apply(SliceMessage message, SliceReply reply)
    {
        Slice[] asked;
        lock (_gate)
        {
            if (!ReferenceEquals(message, _underWay))
                return true;
            _underWay = null;
            if (reply.IsFenced)
            {
                Fences++;
                Volatile.Write(ref _leaseUntil, long.MinValue);
                Again();
                return false;
            }

            if (reply.IsStale)
            {
                Again();
                return true;
            }

            asked = _asked;
            _asked = [];
            Exchanges++;
            Asks += asked.Length;
            Nodes = reply.Nodes;
            Volatile.Write(ref _leaseUntil, _sentAt + Usable(TimeSpan.FromMilliseconds(message.LeaseMs)));
            _adopting.ExceptWith(asked);
            if (!_shared && reply.Nodes > 1)
                Share();

            int starved = 0;
            for (int i = 0; i < asked.Length; i++)
                starved += Take(asked[i], reply.Grants[i], reply.IsWaiting) ? 1 : 0;
            Starved = starved;
            foreach (SlicePressure pressure in reply.Pressures)
            {
                // What was asked for now is answered above; this is older.
                if (_slices.TryGetValue(pressure.Id, out Slice? pressed) && Array.IndexOf(asked, pressed) < 0)
                    Yield(pressed, pressure.Lacking, pressure.Share);
            }
        }

        foreach (Slice slice in asked)
            slice.Answer();
        return true;
    }

    /// <summary>A message had no answer: nobody knows whether it was taken. The next one says the same again.</summary>
    public void Fail(SliceMessage message)
    {
        lock (_gate)
        {
            if (!ReferenceEquals(message, _underWay))
                return;
            _underWay = null;
            Failures++;
            Again();
        }
    }

    /// <summary>What the store should count for this node when it leaves in order: places and idle units are given back.</summary>
    public SliceMessage Leave()
    {
        Settle(all: true);
        lock (_gate)
        {
            var asks = new List<SliceAsk>();
            foreach ((string _, Slice slice) in new SortedDictionary<string, Slice>(_slices, StringComparer.Ordinal))
            {
                if (!_shared || (slice.Holding == 0 && slice.Owed == 0))
                    continue;
                slice.Holding -= slice.Seize(long.MaxValue) + slice.TakeConsumed();
                asks.Add(new SliceAsk(slice.Terms with { Limit = slice.Limit }, slice.Holding, 0, 0));
            }

            Volatile.Write(ref _leaseUntil, long.MinValue);
            return _underWay = new SliceMessage(Node, ++_sequence, 0, _shared, asks);
        }
    }

    /// <summary>Has a limit looked at in the next message.</summary>
    internal void Want(Slice slice)
    {
        if (!IsShared || !slice.Enlist())
            return;
        _wanted.Enqueue(slice);
        if (!slice.IsDry)
            Poked?.Invoke();
    }

    private long Usable(TimeSpan lease) => (long)(Ticks(lease) * (1 - _settings.Margin));

    private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * _time.TimestampFrequency);

    /// <summary>Stops owning everything: from here on the node has what it uses and asks for more.</summary>
    private void Share()
    {
        Volatile.Write(ref _shared, true);
        foreach (Slice slice in _slices.Values)
        {
            slice.Holding -= slice.Seize(long.MaxValue);
            if (slice.Terms.Kind == SliceKind.Rate)
                slice.Holding = 0;
            if (slice.Holding == 0)
                continue;
            _adopting.Add(slice);
            _later.TryAdd(slice.Terms.Id, slice);
        }
    }

    /// <summary>Nobody else lives: every limit is this node's whole.</summary>
    private void Own()
    {
        foreach (Slice slice in _slices.Values)
        {
            slice.Give(Slice.Whole - slice.Holding);
            slice.Holding = Slice.Whole;
            slice.GoodUntil = long.MaxValue;
        }

        Volatile.Write(ref _shared, false);
    }

    private void Gather()
    {
        while (_wanted.TryDequeue(out Slice? slice))
        {
            slice.Delist();
            slice.IsLow = true;
            _later.TryAdd(slice.Terms.Id, slice);
        }
    }

    /// <summary>Lets owners give back what time has freed. Their locks are taken, so this one must not be held.</summary>
    private void Settle(bool all = false)
    {
        Slice[] active;
        lock (_gate)
        {
            if (!all && (!_shared || _time.GetTimestamp() < _lookAt))
                return;
            active = all ? [.. _slices.Values] : [.. _active];
        }

        foreach (Slice slice in active)
            slice.Settling?.Invoke();
    }

    private void Again()
    {
        foreach (Slice slice in _asked)
        {
            slice.Miss(slice.Asked);
            _later.TryAdd(slice.Terms.Id, slice);
        }

        _asked = [];
    }

    /// <summary>A limit that has nothing left is asked for again after a pause; what is to be given back goes at once.</summary>
    private static long DueAt(Slice slice) =>
        slice.Holding < slice.Told || (slice.IsPressed && slice.Spare > 0) || (slice.Owed > 0 && slice.Spare > -slice.Owed) ? 0 : slice.DryUntil;

    private SliceAsk Ask(Slice slice)
    {
        slice.Holding -= slice.TakeConsumed();
        if (slice.Owed > 0)
        {
            // Spare units were taken away in advance; those that are above nothing again are really free.
            long free = Math.Max(0, slice.Owed - Math.Max(0, -slice.Spare));
            slice.Owed -= free;
            slice.Holding -= free;
        }

        if (slice.IsPressed && slice.Waiting?.Invoke() is null or 0)
            slice.Holding -= slice.Seize(long.MaxValue);
        long need = slice.TakeMissing();
        if (need > 0)
            slice.Piece = slice.Terms.Kind is SliceKind.Funds or SliceKind.Cap ? need : Math.Clamp(need, 1, Math.Max(1, slice.Limit));
        if (slice.IsLow)
            slice.Boost = Math.Clamp(_sentAt - slice.LowAt < Ticks(_settings.Beat) ? slice.Boost * 2 : slice.Boost / 2, 1, 64);
        if (slice.IsLow)
            slice.LowAt = _sentAt;
        if (slice.Waiting is { } waiting)
            need = Math.Max(Math.Min(need, 1), waiting());
        long spare = slice.Spare;
        need = Math.Max(0, need - Math.Max(0, spare));
        if (spare < 0 && slice.Owed == 0)
            need -= spare;
        slice.Asked = need;
        long want = slice.IsLow ? need + Math.Max(0, SliceSizes.Headroom(slice) - Math.Max(0, spare)) : need;
        slice.IsLow = false;
        slice.Told = slice.Holding;
        return new SliceAsk(slice.Terms with { Limit = slice.Limit }, slice.Holding, need, want);
    }

    private bool Take(Slice slice, SliceGrant grant, bool waiting)
    {
        long now = _time.GetTimestamp();
        bool lacks = grant.Units < slice.Asked;
        slice.HeldByAll = grant.HeldByAll;
        slice.IsPressed = grant.Lacking > 0;
        if (slice.Terms.Kind == SliceKind.Rate)
        {
            slice.Seize(long.MaxValue);
            Volatile.Write(ref slice.GoodUntil, _sentAt + Ticks(_settings.TokenLife));
        }
        else
        {
            slice.Holding += grant.Units;
            slice.Told += grant.Units;
        }

        if (grant.Units > 0)
            slice.Give(grant.Units);
        else if (slice.IsPressed && slice.Terms.Kind != SliceKind.Rate)
            Yield(slice, grant.Lacking, grant.Share);
        slice.Looks = 0;
        slice.LeastSpare = long.MaxValue;
        if (lacks)
        {
            slice.Pause = waiting ? Ticks(_settings.DryPause) : Math.Clamp(slice.Pause * 2, Ticks(_settings.DryPause), Ticks(_settings.Beat));
            Volatile.Write(ref slice.Lacks, slice.Lacks + 1);
            Volatile.Write(ref slice.DryUntil, now + slice.Pause);
            if (!waiting && slice.DrySince == long.MaxValue)
                Volatile.Write(ref slice.DrySince, now);

            // Asked once more in any case, so that the store learns when nobody lacks it any longer.
            _later.TryAdd(slice.Terms.Id, slice);
            if (waiting)
                slice.Miss(slice.Asked);
        }
        else
        {
            slice.Pause = 0;
            Volatile.Write(ref slice.Lacks, 0);
            Volatile.Write(ref slice.DryUntil, 0);
            Volatile.Write(ref slice.DrySince, long.MaxValue);
        }

        if (!slice.IsActive && (slice.Holding != 0 || lacks))
        {
            slice.IsActive = true;
            _active.Add(slice);
        }

        return lacks;
    }

    /// <summary>Gives up idle units of a limit that others lack, and of places in use those beyond its share as they free.</summary>
    private void Yield(Slice slice, long lacking, long share)
    {
        slice.IsPressed = true;
        long given = slice.Seize(lacking);
        slice.Holding -= given;
        if (slice.Terms.Kind == SliceKind.Places)
        {
            long owe = Math.Min(lacking - given, slice.Holding - slice.Owed - share) - slice.Owed;
            if (owe > 0)
            {
                slice.Owed += owe;
                slice.Note(owe);
            }
        }

        if (given > 0 || slice.Owed > 0)
            _later.TryAdd(slice.Terms.Id, slice);
    }

    /// <summary>Finds what has been idle for some looks and gives it back.</summary>
    private void Look()
    {
        for (int i = _active.Count - 1; i >= 0; i--)
        {
            Slice slice = _active[i];
            long spare = slice.Spare;
            slice.LeastSpare = Math.Min(slice.LeastSpare, spare);
            slice.Looks++;
            bool changed = slice.Owed > 0;
            if (slice.Looks >= SliceSizes.LooksBeforeReturn)
            {
                long idle = slice.LeastSpare - (slice.Looks >= SliceSizes.LooksBeforeAll ? 0 : SliceSizes.Headroom(slice));
                if (idle > 0 && slice.Seize(idle) is > 0 and var given)
                {
                    slice.Holding -= given;
                    changed = true;
                }

                if (slice.Looks >= SliceSizes.LooksBeforeAll)
                {
                    if (slice.Spare <= 0 && slice.Owed == 0 && (slice.Holding == 0 || slice.Terms.Kind == SliceKind.Period))
                    {
                        // Nothing left to look after; a use brings it back.
                        slice.IsActive = false;
                        _active.RemoveAt(i);
                        changed = true;
                    }

                    slice.Looks = 0;
                    slice.LeastSpare = long.MaxValue;
                }
            }

            if (changed)
                _later.TryAdd(slice.Terms.Id, slice);
        }
    }

}

/// <summary>How large slices are.</summary>
internal static class SliceSizes
{
    /// <summary>Looks after which units that were idle at all of them are given back.</summary>
    public const int LooksBeforeReturn = 3;

    /// <summary>Looks after which an idle limit is given back whole.</summary>
    public const int LooksBeforeAll = 10;

    /// <summary>Units to have spare: a quarter of what is in use, some takes at least, and never much of a limit.</summary>
    public static long Headroom(Slice slice)
    {
        long used = Math.Max(0, slice.Holding - Math.Max(0, slice.Spare));
        long piece = slice.Piece;
        long most = Math.Max(piece, slice.Limit / 8);
        return slice.Terms.Kind switch
        {
            SliceKind.Funds or SliceKind.Cap => piece * 4,
            SliceKind.Period or SliceKind.Window or SliceKind.Rate => Math.Clamp(piece * 2 * slice.Boost, piece, most),
            _ => Math.Clamp(Math.Max(used / 4, piece * slice.Boost), piece, most),
        };
    }
}
