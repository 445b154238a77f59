using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>
/// An account that never has much, used at all nodes. As long as what is left over all nodes covers a request, it is admitted within a
/// stated number of answers; it is told that the account has too little only when that is true over all nodes.
/// </summary>
internal sealed partial class SliceSimulation
{
    /// <summary>Beats within which a request is admitted that the money suffices for, where nothing fails.</summary>
    public const double LastBeats = 2;

    /// <summary>Answers about the account that the node of such a request hears at most.</summary>
    public const int LastAnswers = 10;

    /// <summary>How old it is at most, in beats, that there is too little when a caller is told so.</summary>
    public const double SpentBeats = 0.3;

    /// <summary>How long money that nobody uses any more is on its way from its node to the store: an exchange that is under way, and the next one.</summary>
    public const double MovingMs = 50;

    private const string LastOwner = "last";

    private sealed class LastMoney
    {
        private const long Most = 5000;
        private const long Deposit = 60_000;
        private readonly SliceSimulation _world;
        private readonly Queue<(double At, long Left)> _lefts = new();
        private readonly List<Wish> _covered = [];
        private readonly Queue<(double At, long Units)> _moving = new();
        private long _movingUnits;
        private long _aside;
        private long _orphans;

        public LastMoney(SliceSimulation world)
        {
            _world = world;
            Books = Deposit;
        }

        public long Books
        {
            get => _world.Store.Funds[LastOwner];
            set => _world.Store.Funds[LastOwner] = value;
        }

        public long Admitted { get; private set; }

        public long Spent { get; private set; }

        public int MostAnswers { get; private set; }

        public double MostMs { get; private set; }

        // What was freed or booked a moment ago is known to the store when its node has said so.
        private long Left
        {
            get
            {
                while (_moving.TryPeek(out (double At, long Units) first) && first.At < _world.Now - MovingMs)
                    _movingUnits -= _moving.Dequeue().Units;
                return Books - _aside - _movingUnits - _covered.Sum(static wish => wish.Worst);
            }
        }

        private bool IsQuiet => _world.Plan is { Deaths: 0, Cuts: 0, Failovers: 0, Loss: 0 };

        public void Ask(Node node)
        {
            if (!node.IsAlive)
                return;

            // Mostly near its end: money comes when a request does not find enough, and then little.
            if (Books < Most && _world._random.Next(20) == 0)
                Books += Deposit;
            long worst = _world._random.Next(100, (int)Most);
            var wish = new Wish(worst, _world.Now) { IsCovered = Left >= worst };
            if (wish.IsCovered)
                _covered.Add(wish);
            node.AskLast(wish);
        }

        public void Began(Wish wish)
        {
            _covered.Remove(wish);
            _aside += wish.Worst;
            Admitted++;
            Note();

            // One that came when there was too little has got what freed, or what others were to have: it does not suffice for all of them any more.
            for (int i = _covered.Count - 1; i >= 0 && Left < 0; i--)
            {
                _covered[i].IsCovered = false;
                _covered.RemoveAt(i);
            }

            if (!wish.IsCovered || !IsQuiet)
                return;
            MostAnswers = Math.Max(MostAnswers, wish.Answers);
            MostMs = Math.Max(MostMs, _world.Now - wish.Since);
        }

        /// <summary>Set aside before, and not used or gone with its node.</summary>
        public void Freed(long units)
        {
            _aside -= units;
            Move(units);
        }

        public void Booked(long cost, bool orphan)
        {
            _aside -= cost;
            Books -= cost;
            _orphans += orphan ? cost : 0;
            Move(cost);
            if (Books + _orphans < 0)
                _world.Fault($"last money: {Books} left, and orphans took {_orphans}.");
        }

        /// <summary>It waits no more, and has nothing.</summary>
        public void Dropped(Wish wish) => _covered.Remove(wish);

        /// <summary>A wish is still open.</summary>
        public void Check(Wish wish)
        {
            if (IsQuiet && wish.IsCovered && (wish.Answers > LastAnswers || _world.Now - wish.Since > LastBeats * _world.Plan.Settings.Beat.TotalMilliseconds))
                _world.Fault($"last money: {wish.Worst} of {Books} less {_aside} was not to be had in {wish.Answers} answers and {_world.Now - wish.Since:0} ms.");
        }

