using System.Collections.Concurrent;
using Glimmer.Inference.Backends;

namespace Glimmer.Inference.Routing.Health;

/// <summary>Asks every remote backend at intervals how it is: some failures in a row make it down, some successes up again.</summary>
internal sealed class MemberProber(BackendPool pool, Random random) : IAsyncDisposable
{
    private static readonly TimeSpan WhenOff = TimeSpan.FromSeconds(5);

    // The first probe of an engine that is sent tokens loads the vocabulary and compares it.
    private static readonly TimeSpan FirstTimeout = TimeSpan.FromSeconds(30);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<BackendMember, (Task Loop, CancellationTokenSource Stop)> _loops = new();

    /// <summary>Begins to probe a backend, the first time at once. Backends that cannot be probed are left alone.</summary>
    public void Start(BackendMember member)
    {
        if (member.Backend is not IRemoteBackend)
        {
            member.FirstProbe.TrySetResult();
            return;
        }

        var stop = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        _loops[member] = (Task.Run(() => RunAsync(member, stop.Token)), stop);
    }

    /// <summary>Probes it no more.</summary>
    public void Stop(BackendMember member)
    {
        if (_loops.TryRemove(member, out (Task Loop, CancellationTokenSource Stop) running))
            running.Stop.Cancel();
    }

    /// <summary>Probes a backend once.</summary>
    public async Task ProbeAsync(BackendMember member, CancellationToken cancel)
    {
        if (member.Backend is not IRemoteBackend remote)
            return;
        ProbeOptions options = pool.Options.Probe;
        int inFlight = member.InFlight;
        BackendProbe probe;
        TimeSpan timeout = remote.IsReady || options.Timeout > FirstTimeout ? options.Timeout : FirstTimeout;
        using (var late = new CancellationTokenSource(timeout, pool.Time))
        using (var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token))
        {
            try
            {
                probe = await remote.ProbeAsync(ended.Token).WaitAsync(ended.Token);
            }
            catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
            {
                probe = new BackendProbe(false, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"no answer within {timeout.TotalSeconds:0.###} s"));
            }
            catch (Exception fault) when (fault is not OperationCanceledException)
            {
                probe = new BackendProbe(false, fault.GetType().Name);
            }
        }

        Judge(member, probe, inFlight, options);
    }

    public async ValueTask DisposeAsync()
    {
        if (_stop.IsCancellationRequested)
            return;
        await _stop.CancelAsync();
        foreach ((Task loop, CancellationTokenSource stop) in _loops.Values)
        {
            await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
        }

        _stop.Dispose();
    }

    private void Judge(BackendMember member, BackendProbe probe, int inFlight, ProbeOptions options)
    {
        int inARow = member.Probe is { } before && before.Last.Alive == probe.Alive ? before.InARow + 1 : 1;
        member.Probe = new ProbeRecord(pool.Time.GetUtcNow(), probe, inARow);
        if (probe.Alive)
            member.TakeLoad(probe, inFlight);
        if (!probe.Alive && !member.Down && inARow >= options.Failures)
        {
            member.Down = true;
            pool.Tell(member, "down", probe.Detail);
        }
        else if (probe.Alive && member.Down && inARow >= options.Successes)
        {
            // It was away, so what its requests said of it before says nothing now.
            member.Circuit.Reset();
            member.Down = false;
            pool.Tell(member, "up", probe.Detail);
        }

        // Whoever waits for the first probe finds what it showed. Those who waited for this one to be well, or know now that it is not, are looked at again.
        member.FirstProbe.TrySetResult();
        member.Serve();
    }

    private async Task RunAsync(BackendMember member, CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            TimeSpan interval = pool.Options.Probe.Interval;
            if (interval > TimeSpan.Zero || !member.Backend.IsReady)
                await ProbeAsync(member, cancel);
            if (member.FirstProbe.TrySetResult())
                member.Serve();
            if (interval <= TimeSpan.Zero && member.Down)
                Judge(member, new BackendProbe(true, "probes are off"), member.InFlight, new ProbeOptions { Successes = 1 });
            await Task.Delay(interval > TimeSpan.Zero ? interval * Jitter() : WhenOff, pool.Time, cancel);
        }
    }

    private double Jitter()
    {
        lock (random)
            return 0.9 + (0.2 * random.NextDouble());
    }
}
