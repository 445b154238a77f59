using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Glimmer.Models;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>How models come into memory and leave it.</summary>
public sealed partial class ModelHost
{
    /// <summary>Begins to load; the lock is held.</summary>
    private Load Begin(Entry entry)
    {
        Load load = new();
        entry.Loading = load;
        Follow(Task.Run(() => LoadAsync(entry, load)));
        return load;
    }

    [SuppressMessage("Design", "CA1031", Justification = "Whatever is wrong with a model is told to those who asked for it; the others go on.")]
    private async Task LoadAsync(Entry entry, Load load)
    {
        IHostedBackend? backend = null;
        PlatformError? error = null;
        string? reason = null;
        long promised = 0;
        try
        {
            ModelNeed need = _loader.Plan(entry.Model);
            (error, reason) = await ReserveAsync(entry, need);
            if (error is null)
                promised = need.Bytes;
            if (error is null && _stop.IsCancellationRequested)
                (error, reason) = (Stopping(entry), "the models are being stopped");
            if (error is null)
            {
                long began = _time.GetTimestamp();
                backend = _loader.Load(entry.Model);
                LogLoaded(entry.Model.Code, Show(need.Bytes), need.Parts, _time.GetElapsedTime(began).TotalSeconds);
            }
        }
        catch (Exception fault)
        {
            // The reason names files of this machine, which clients need not know.
            reason = fault.Message;
            error = new PlatformError(BusinessCode.Network, $"The model {entry.Model.Code} could not be loaded; the server's log says why. It will be tried again.")
            {
                Status = 503,
                RetryAfter = _options.RetryAfter,
            };
            LogLoadFault(fault is ModelFileException ? null : fault, entry.Model.Code, reason);
        }

        lock (_gate)
        {
            entry.Loading = null;
            if (backend is not null)
            {
                Instance instance = new(entry, backend, promised) { Leases = load.Waiting, CheckedAt = _time.GetTimestamp() };
                Touch(instance);
                entry.Current = load.Instance = instance;
                entry.Loads++;
                entry.LastError = null;
                entry.Refusal = null;
                if (instance.Leases == 0)
                    MakeRoom();
            }
            else
            {
                entry.Refusal = load.Error = error;
                entry.LastError = reason;
                entry.RefusedUntil = _time.GetTimestamp() + (long)(_options.RetryAfter.TotalSeconds * _time.TimestampFrequency);
                _budget.GiveBack(promised);
                MakeRoom();
            }

            load.Complete();
        }
    }

    /// <summary>Waits until the memory is promised, or says why it will not be.</summary>
    private async Task<(PlatformError? Error, string? Reason)> ReserveAsync(Entry entry, ModelNeed need)
    {
        MemoryBudget.Claim claim;
        lock (_gate)
        {
            if (need.Bytes > _budget.Total)
                return Refuse(entry, need, "it does not fit at all; lower its context or KV cache, use a smaller quantisation, or allow more memory");
            claim = _budget.Enter(need.Bytes);
            MakeRoom();
        }

        try
        {
            await claim.Granted.WaitAsync(_options.Patience, _time, _stop.Token);
            return (null, null);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            lock (_gate)
            {
                if (!_budget.Leave(claim))
                    return (null, null);
                (PlatformError?, string?) refusal = Refuse(entry, need, $"{Show(_budget.Used)} are held by other models that are in use");
                MakeRoom(); // for whoever is first now
                return refusal;
            }
        }
    }

    private (PlatformError? Error, string? Reason) Refuse(Entry entry, ModelNeed need, string why)
    {
        string message = $"The model {entry.Model.Code} needs {Show(need.Bytes)} of memory ({need.Parts}), all models together may use {Show(_budget.Total)}, and {why}.";
        LogRefused(message);
        return (new PlatformError(BusinessCode.Overloaded, message) { Status = 503, RetryAfter = _options.RetryAfter }, message);
    }

    /// <summary>
    /// Gives memory to the first in the line, and when it is short unloads models that nobody uses, the least recently used
    /// first, but none in vain: only when that is enough. The lock is held.
    /// </summary>
    private void MakeRoom()
    {
        _budget.Serve();
        long shortage = _budget.Shortage;
        if (shortage == 0)
            return;
        List<Instance> idle = [.. _entries.Select(entry => entry.Current).OfType<Instance>().Where(instance => instance.Leases == 0).OrderBy(instance => instance.LastUse)];
        if (idle.Sum(instance => instance.Bytes) < shortage)
            return;
        foreach (Instance instance in idle)
        {
            if (shortage <= 0)
                break;
            shortage -= instance.Bytes;
            instance.Entry.Evictions++;
            LogEvicted(instance.Entry.Model.Code, Show(instance.Bytes));
            _ = Retire(instance, TimeSpan.Zero);
        }
    }

    /// <summary>Begins to unload; from now on requests load the model anew. The lock is held.</summary>
    private Task Retire(Instance instance, TimeSpan grace)
    {
        if (instance.Retirement is { } running)
            return running;
        instance.Entry.Current = null;
        _budget.BeginFreeing(instance.Bytes);
        TaskCompletionSource done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        instance.Retirement = done.Task;
        if (instance.Leases == 0)
            instance.Drained.TrySetResult();
        Follow(Task.Run(() => RetireAsync(instance, grace, done)));
        return done.Task;
    }

    [SuppressMessage("Design", "CA1031", Justification = "A model that cannot be closed is logged; its memory must not stay booked for ever.")]
    private async Task RetireAsync(Instance instance, TimeSpan grace, TaskCompletionSource done)
    {
        try
        {
            // 1. Answers in flight go on for the grace; the engine then ends what is left.
            Task over = Task.WhenAny(instance.Drained.Task, _hurry.Task);
            await over.WaitAsync(grace, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await instance.Backend.StopAsync(TimeSpan.Zero);

            // 2. Whoever has a lease and has not begun yet is refused now; nothing is closed before.
            await instance.Drained.Task;
        }
        catch (Exception fault)
        {
            LogUnloadFault(fault, instance.Entry.Model.Code);
        }

        try
        {
            // 3. Nobody is left.
            await instance.Backend.DisposeAsync();
        }
        catch (Exception fault)
        {
            LogUnloadFault(fault, instance.Entry.Model.Code);
        }

        lock (_gate)
        {
            _budget.Freed(instance.Bytes);
            MakeRoom();
        }

        LogUnloaded(instance.Entry.Model.Code, Show(instance.Bytes));
        done.SetResult();
    }

    /// <summary>Remembers work in the background until it is done, so that a stop can wait for it. The lock is held.</summary>
    private void Follow(Task task)
    {
        _work.RemoveWhere(static ended => ended.IsCompleted);
        _work.Add(task);
    }

    private static string Show(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB");

    /// <summary>A load in progress. All but <see cref="Done"/> is guarded by the host's lock until it is done.</summary>
    internal sealed class Load
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Requests that wait; each gets a lease at the moment it succeeds.</summary>
        public int Waiting { get; set; }

        public Instance? Instance { get; set; }

        public PlatformError? Error { get; set; }

        public Task Done => _done.Task;

        public void Complete() => _done.SetResult();
    }
}
