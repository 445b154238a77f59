namespace Glimmer.Platform.Nodes;

/// <summary>
/// A node's part of one limit: a count of units that callers may take here and now, without a lock and without asking anybody. Only the
/// trader changes how many there are in all. While the node is alone it owns every limit whole (<see cref="Whole"/>), and a take is one
/// compare and exchange.
/// </summary>
internal sealed class Slice
{
    /// <summary>Stands for "all there is" while a node is alone.</summary>
    public const long Whole = 1L << 60;

    private readonly SliceTrader _trader;
    private readonly Lock _gate = new();
    private TaskCompletionSource? _answer;
    private long _spare;
    private long _missing;
    private long _least;
    private long _consumed;
    private long _limit;
    private int _queued;
    private volatile bool _pressed;

    internal Slice(SliceTrader trader, in SliceTerms terms, bool whole)
    {
        _trader = trader;
        Terms = terms;
        _limit = terms.Limit;
        _spare = whole ? Whole : 0;
        Holding = whole ? Whole : 0;
    }

    /// <summary>How often its node hears of others at least.</summary>
    public TimeSpan Beat => _trader.Settings.Beat;

    /// <summary>What it is a part of.</summary>
    public SliceTerms Terms { get; }

    /// <summary>Units in all, as callers told last.</summary>
    public long Limit
    {
        get => Volatile.Read(ref _limit);
        set
        {
            if (Volatile.Read(ref _limit) != value)
                Volatile.Write(ref _limit, value);
        }
    }

    /// <summary>Units free here; below nothing while more is in use than is held.</summary>
    public long Spare => Volatile.Read(ref _spare);

    /// <summary>Whether somebody found too little since the last message.</summary>
    public bool HasMissed => Volatile.Read(ref _missing) > 0;

    /// <summary>Called after units came, with no lock held: whoever waits for them may look again.</summary>
    public Action? Refilled { get; set; }

    /// <summary>Units that waiting callers need now; null when nobody waits in a line.</summary>
    public Func<long>? Waiting { get; set; }

    /// <summary>Called by the trader now and then: gives units back that time has freed.</summary>
    public Action? Settling { get; set; }

    /// <summary>Whether the last answer said that there is nothing to be had now: asking again at once would not help.</summary>
    public bool IsDry => Volatile.Read(ref DryUntil) > _trader.Clock.Now;

    /// <summary>Whether several answers in a row said so, or of money that it was called back: others had the time to give back what they do not use.</summary>
    public bool IsExhausted => IsDry && (Terms.IsMoney ? Recall.IsThrough : Volatile.Read(ref Lacks) >= 3);

    /// <summary>Whether it is money that is being called back from other nodes.</summary>
    public bool IsBeingRecalled => Terms.IsMoney && !Recall.IsThrough;

    /// <summary>
    /// Whether funds or a cap leave less than so many units over all nodes: others have given back what they do not use, what they have is in use or charged, and the rest is less.
    /// As of the last answer, which is at most a quarter of a beat old.
    /// </summary>
    public bool IsSpent(long units) => IsExhausted && _trader.MayAdmit && Math.Max(0, Spare) + Volatile.Read(ref Free) < units;

    /// <summary>
    /// Whether a window or a period is used up over all nodes, as far as can be known: the store has nothing left of it, and either this node has all of it, or those that live had
    /// the time to give back what they do not use. What a dead node had counts as used.
    /// </summary>
    public bool IsUsedUp
    {
        get
        {
            long since = Volatile.Read(ref DrySince);
            return since != long.MaxValue && _trader.MayAdmit && (HeldByAll <= Holding || _trader.Clock.Now - since >= _trader.Clock.TimeToYield);
        }
    }

    // The trader's own, under its lock.

    /// <summary>How far money that is lacking has been called back.</summary>
    internal SliceRecall Recall { get; } = new();

    /// <summary>Of money, what no node held at the last answer.</summary>
    internal long Free;

    /// <summary>The least that one caller lacked in the message under way; see <see cref="SliceAsk.Least"/>.</summary>
    internal long AskedLeast { get; set; }

    /// <summary>Of money, what it lacked at the last answer that had too little, and until when others are held to giving back for it.</summary>
    internal long Lacked { get; set; }

    internal long LackedUntil { get; set; } = long.MinValue;

    /// <summary>Whether charges were booked that the store has not heard of.</summary>
    internal bool HasConsumed => Volatile.Read(ref _consumed) != 0;

    /// <summary>Units that the store counts for this node, less what the trader has given back since.</summary>
    internal long Holding { get; set; }

    /// <summary>Units to be given up that are still in use.</summary>
    internal long Owed { get; set; }

    /// <summary>Units of all nodes, when it was asked last.</summary>
    internal long HeldByAll { get; set; }

    /// <summary>Least spare units at the last looks, and how many looks.</summary>
    internal long LeastSpare { get; set; } = long.MaxValue;

    internal int Looks { get; set; }

    /// <summary>How long asking pauses while there is nothing to be had, in timestamp ticks.</summary>
    internal long Pause { get; set; }

    internal bool IsActive { get; set; }

    /// <summary>What the store was told last, with what it granted then.</summary>
    internal long Told { get; set; }

    /// <summary>Whether other nodes lack it, so that what frees here is given back at once unless somebody waits for it here.</summary>
    internal bool IsPressed
    {
        get => _pressed;
        set => _pressed = value;
    }

