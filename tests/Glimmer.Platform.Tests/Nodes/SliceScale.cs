using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Tests.Nodes;

/// <summary>One load on so many nodes.</summary>
/// <param name="Nodes">Nodes.</param>
/// <param name="Keys">Keys, each of an account of its own; one asks the more often the smaller its number is (Zipf, exponent 0.8).</param>
/// <param name="Rate">Requests a second over all nodes.</param>
/// <param name="Sticky">Whether a key's requests go to one node, or to any.</param>
internal sealed record ScalePlan(int Nodes, int Keys, double Rate, bool Sticky);

/// <summary>
/// What slices cost a store: traders of many nodes under a load where nothing fails. Each request takes a place of its key (4096 in all) and funds of its
/// account for about eight seconds. An exchange takes 3 ms. Time is in milliseconds.
/// </summary>
internal sealed class SliceScale : TimeProvider
{
    private const double Answer = 8000;
    private const double Exchange = 3;
    private readonly ScalePlan _plan;
    private readonly MemorySliceStore _store = new();
    private readonly PriorityQueue<Action, (double, long)> _events = new();
    private readonly Random _random = new(1);
    private readonly double[] _cumulated;
    private readonly SliceTrader[] _traders;
    private readonly bool[] _busy;
    private readonly double[] _due;
    private long _order;
    private double _now;

    public SliceScale(ScalePlan plan)
    {
        _plan = plan;
        _cumulated = new double[plan.Keys];
        double sum = 0;
        for (int i = 0; i < plan.Keys; i++)
            _cumulated[i] = sum += Math.Pow(i + 1, -0.8);
        _traders = [.. Enumerable.Range(0, plan.Nodes).Select(_ => new SliceTrader(new SliceSettings { AlwaysShared = true }, this))];
        _busy = new bool[plan.Nodes];
        _due = new double[plan.Nodes];
    }

    public override long TimestampFrequency => 1_000_000;

    public long Requests { get; private set; }

    public long Waited { get; private set; }

    public long Refused { get; private set; }

    /// <summary>Seconds that were counted, after as many of warming up.</summary>
    public double Seconds { get; private set; }

    public double ExchangesPerSecond { get; private set; }

    public double RowsPerSecond { get; private set; }

    public override long GetTimestamp() => (long)(_now * 1000);

    public void Run(double seconds)
    {
        Seconds = seconds;
        for (int i = 0; i < _traders.Length; i++)
        {
            int node = i;
            _traders[i].Register(_store.Register(_traders[i].Settings, again: false).Id, shared: true, 0);
            _traders[i].Poked = () => Wake(node, 0.1);
            At(_random.NextDouble() * 2000, () => Send(node));
        }

        At(0, Arrive);
        Until(seconds * 1000);
        (long transactions, long rows) = (_store.Transactions, _store.RowsWritten);
        (Requests, Waited, Refused) = (0, 0, 0);
        Until(seconds * 2000);
        ExchangesPerSecond = (_store.Transactions - transactions) / seconds;
        RowsPerSecond = (_store.RowsWritten - rows) / seconds;
    }

    private void Until(double end)
    {
        while (_events.TryPeek(out _, out (double At, long) when) && when.At < end)
        {
            Action next = _events.Dequeue();
            _now = when.At;
            _store.Now = (long)_now + 1_000_000;
            next();
        }
    }

    private void At(double when, Action what) => _events.Enqueue(what, (when, _order++));

    private void Arrive()
    {
        int at = Array.BinarySearch(_cumulated, _random.NextDouble() * _cumulated[^1]);
        int key = Math.Min(at < 0 ? ~at : at, _plan.Keys - 1);
        Requests++;
        Try(key, _plan.Sticky ? (int)((uint)(key * 2654435761L) % (uint)_plan.Nodes) : _random.Next(_plan.Nodes), 0);
        At(_now - (Math.Log(1 - _random.NextDouble()) * 1000 / _plan.Rate), Arrive);
    }

    private void Try(int key, int node, int attempt)
    {
        SliceTrader trader = _traders[node];
        string account = $"a{key}";
        _store.Funds.TryAdd(account, 1_000_000_000);
        Slice place = trader.Of(new SliceTerms($"k:{key}", SliceKind.Places, 4096));
        Slice funds = trader.Of(new SliceTerms($"f:{key}", SliceKind.Funds, 0) { Owner = account });
        if (place.TryTake(1))
        {
            if (funds.TryOverdraw(20_000))
            {
                At(_now - (Math.Log(1 - _random.NextDouble()) * Answer), () =>
                {
                    place.Give(1);
                    funds.Give(15_000);
                    funds.Consume(5000);
                    _store.Funds[account] -= 5000;
                });
                return;
            }

            place.Give(1);
        }

        Waited += attempt == 0 ? 1 : 0;
        if (attempt < 40)
            At(_now + 5 + (attempt * 5), () => Try(key, node, attempt + 1));
        else
            Refused++;
    }

    private void Send(int node)
    {
        if (_busy[node])
            return;
        SliceTrader trader = _traders[node];
        if (trader.UntilNext() is { TotalMilliseconds: > 0.05 } pause)
        {
            Wake(node, pause.TotalMilliseconds);
            return;
        }

        _busy[node] = true;
        SliceMessage message = trader.Prepare();
        At(_now + (Exchange / 2), () =>
        {
            SliceReply reply = _store.Trade(message);
            At(_now + (Exchange / 2), () =>
            {
                _busy[node] = false;
                trader.Apply(message, reply);
                Wake(node, trader.UntilNext().TotalMilliseconds);
            });
        });
    }

    // One timer for each node.
    private void Wake(int node, double pause)
    {
        double due = _now + Math.Max(0.1, pause);
        if (_due[node] > _now && _due[node] <= due)
            return;
        _due[node] = due;
        At(due, () =>
        {
            if (_due[node] == due)
                Send(node);
        });
    }
}
