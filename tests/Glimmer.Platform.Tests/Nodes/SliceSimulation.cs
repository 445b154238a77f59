using System.Globalization;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>What a simulated run is made of.</summary>
internal sealed record SimulationPlan
{
    public int Nodes { get; init; } = 64;

    public double Seconds { get; init; } = 60;

    /// <summary>Most by which a clock's rate differs from true time.</summary>
    public double Drift { get; init; } = 0.01;

    /// <summary>Chance that a message or its answer is lost, and that a message comes twice.</summary>
    public double Loss { get; init; } = 0.03;

    /// <summary>Deaths, cuts of the network and failovers a minute, over all nodes.</summary>
    public double Deaths { get; init; } = 12;

    public double Cuts { get; init; } = 8;

    public double Failovers { get; init; } = 2;

    /// <summary>Requests a second over all nodes, for each limit.</summary>
    public double Demand { get; init; } = 60;

    /// <summary>Whether an account's last money is spent at all nodes too.</summary>
    public bool LastMoney { get; init; } = true;

    public SliceSettings Settings { get; init; } = new() { Lease = TimeSpan.FromSeconds(10), Beat = TimeSpan.FromSeconds(1), AlwaysShared = true };
}

/// <summary>
/// Many nodes, one store, and everything between them that goes wrong: a discrete-event simulation in which the real slices, traders and
/// exchange rules run. Time is in milliseconds. Whatever breaks a bound is in <see cref="Faults"/>.
/// </summary>
internal sealed partial class SliceSimulation
{
    public const long WindowMs = 15_000;
    public const long WindowLimit = 400;
    public const long PeriodLimit = 1500;
    public const long RateLimit = 600;
    public const long RateBurst = 20;
    public const long StartFunds = 2_000_000;
    private const double Timeout = 3000;
    private const double Patience = 4000;
    private static readonly (string Id, long Limit)[] Places = [("k:a", 1), ("k:b", 3), ("k:c", 50), ("k:d", 500)];
    private readonly PriorityQueue<Action, (double, long)> _events = new();
    private readonly Random _random;
    private readonly Node[] _nodes;
    private readonly Dictionary<string, (long Regular, long Orphans)> _running = new(StringComparer.Ordinal);
    private readonly Queue<(double At, long Units)> _window = new();
    private readonly double _storeRate;
    private readonly LastMoney _last;
    private readonly Dictionary<string, double> _busy = new(StringComparer.Ordinal);
    private long _windowUsed;
    private long _order;
    private double _storeOffset;
    private double _jumped;
    private bool _down;
    private double _rateFullAt;
    private double _lastAccount;

    public SliceSimulation(SimulationPlan plan, int seed)
    {
        Plan = plan;
        _random = new Random(seed);
        _storeRate = Rate();
        Store.Funds["acct"] = StartFunds;
        _last = new LastMoney(this);
        Store.Buried = Orphan;
        _nodes = [.. Enumerable.Range(0, plan.Nodes).Select(index => new Node(this, index))];
        foreach ((string id, _) in Places)
        {
            _running[id] = default;
            _busy[id] = 0;
        }
    }

    public SimulationPlan Plan { get; }

    public MemorySliceStore Store { get; } = new();

    public List<string> Faults { get; } = [];

    public double Now { get; private set; }

    public long Messages { get; private set; }

    public long Asks { get; private set; }

    public long Admitted { get; private set; }

    public long Refused { get; private set; }

    public long PeriodUsed { get; private set; }

    public long OrphanCost { get; private set; }

    public long MostOrphans { get; private set; }

    /// <summary>Requests that were admitted on an account's last money, and how many answers the slowest of them took.</summary>
    public (long Admitted, long Spent, int MostAnswers, double MostBeats) Last => (_last.Admitted, _last.Spent, _last.MostAnswers, _last.MostMs / Plan.Settings.Beat.TotalMilliseconds);

    public long Fences => _nodes.Sum(node => node.Fences + node.Trader.Fences);

    /// <summary>Part of a limit of places that was in use on average.</summary>
    public double Utilisation(string id) => _busy[id] / Places.First(place => place.Id == id).Limit / Now;