    /// <summary>Whether a caller found few or none.</summary>
    internal bool IsLow { get; set; }

    internal long LowAt { get; set; } = long.MinValue / 2;

    /// <summary>Grows while it is asked for again and again.</summary>
    internal long Boost { get; set; } = 1;

    /// <summary>Units that it lacked in the message under way.</summary>
    internal long Asked { get; set; }

    /// <summary>Size of a take that found too little.</summary>
    internal long Piece { get; set; } = 1;

    internal long DryUntil;

    /// <summary>When the first of the answers came that had too little; the greatest number when the last one had enough.</summary>
    internal long DrySince = long.MaxValue;

    /// <summary>Answers in a row that had too little.</summary>
    internal int Lacks;

    internal long GoodUntil = long.MaxValue;

    /// <summary>Takes units; false when there are too few, and then the trader asks for more.</summary>
    public bool TryTake(long units)
    {
        long seen = Volatile.Read(ref _spare);
        while (seen >= units)
        {
            if (!_trader.MayAdmit || (Terms.Kind == SliceKind.Rate && Volatile.Read(ref GoodUntil) < _trader.Clock.Now))
                break;
            long before = Interlocked.CompareExchange(ref _spare, seen - units, seen);
            if (before == seen)
            {
                if (seen - units < units)
                    _trader.Want(this);
                return true;
            }

            seen = before;
        }

        Miss(units);
        return false;
    }

    /// <summary>Takes units as long as there is any at all, more than there are too: the last caller may go beyond.</summary>
    public bool TryOverdraw(long units)
    {
        long seen = Volatile.Read(ref _spare);
        while (seen > 0)
        {
            if (!_trader.MayAdmit)
                break;
            long before = Interlocked.CompareExchange(ref _spare, seen - units, seen);
            if (before == seen)
            {
                if (seen - units < units)
                    _trader.Want(this);
                return true;
            }

            seen = before;
        }

        Miss(units, 1);
        return false;
    }

    /// <summary>Notes units that are in use already, whether there are any or not: what is known from before a restart.</summary>
    public void Note(long units) => Interlocked.Add(ref _spare, -units);

    /// <summary>Gives units back.</summary>
    public void Give(long units)
    {
        Interlocked.Add(ref _spare, units);
        if (_pressed)
            _trader.Want(this);
    }

    /// <summary>Notes that units in use are booked: they leave the limit itself and are no more this node's.</summary>
    public void Consume(long units)
    {
        if (units == 0 || !_trader.IsShared)
        {
            // Alone, a node holds everything whatever is booked.
            Give(units);
            return;
        }

        Interlocked.Add(ref _consumed, units);
        if (_pressed)
            _trader.Want(this);
    }

    /// <summary>Completes with the next answer about it; at once when there is nothing to wait for.</summary>
    public Task NextAnswer()
    {
        lock (_gate)
        {
            _answer ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _answer.Task;
        }
    }

    internal void Answer()
    {
        lock (_gate)
        {
            _answer?.TrySetResult();
            _answer = null;
        }

        Refilled?.Invoke();
    }

    internal void Miss(long units) => Miss(units, units);

    /// <summary>Notes that a caller found too little.</summary>
    /// <param name="units">What it was to have.</param>
    /// <param name="least">What would have let it pass.</param>
    internal void Miss(long units, long least)
    {
        long seen = Volatile.Read(ref _missing);
        if (seen < 1 << 20 || seen < units)
            Interlocked.Add(ref _missing, units);
        if (Terms.IsMoney)
        {
            for (seen = Volatile.Read(ref _least); (seen == 0 || least < seen) && Interlocked.CompareExchange(ref _least, least, seen) != seen; seen = Volatile.Read(ref _least))
            {
            }

            // What others lack may be more than what this caller does.
            if (Math.Max(0, Spare) + Volatile.Read(ref Free) >= least)
                Volatile.Write(ref DryUntil, 0);
        }

        _trader.Want(this);
    }

    /// <summary>Whether this call is the one that puts it into the trader's list.</summary>
    internal bool Enlist() => Volatile.Read(ref _queued) == 0 && Interlocked.Exchange(ref _queued, 1) == 0;

    internal void Delist() => Volatile.Write(ref _queued, 0);

    internal long TakeMissing() => Interlocked.Exchange(ref _missing, 0);

    internal long TakeLeast() => Interlocked.Exchange(ref _least, 0);

    internal long TakeConsumed() => Interlocked.Exchange(ref _consumed, 0);

    /// <summary>Takes spare units away for good, as many as there are up to a number.</summary>
    internal long Seize(long most)
    {
        long seen = Volatile.Read(ref _spare);
        while (true)
        {
            long part = Math.Min(most, seen);
            if (part <= 0)
                return 0;
            long before = Interlocked.CompareExchange(ref _spare, seen - part, seen);
            if (before == seen)
                return part;
            seen = before;
        }
    }

    /// <summary>The store does not count its units any more: what is in use stays so and must be asked for again.</summary>
    internal void Lose()
    {
        long lost = Holding;
        Holding = 0;
        Told = 0;
        Owed = 0;
        if (Terms.Kind is SliceKind.Period or SliceKind.Rate)
        {
            // The store counts all of it as used until the period ends, so nothing is asked for again.
            Interlocked.Exchange(ref _spare, 0);
            return;
        }

        Interlocked.Add(ref _spare, -lost);
    }
}
