using Glimmer.Platform.Store;

namespace Glimmer.Platform.Nodes;

/// <summary>Runs a trader against the store: one exchange at a time, at once when something is wanted, else with every beat.</summary>
internal sealed class SliceLoop : IAsyncDisposable
{
    private readonly ISliceStore _store;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _wake = new(0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private long _maintainAt;
    private Exception? _trouble;

    /// <summary>Registers the node and starts.</summary>
    public SliceLoop(ISliceStore store, SliceTrader trader, TimeProvider time)
    {
        _store = store;
        _time = time;
        Trader = trader;
        long sentAt = time.GetTimestamp();
        Row = store.Register(trader.Settings, again: false);
        trader.Register(Row.Id, Row.Shared != 0, sentAt);
        trader.Poked = Poke;
        _loop = Task.Factory.StartNew(Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    public SliceTrader Trader { get; }

    /// <summary>This node as it registered last.</summary>
    public NodeLeaseRow Row { get; private set; }

    /// <summary>Called when an exchange failed; the next one says the same again.</summary>
    public Action<Exception>? Faulted { get; set; }

    /// <summary>Why the last exchange failed; null when it did not.</summary>
    public Exception? Trouble => Volatile.Read(ref _trouble);

    /// <summary>Has the next exchange made at once.</summary>
    public void Poke()
    {
        if (_wake.CurrentCount == 0)
            _wake.Release();
    }

    /// <summary>Gives back what is idle and leaves the registry. Call it when no request runs any more.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();

        // A database that hangs is not waited for; one that is only slow still hears that the node leaves, as long as the process and its store live.
        await _loop.WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_loop.IsCompleted)
            _stop.Dispose();
    }

    private void Run()
    {
        int failures = 0;
        while (!_stop.IsCancellationRequested)
        {
            SliceMessage message = Trader.Prepare();
            try
            {
                if (!Trader.Apply(message, _store.Trade(message)))
                {
                    long sentAt = _time.GetTimestamp();
                    Row = _store.Register(Trader.Settings, again: true);
                    Trader.Register(Row.Id, Row.Shared != 0, sentAt);
                }

                if (_time.GetTimestamp() >= _maintainAt)
                {
                    _maintainAt = _time.GetTimestamp() + (long)(5 * Trader.Settings.Beat.TotalSeconds * _time.TimestampFrequency);
                    _store.Maintain();
                }

                failures = 0;
                Volatile.Write(ref _trouble, null);
            }
            catch (Exception fault)
            {
                Trader.Fail(message);
                failures++;

                // That the database does not answer is said elsewhere.
                if (Interlocked.Exchange(ref _trouble, fault) is null && !PlatformStore.IsAbsence(fault))
                    Faulted?.Invoke(fault);
            }

            TimeSpan pause = failures > 0 ? TimeSpan.FromMilliseconds(Math.Min(50 << Math.Min(failures, 6), 2000)) : Trader.UntilNext();
            if (pause > TimeSpan.Zero)
                Wait(pause, pokes: failures == 0);
        }

        Leave();
    }

    private void Leave()
    {
        // A database that is away is not asked: the lease ends by itself.
        if (Trouble is { } trouble && PlatformStore.IsAbsence(trouble))
            return;
        try
        {
            _store.Trade(Trader.Leave());
            _store.Maintain();
        }
        catch (ObjectDisposedException)
        {
            // The process would not wait any longer and has closed the store: the lease ends by itself.
        }
        catch (Exception fault)
        {
            if (!PlatformStore.IsAbsence(fault))
                Faulted?.Invoke(fault);
        }
    }

    private void Wait(TimeSpan pause, bool pokes)
    {
        try
        {
            if (pokes)
                _wake.Wait(pause, _stop.Token);
            else
                _stop.Token.WaitHandle.WaitOne(pause);
        }
        catch (OperationCanceledException)
        {
            // It stops.
        }
    }
}
