using System.Collections.Concurrent;

namespace Glimmer.Platform.Tasks;

/// <summary>What runs tasks of one or more kinds.</summary>
public interface ITaskWork
{
    /// <summary>Runs a task to its end. Called on any thread.</summary>
    /// <param name="run">The task.</param>
    /// <param name="confirm">Asked before what cannot be taken back (the charge): whether the run is still this node's. False: end without it.</param>
    /// <param name="cancel">Cancelled when the task is given up, another node has it, or the node stops: end at once, charge nothing.</param>
    /// <returns>What became of it; <see cref="TaskState.Queued"/> to try again later.</returns>
    Task<TaskOutcome> RunAsync(TaskRun run, Func<Task<bool>> confirm, CancellationToken cancel);
}

/// <summary>
/// Runs tasks on this node, a bounded number at a time: takes them by lease, keeps the leases while they run, and gives back what has not
/// ended when the node stops. A node that dies falls silent, and its tasks are taken by others once their leases are over.
/// </summary>
public sealed class TaskRunner : IAsyncDisposable
{
    private readonly TaskQueue _queue;
    private readonly ITaskWork _work;
    private readonly Action<Exception> _failed;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _wake = new(0, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<(string Id, long Attempt), Running> _running = new();
    private Task _loop = Task.CompletedTask;
    private int _stopped;

    /// <summary>A runner that does nothing before <see cref="Start"/>.</summary>
    /// <param name="queue">The tasks.</param>
    /// <param name="work">What runs them.</param>
    /// <param name="failed">Told when the store could not be used or work threw; both are tried again.</param>
    public TaskRunner(TaskQueue queue, ITaskWork work, Action<Exception> failed)
    {
        ArgumentNullException.ThrowIfNull(queue);
        _queue = queue;
        _work = work;
        _failed = failed;
        _time = queue.Store.Time;
        queue.Given = Wake;
        queue.GivenUp = GiveUpAsync;
    }

    /// <summary>Name of this node, of this run of its process.</summary>
    public string Node { get; } = Guid.NewGuid().ToString("N");

    /// <summary>Tasks that run now.</summary>
    public int Active => _running.Count;

    /// <summary>Begins to take tasks.</summary>
    public void Start() => _loop = LoopAsync();

    /// <summary>Looks for tasks at once.</summary>
    public void Wake()
    {
        try
        {
            _wake.Release();
        }
        catch (SemaphoreFullException)
        {
            // It has been told already.
        }
        catch (ObjectDisposedException)
        {
            // It takes no more.
        }
    }

    /// <summary>Takes no more, lets what runs go on for the drain time and gives the rest back.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stopped, 1) != 0)
            return;
        await _stop.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Task ended = Task.WhenAll(_running.Values.Select(running => running.Ended));
        await Task.WhenAny(ended, Task.Delay(_queue.Settings.DrainTime, _time));
        foreach (Running running in _running.Values)
            running.End(Reason.Stopping);
        await ended;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stop.Dispose();
        _wake.Dispose();
    }

    /// <summary>One look: ends what is too late, keeps leases and takes what there is room for. The loop's step, and tests'.</summary>
    internal async Task LookAsync()
    {
        await _queue.SweepAsync();
        await KeepLeasesAsync();
        await TakeAsync();
    }

    /// <summary>Completes when nothing runs any more, for tests.</summary>
    internal Task IdleAsync() => Task.WhenAll(_running.Values.Select(running => running.Ended));