    public void Run()
    {
        for (int i = 0; i < _nodes.Length; i++)
        {
            Node node = _nodes[i];
            At(_random.NextDouble() * 1000, node.Start);
        }

        Every(60_000 / Math.Max(Plan.Deaths, 1e-9), () => Pick().Die());
        Every(60_000 / Math.Max(Plan.Cuts, 1e-9), () => Pick().CutUntil = Now + (_random.NextDouble() * 20_000));
        Every(60_000 / Math.Max(Plan.Failovers, 1e-9), Failover);
        double gap = 1000 / Plan.Demand;
        foreach ((string id, long limit) in Places)
            Every(Math.Min(gap, 1000.0 / limit / 1.5), () => Pick().AskPlace(id));
        Every(gap, () => Pick().UsePeriod());
        Every(gap, () => Pick().UseWindow());
        Every(gap / 2, () => Pick().UseRate());
        Every(gap, () => Pick().UseFunds());
        if (Plan.LastMoney)
            Every(gap, () => _last.Ask(Pick()));
        Tick();
        while (_events.TryDequeue(out Action? next, out (double At, long) when) && when.At <= Plan.Seconds * 1000 && Faults.Count == 0)
        {
            Advance(when.At);
            next();
        }

        Faults.AddRange(Store.Check());
    }

    private void Advance(double to)
    {
        foreach ((string id, _) in Places)
            _busy[id] += _running[id].Regular * (to - _lastAccount);
        _lastAccount = Now = to;
        Store.Now = Math.Max(Store.Now, (long)((to * _storeRate) + _storeOffset) + 1_000_000);
    }

    private void Tick()
    {
        if (!_down)
            Store.Maintain();
        At(Now + 500, Tick);
    }

    private void Failover()
    {
        if (_down)
            return;
        _down = true;
        At(Now + (_random.NextDouble() * 12_000), () =>
        {
            _down = false;

            // The new server's clock; together within the margin for one lease.
            double jump = (_random.NextDouble() * 2 - 1) * 800;
            _storeOffset += jump;
            _jumped += Math.Abs(jump);
        });
    }

    private void Orphan(long id)
    {
        if (Array.Find(_nodes, node => node.IsAlive && node.Trader.Node == id) is not { } node)
            return;
        node.Orphan();
        MostOrphans = Math.Max(MostOrphans, _running.Values.Sum(each => each.Orphans));
    }

    private double Rate() => 1 + (((_random.NextDouble() * 2) - 1) * Plan.Drift);

    private Node Pick() => _nodes[(int)(_nodes.Length * Math.Pow(_random.NextDouble(), 1.5))];

    private void At(double when, Action what) => _events.Enqueue(what, (when, _order++));

    private void Every(double mean, Action what)
    {
        void Next()
        {
            if (Now > 0)
                what();
            At(Now - (Math.Log(1 - _random.NextDouble()) * mean), Next);
        }

        At(0, Next);
    }

    private double Delay() => 0.3 + (_random.NextDouble() < Plan.Loss / 2 ? _random.NextDouble() * 4000 : _random.NextDouble() * 3);

    private void Fault(string what) => Faults.Add(string.Create(CultureInfo.InvariantCulture, $"At {Now:0.0} ms: {what}"));

    private void Begin(string id, int by, bool orphan = false)
    {
        (long regular, long orphans) = _running[id];
        _running[id] = orphan ? (regular, orphans + by) : (regular + by, orphans);
        long limit = Places.First(place => place.Id == id).Limit;
        if (by > 0 && !orphan && regular + by > limit)
            Fault($"{id}: {regular + by} in flight, {limit} allowed.");
    }

    private void NoteWindow(double at, long units)
    {
        _window.Enqueue((at, units));
        _windowUsed += units;
        while (_window.TryPeek(out var first) && first.At < at - (WindowMs / (1 + Plan.Drift)))
            _windowUsed -= _window.Dequeue().Units;
        if (_windowUsed > WindowLimit)
            Fault($"window: {_windowUsed} used, {WindowLimit} allowed.");
    }

    private void NoteRate()
    {
        double interval = 60_000.0 / RateLimit / (1 + (3 * Plan.Drift));
        double burst = RateBurst + ((Plan.Settings.TokenLife.TotalMilliseconds * (1 + (3 * Plan.Drift)) + _jumped) / interval);
        double next = Math.Max(_rateFullAt, Now) + interval;
        if (next - Now > (interval * burst) + 0.001)
            Fault($"rate: a call came {next - Now - (interval * burst):0} ms too early.");
        _rateFullAt = next;
    }

    /// <summary>A process: its clock, its trader, what runs in it.</summary>
    private sealed partial class Node(SliceSimulation world, int index) : TimeProvider
    {
        private readonly List<Request> _requests = [];
        private readonly Dictionary<string, Queue<double>> _lines = new(StringComparer.Ordinal);
        private double _rate = 1;
        private double _offset;
        private int _life;
        private bool _sending;
        private bool _poked;
        private RollingWindow _window = new(TimeSpan.FromMilliseconds(WindowMs));

        public SliceTrader Trader { get; private set; } = new(world.Plan.Settings, TimeProvider.System);

