using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>Who uses which loaded model.</summary>
public sealed partial class ModelHost
{
    /// <summary>
    /// Gets hold of a loaded model, which then stays in memory until the lease is released; loads it when it is not there. Of
    /// many that ask at once the first begins the load and all wait for it.
    /// </summary>
    internal async ValueTask<(Lease? Lease, PlatformError? Error)> AcquireAsync(Entry entry, CancellationToken cancel)
    {
        while (true)
        {
            Load load;
            Instance? current;
            lock (_gate)
            {
                if (_stopping)
                    return (null, Stopping(entry));
                current = entry.Current;
                if (current is not null)
                {
                    current.Leases++;
                    Touch(current);
                    if (!IsCheckDue(current))
                        return (new Lease(this, current), null);
                }

                if (current is null && entry.Loading is null && entry.Refusal is { } refusal && _time.GetTimestamp() < entry.RefusedUntil)
                    return (null, refusal);
                load = current is null ? entry.Loading ?? Begin(entry) : null!;
                if (load is not null)
                    load.Waiting++;
            }

            if (load is not null)
                return await WaitForAsync(load, cancel);
            bool good = false;
            try
            {
                good = AreFilesGood(current!);
            }
            finally
            {
                if (!good)
                    Release(current!);
            }

            if (good)
                return (new Lease(this, current!), null);
        }
    }

    private async ValueTask<(Lease? Lease, PlatformError? Error)> WaitForAsync(Load load, CancellationToken cancel)
    {
        try
        {
            await load.Done.WaitAsync(cancel);
        }
        catch (OperationCanceledException)
        {
            lock (_gate)
            {
                // When it is done, the one who waited has a lease already.
                if (load.Instance is { } loaded)
                    ReleaseLocked(loaded);
                else
                    load.Waiting--;
            }

            throw;
        }

        return load.Instance is { } instance ? (new Lease(this, instance), null) : (null, load.Error);
    }

    private void Release(Instance instance)
    {
        lock (_gate)
            ReleaseLocked(instance);
    }

    private void ReleaseLocked(Instance instance)
    {
        Touch(instance);
        if (--instance.Leases > 0)
            return;
        if (instance.Retirement is not null)
            instance.Drained.TrySetResult();
        else
            MakeRoom();
    }

    private void Touch(Instance instance)
    {
        instance.LastUse = ++_uses;
        instance.Entry.LastUsed = _time.GetUtcNow();
    }

    private bool IsCheckDue(Instance instance) => _time.GetElapsedTime(instance.CheckedAt) >= _options.FileCheckInterval;

    /// <summary>Looks at the files of a model that the caller has a lease of; when they are not what was mapped, it is unloaded.</summary>
    private bool AreFilesGood(Instance instance)
    {
        WeightFileState state = instance.Backend.CheckFiles();
        lock (_gate)
        {
            if (instance.Retirement is not null)
                return false;
            instance.CheckedAt = _time.GetTimestamp();
            if (state is WeightFileState.Unchanged or WeightFileState.Gone)
            {
                if (state == WeightFileState.Gone && !instance.SaidGone)
                    LogGone(instance.Entry.Model.Code, instance.Entry.Model.Path);
                instance.SaidGone = state == WeightFileState.Gone;
                return true;
            }

            LogChanged(instance.Entry.Model.Code, instance.Entry.Model.Path, state == WeightFileState.Truncated ? "cut short" : "changed");
            // Answers on a file that was cut short can only be ended before they touch what is missing.
            _ = Retire(instance, state == WeightFileState.Truncated ? TimeSpan.Zero : _options.Grace);
            return false;
        }
    }

    private static PlatformError Stopping(Entry entry) =>
        new(BusinessCode.Overloaded, $"The model {entry.Model.Code} is being stopped.") { Status = 503 };

    /// <summary>A loaded model. All but the first three is guarded by the host's lock.</summary>
    internal sealed class Instance(Entry entry, IHostedBackend backend, long bytes)
    {
        public Entry Entry { get; } = entry;

        public IHostedBackend Backend { get; } = backend;

        public long Bytes { get; } = bytes;

        public int Leases { get; set; }

        public long LastUse { get; set; }

        public long CheckedAt { get; set; }

        public bool SaidGone { get; set; }

        /// <summary>Its unloading, once that has begun.</summary>
        public Task? Retirement { get; set; }

        /// <summary>Completes when it is being unloaded and nobody uses it.</summary>
        public TaskCompletionSource Drained { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>The right to use a loaded model.</summary>
    internal sealed class Lease(ModelHost host, Instance instance)
    {
        private int _released;

        public IHostedBackend Backend => instance.Backend;

        /// <summary>Gives it back; only the first call counts. Never waits for anything but the host's books.</summary>
        public void Release()
        {
            if (Interlocked.Exchange(ref _released, 1) == 0)
                host.Release(instance);
        }
    }
}