        /// <summary>It was said that less is left than a request needs.</summary>
        public void Told(Wish wish)
        {
            Spent++;
            Note();
            if (IsQuiet && !_lefts.Any(each => each.Left < wish.Worst))
                _world.Fault($"last money: {wish.Worst} were called spent, {Books - _aside} are left, and for {SpentBeats} beats there was never less than was asked for.");
        }

        private void Move(long units)
        {
            _moving.Enqueue((_world.Now, units));
            _movingUnits += units;
            Note();
        }

        private void Note()
        {
            _lefts.Enqueue((_world.Now, Left));
            while (_lefts.Count > 1 && _lefts.ElementAt(1).At < _world.Now - (SpentBeats * _world.Plan.Settings.Beat.TotalMilliseconds))
                _lefts.Dequeue();
        }
    }

    /// <summary>A request that waits for money.</summary>
    private sealed class Wish(long worst, double since)
    {
        public long Worst => worst;

        public double Since => since;

        /// <summary>Whether the money suffices for it and all others that came before it and wait.</summary>
        public bool IsCovered { get; set; }

        public int Answers { get; set; }
    }

    /// <summary>A request that has set money aside.</summary>
    private sealed class LastRequest
    {
        public long Aside { get; set; }

        public bool IsOrphan { get; set; }
    }

    private sealed partial class Node
    {
        private readonly List<Wish> _wishes = [];
        private readonly List<LastRequest> _lastRunning = [];

        private Slice Last => Trader.Of(new SliceTerms("f:last", SliceKind.Funds, 0) { Owner = LastOwner });

        public void AskLast(Wish wish)
        {
            if (TryLast(wish))
                return;
            _wishes.Add(wish);
            int life = _life;
            world.At(world.Now + (LastBeats * world.Plan.Settings.Beat.TotalMilliseconds) + 1, () =>
            {
                // Here a caller is told to try again; in failure that is all there is to it.
                if (life != _life || !_wishes.Contains(wish))
                    return;
                world._last.Check(wish);
                Drop(wish);
            });
        }

        private void StartLast() => Last.Refilled = PumpLast;

        private void EndLast()
        {
            foreach (LastRequest request in _lastRunning)
                world._last.Freed(request.Aside);
            _lastRunning.Clear();
            while (_wishes.Count > 0)
                Drop(_wishes[^1]);
        }

        private void PumpLast()
        {
            foreach (Wish wish in _wishes.ToArray())
            {
                wish.Answers++;
                if (TryLast(wish))
                {
                    _wishes.Remove(wish);
                }
                else if (wish.Answers >= SlicePlaces.AnswersToBeSpent && Last.IsSpent(wish.Worst))
                {
                    world._last.Told(wish);
                    Drop(wish);
                }
                else
                {
                    world._last.Check(wish);
                }
            }
        }

        private void Drop(Wish wish)
        {
            _wishes.Remove(wish);
            world._last.Dropped(wish);
        }

        private bool TryLast(Wish wish)
        {
            Slice funds = Last;
            if (!Take(funds, wish.Worst))
                return false;
            world._last.Began(wish);
            var request = new LastRequest { Aside = wish.Worst };
            _lastRunning.Add(request);
            int life = _life;
            world.At(world.Now + Length(), () => SettleLast(request, life));
            return true;
        }

        private void SettleLast(LastRequest request, int life)
        {
            if (life != _life)
                return;
            long cost = world._random.Next(0, (int)request.Aside), back = request.Aside - cost;
            request.Aside = cost;
            world._last.Freed(back);
            Last.Give(back);
            BookLast(request, life);
        }

        private void BookLast(LastRequest request, int life) => world.At(world.Now + 5 + (world._random.NextDouble() * 100), () =>
        {
            if (life != _life)
                return;
            if (!IsReachable)
            {
                BookLast(request, life);
                return;
            }

            _lastRunning.Remove(request);
            world._last.Booked(request.Aside, request.IsOrphan);
            Last.Consume(request.Aside);
        });
    }
}