        public bool IsAlive { get; private set; }

        public double CutUntil { get; set; }

        public long Fences { get; private set; }

        public override long TimestampFrequency => 1_000_000;

        public override long GetTimestamp() => (long)(((world.Now * _rate) + _offset) * 1000);

        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddYears(56).AddTicks(GetTimestamp() * 10);

        private bool IsReachable => !world._down && CutUntil < world.Now;

        public void Start()
        {
            _life++;
            _rate = world.Rate();
            _offset = world._random.NextDouble() * 1e7;
            _window = new RollingWindow(TimeSpan.FromMilliseconds(WindowMs));
            _lines.Clear();
            _sending = _poked = false;
            Trader = new SliceTrader(world.Plan.Settings, this) { Poked = Poke };
            Slice window = Window;
            window.Settling = Expire;
            foreach ((string id, _) in Places)
            {
                Queue<double> line = _lines[id] = new Queue<double>();
                Place(id).Waiting = () => line.Count(until => until > world.Now);
                Place(id).Refilled = () => Pump(id);
            }

            StartLast();
            IsAlive = true;
            Register();
        }

        public void Die()
        {
            if (!IsAlive)
                return;
            IsAlive = false;
            Fences += Trader.Fences;
            _life++;
            foreach (Request request in _requests)
                request.Vanish(world);
            _requests.Clear();
            EndLast();
            world.At(world.Now + (world._random.NextDouble() * 15_000), Start);
        }

        public void Orphan()
        {
            foreach (Request request in _requests)
                request.Orphan(world);
            foreach (LastRequest request in _lastRunning)
                request.IsOrphan = true;
        }

        public void AskPlace(string id)
        {
            if (!IsAlive)
                return;
            if (_lines[id].Count == 0 && TryPlace(id))
                return;
            if (_lines[id].Count >= 20)
            {
                world.Refused++;
                return;
            }

            _lines[id].Enqueue(world.Now + Patience);
            Place(id).Miss(0);
        }

        public void UsePeriod()
        {
            if (!IsAlive || !Take(Trader.Of(new SliceTerms("d:a", SliceKind.Period, PeriodLimit) { Expires = long.MaxValue }), 1))
                return;
            world.PeriodUsed++;
            if (world.PeriodUsed > PeriodLimit)
                world.Fault($"period: {world.PeriodUsed} used, {PeriodLimit} allowed.");
        }

        public void UseWindow()
        {
            if (!IsAlive)
                return;
            Expire();
            long units = world._random.Next(1, 4);
            if (!Take(Window, units))
                return;
            _window.Add(GetUtcNow(), units);
            world.NoteWindow(world.Now, units);
        }

        public void UseRate()
        {
            if (IsAlive && Take(Trader.Of(new SliceTerms("r:a", SliceKind.Rate, RateLimit) { Burst = RateBurst }), 1))
                world.NoteRate();
        }

        public void UseFunds()
        {
            if (!IsAlive)
                return;
            Slice funds = Trader.Of(new SliceTerms("f:a", SliceKind.Funds, 0) { Owner = "acct" });
            long worst = world._random.Next(100, 5000);
            if (!Take(funds, worst))
                return;
            var request = new Request("", worst);
            _requests.Add(request);
            int life = _life;
            world.At(world.Now + Length(), () => Settle(request, funds, life));
        }

        private Slice Window => Trader.Of(new SliceTerms("w:a", SliceKind.Window, WindowLimit) { KeepMs = WindowMs });

        private Slice Place(string id) => Trader.Of(new SliceTerms(id, SliceKind.Places, Places.First(place => place.Id == id).Limit));

        private double Length() => -Math.Log(1 - world._random.NextDouble()) * 800;

        private bool Take(Slice slice, long units)
        {
            if (!slice.TryTake(units))
            {
                world.Refused++;
                return false;
            }

            world.Admitted++;
            if (world.Store.Nodes.All(node => node.Id != Trader.Node))
                world.Fault($"node {index} admitted on {slice.Terms.Id} after its slices were given away.");
            return true;
        }

        private void Expire()
        {
            long before = _window.Used;
            _window.Expire(GetUtcNow());
            if (before > _window.Used)
                Window.Give(before - _window.Used);
        }

        private bool TryPlace(string id)
        {
            // As admission does: a node that owns everything counts for itself.
            Slice slice = Place(id);
            if (_requests.Count(request => request.Place == id) >= slice.Limit || !Take(slice, 1))
                return false;
            var request = new Request(id, 0);
            _requests.Add(request);
            world.Begin(id, 1);
            int life = _life;
            world.At(world.Now + Length(), () =>
            {
                if (life != _life)
                    return;
                request.Vanish(world);
                _requests.Remove(request);
                slice.Give(1);
                Pump(id);
            });
            return true;
        }