    /// <summary>Ends everything without a word to the store, as the death of the process would. For tests.</summary>
    internal async Task DieAsync()
    {
        Interlocked.Exchange(ref _stopped, 1);
        await _stop.CancelAsync();
        foreach (Running running in _running.Values)
            running.End(Reason.Dead);
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task GiveUpAsync(string id)
    {
        if (_running.Values.FirstOrDefault(running => running.Run.Id == id) is not { } running)
            return;
        running.End(Reason.GivenUp);
        await running.Ended;
    }

    private async Task LoopAsync()
    {
        TimeSpan housekeeping = TimeSpan.FromTicks(Math.Min((_queue.Settings.Lease / 4).Ticks, TimeSpan.FromSeconds(10).Ticks));
        long kept = 0;
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (kept == 0 || _time.GetElapsedTime(kept) >= housekeeping)
                {
                    await _queue.SweepAsync();
                    kept = _time.GetTimestamp();
                }

                await KeepLeasesAsync();
                await TakeAsync();
            }
            catch (Exception fault) when (!_stop.IsCancellationRequested)
            {
                _failed(fault);
            }

            await _wake.WaitAsync(_queue.Settings.Poll, _stop.Token);
        }
    }

    private async Task TakeAsync()
    {
        int room = _queue.Settings.Concurrency - _running.Count;
        if (room <= 0)
            return;
        foreach (TaskRun run in await _queue.ClaimAsync(Node, room))
        {
            // Who finds a run can wait for its end: it is known before it is found, and found before it begins.
            var running = new Running(run, _time.GetTimestamp());
            var work = new Task<Task>(() => RunAsync(running));
            running.Ended = work.Unwrap();
            _running[(run.Id, run.Attempt)] = running;
            work.Start(TaskScheduler.Default);
        }
    }

    private async Task KeepLeasesAsync()
    {
        // Anybody may give a task up through any node, so the store is asked as often as leases allow for it.
        TimeSpan every = TimeSpan.FromTicks(Math.Min((_queue.Settings.Lease / 4).Ticks, TimeSpan.FromSeconds(2).Ticks));
        await Task.WhenAll(_running.Values.Where(running => _time.GetElapsedTime(running.Renewed) >= every).Select(running => RenewAsync(running)));
    }

    private async Task<bool> RenewAsync(Running running, bool patient = false)
    {
        switch (await _queue.RenewAsync(Node, running.Run, patient))
        {
            case TaskHold.Held:
                running.Renewed = _time.GetTimestamp();
                return true;
            case TaskHold.Cancelled:
                running.End(Reason.GivenUp);
                return false;
            default:
                running.End(Reason.Lost);
                return false;
        }
    }

    // The answer is made: a database that is away is waited for, and may then say that another node has the task.
    private async Task<bool> ConfirmAsync(Running running) => running.IsConfirmed = await RenewAsync(running, patient: true);

    private async Task RunAsync(Running running)
    {
        TaskOutcome outcome;
        try
        {
            outcome = await _work.RunAsync(running.Run, () => ConfirmAsync(running), running.Token);
        }
        catch (OperationCanceledException) when (running.Token.IsCancellationRequested)
        {
            outcome = new TaskOutcome(TaskState.Queued);
        }
        catch (Exception fault) when (Store.PlatformStore.IsAbsence(fault))
        {
            // The database's absence is no fault of the task: it waits, if it is still this run's then.
            outcome = new TaskOutcome(TaskState.Queued);
        }
        catch (Exception fault)
        {
            _failed(fault);
            outcome = running.Run.Faults + 1 < _queue.Settings.MaxFaults ? new TaskOutcome(TaskState.Queued) { IsFault = true } : new TaskOutcome(TaskState.Failed, 500);
        }

        try
        {
            await StoreAsync(running, outcome);
        }
        catch (Exception fault) when (Volatile.Read(ref _stopped) != 0 && (fault is ObjectDisposedException || Store.PlatformStore.IsAbsence(fault)))
        {
            // The database is away, or the process would not wait any longer and has closed the store: another node runs the task when the lease ends.
        }
        catch (Exception fault)
        {
            // The lease ends by itself and the task is run again.
            _failed(fault);
        }
        finally
        {
            _running.TryRemove((running.Run.Id, running.Run.Attempt), out _);
            running.Dispose();
            Wake();
        }
    }

    private async Task StoreAsync(Running running, TaskOutcome outcome)
    {
        // An answer that was charged before the end was asked for counts.
        if (running.Why is Reason.None || (running.IsConfirmed && outcome.State != TaskState.Queued && running.Why is not Reason.Dead))
        {
            await _queue.EndAsync(Node, running.Run, outcome);
            return;
        }

        switch (running.Why)
        {
            case Reason.GivenUp:
                await _queue.EndAsync(Node, running.Run, new TaskOutcome(TaskState.Cancelled));
                break;
            case Reason.Stopping:
                await _queue.GiveBackAsync(Node, running.Run);
                break;
        }
    }

    /// <summary>Why a run was told to end.</summary>
    private enum Reason
    {
        None,
        GivenUp,
        Lost,
        Stopping,
        Dead,
    }

    private sealed class Running(TaskRun run, long claimed) : IDisposable
    {
        private readonly CancellationTokenSource _cancel = new();
        private readonly Lock _ending = new();
        private long _renewed = claimed;
        private bool _disposed;

        public TaskRun Run { get; } = run;

        public Task Ended { get; set; } = Task.CompletedTask;

        public CancellationToken Token => _cancel.Token;

        public Reason Why { get; private set; }

        public bool IsConfirmed { get; set; }

        public long Renewed
        {
            get => Interlocked.Read(ref _renewed);
            set => Interlocked.Exchange(ref _renewed, value);
        }

        public void End(Reason why)
        {
            lock (_ending)
            {
                if (_disposed || (Why != Reason.None && why != Reason.Dead))
                    return;
                Why = why;
            }

            // Outside: what is called back may ask for the end again.
            try
            {
                _cancel.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It ended meanwhile.
            }
        }

        public void Dispose()
        {
            lock (_ending)
                _disposed = true;
            _cancel.Dispose();
        }
    }
}
