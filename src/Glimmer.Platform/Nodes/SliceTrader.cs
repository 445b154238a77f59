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
    private readonly SliceClock _clock;
    private readonly SliceLease _lease;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Slice> _slices = new(StringComparer.Ordinal);
    private readonly SliceAgenda _agenda = new();
    private readonly SliceIdleness _idleness;
    private readonly SliceBargain _bargain;
    private readonly HashSet<Slice> _adopting = [];
    private Slice[] _asked = [];
    private SliceMessage? _underWay;
    private long _sentAt;
    private long _lookAt;
    private long _sequence;
    private bool _shared = true;

    /// <summary>With the clock that measures leases; only its timestamps are used, never its date.</summary>
    public SliceTrader(SliceSettings settings, TimeProvider time)
    {
        _settings = settings;
        _clock = new SliceClock(settings, time);
        _lease = new SliceLease(_clock);
        _idleness = new SliceIdleness(_agenda);
        _bargain = new SliceBargain(_clock, _agenda, _idleness);
        _lookAt = _clock.Now;
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

    internal SliceClock Clock => _clock;

    internal SliceSettings Settings => _settings;

    /// <summary>Whether units may be taken now: the node owns everything, or its lease runs for sure.</summary>
    public bool MayAdmit => !Volatile.Read(ref _shared) || _lease.Runs;

    /// <summary>How long units may still be taken without news of the store.</summary>
    public TimeSpan LeaseLeft => _lease.Left;

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
            _lease.Begin(sentAt, shared ? _settings.Lease : _settings.LoneLease);
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
        _sentAt = _clock.Now;
        Slice[] settling;
        lock (_gate)
            settling = _shared && _clock.Now >= _lookAt ? [.. _idleness.Active] : [];
        SliceIdleness.Settle(settling);
        lock (_gate)
        {
            long now = _clock.Now;
            if (!_shared)
                return _underWay = new SliceMessage(Node, ++_sequence, (long)_settings.LoneLease.TotalMilliseconds, false, []);
            if (now >= _lookAt)
            {
                _lookAt = now + _clock.Beat;
                _idleness.Look();
            }

            _agenda.Gather();
            _asked = _agenda.TakeDue(now, _adopting.Count == 0 ? _settings.BatchLimit : int.MaxValue);
            SliceAsk[] asks = [.. _asked.Select(slice => _bargain.Ask(slice, _sentAt))];

            // Others are told that they may take part in the message that names everything in use here, never before.
            bool told = _adopting.Count == 0 || _adopting.IsSubsetOf(_asked);
            return _underWay = new SliceMessage(Node, ++_sequence, (long)_settings.Lease.TotalMilliseconds, told, asks);
        }
    }

    /// <summary>How long until something is to be said, if nothing is wanted before.</summary>
    public TimeSpan UntilNext()
    {
        lock (_gate)
        {
            _agenda.Gather();
            return _clock.Until(_clock.Now, _agenda.FirstDue(_sentAt + _clock.Beat));
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
                _lease.End();
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
            _lease.Begin(_sentAt, TimeSpan.FromMilliseconds(message.LeaseMs));
            _adopting.ExceptWith(asked);
            if (!_shared && reply.Nodes > 1)
                Share();

            int starved = 0;
            for (int i = 0; i < asked.Length; i++)
                starved += _bargain.Take(asked[i], reply.Grants[i], reply.IsWaiting, _sentAt) ? 1 : 0;
            Starved = starved;
            foreach (SlicePressure pressure in reply.Pressures)
            {
                // What was asked for now is answered above; this is older.
                if (_slices.TryGetValue(pressure.Id, out Slice? pressed) && Array.IndexOf(asked, pressed) < 0)
                    _bargain.Yield(pressed, pressure.Lacking, pressure.Share);
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
        SliceIdleness.Settle(_slices.Values);
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

            _lease.End();
            return _underWay = new SliceMessage(Node, ++_sequence, 0, _shared, asks);
        }
    }

    /// <summary>Has a limit looked at in the next message.</summary>
    internal void Want(Slice slice)
    {
        if (IsShared && _agenda.Want(slice) && !slice.IsDry)
            Poked?.Invoke();
    }

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
            _agenda.Add(slice);
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

    private void Again()
    {
        foreach (Slice slice in _asked)
        {
            slice.Miss(slice.Asked, slice.AskedLeast);
            _agenda.Add(slice);
        }

        _asked = [];
    }
}