        private void Pump(string id)
        {
            Queue<double> line = _lines[id];
            while (line.TryPeek(out double until))
            {
                if (until < world.Now)
                {
                    line.Dequeue();
                    world.Refused++;
                }
                else if (TryPlace(id))
                {
                    line.Dequeue();
                }
                else
                {
                    break;
                }
            }
        }

        private void Settle(Request request, Slice funds, int life)
        {
            if (life != _life)
                return;
            long cost = world._random.Next(0, (int)request.Worst);
            funds.Give(request.Worst - cost);
            Commit(request, funds, cost, life);
        }

        // The books follow when the store can be reached; what is not booked when the process dies is lost.
        private void Commit(Request request, Slice funds, long cost, int life) => world.At(world.Now + 5 + (world._random.NextDouble() * 100), () =>
        {
            if (life != _life)
                return;
            if (!IsReachable)
            {
                Commit(request, funds, cost, life);
                return;
            }

            long left = world.Store.Funds["acct"] -= cost;
            if (request.IsOrphan)
                world.OrphanCost += cost;
            if (left + world.OrphanCost < 0)
                world.Fault($"funds: {left} left, and orphans took {world.OrphanCost}.");
            _requests.Remove(request);
            funds.Consume(cost);
        });

        private void Poke()
        {
            if (_poked)
                return;
            _poked = true;
            int life = _life;
            world.At(world.Now + 0.2, () =>
            {
                if (life == _life && !_sending)
                    Send();
            });
        }

        private void Register()
        {
            int life = _life;
            long sentAt = GetTimestamp();
            _sending = true;
            double there = world.Now + world.Delay();
            bool answered = false;
            world.At(there, () =>
            {
                if (life != _life || !IsReachable || world._random.NextDouble() < world.Plan.Loss)
                    return;
                NodeLeaseRow row = world.Store.Register(world.Plan.Settings, Trader.Node != 0);
                world.At(world.Now + world.Delay(), () =>
                {
                    if (life != _life || answered || world._random.NextDouble() < world.Plan.Loss)
                        return;
                    answered = true;
                    Trader.Register(row.Id, row.Shared != 0, sentAt);
                    _sending = false;
                    Send();
                });
            });
            world.At(world.Now + Timeout, () =>
            {
                if (life == _life && !answered)
                {
                    answered = true;
                    Register();
                }
            });
        }

        private void Send()
        {
            int life = _life;
            _poked = false;
            _sending = true;
            SliceMessage message = Trader.Prepare();
            world.Messages++;
            world.Asks += message.Asks.Count;
            bool ended = false;
            void Arrive(bool again)
            {
                if (!IsReachable || world._random.NextDouble() < world.Plan.Loss)
                    return;
                SliceReply reply = world.Store.Trade(message);
                if (again || world._random.NextDouble() < world.Plan.Loss)
                    return;
                world.At(world.Now + world.Delay(), () =>
                {
                    if (life != _life)
                        return;

                    // Also when it comes after its time: the trader must throw it away by itself.
                    bool known = Trader.Apply(message, reply);
                    if (ended)
                        return;
                    ended = true;
                    if (known)
                        Next(life, Trader.UntilNext().TotalMilliseconds);
                    else
                        Register();
                });
            }

            world.At(world.Now + world.Delay(), () => Arrive(false));
            if (world._random.NextDouble() < world.Plan.Loss)
                world.At(world.Now + (world._random.NextDouble() * 8000), () => Arrive(true));
            world.At(world.Now + Timeout, () =>
            {
                if (ended || life != _life)
                    return;
                ended = true;
                Trader.Fail(message);
                Next(life, 50);
            });
        }

        private void Next(int life, double pause)
        {
            _sending = false;
            if (_poked)
                pause = Math.Min(pause, 0.2);
            world.At(world.Now + Math.Max(0.2, pause), () =>
            {
                if (life == _life && !_sending)
                    Send();
            });
        }
    }

    /// <summary>A request in flight: a place, or funds set aside.</summary>
    private sealed class Request(string place, long worst)
    {
        public string Place => place;

        public long Worst => worst;

        public bool IsOrphan { get; private set; }

        public void Vanish(SliceSimulation world)
        {
            if (place.Length > 0)
                world.Begin(place, -1, IsOrphan);
        }

        public void Orphan(SliceSimulation world)
        {
            if (IsOrphan)
                return;
            if (place.Length > 0)
            {
                world.Begin(place, -1);
                world.Begin(place, 1, orphan: true);
            }

            IsOrphan = true;
        }
    }
}
