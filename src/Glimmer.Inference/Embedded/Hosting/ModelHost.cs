using Glimmer.Engine;
using Glimmer.Protocol.Errors;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>
/// Several models in one process, loaded when they are asked for. They share a budget of memory: when a load does not fit,
/// models that nobody uses are unloaded, the least recently used first; a model with answers in flight never is. When that
/// does not help in time, the request is refused with the numbers.
/// </summary>
/// <remarks>One lock guards the books and is never held while something is loaded, stopped or looked at on disk.</remarks>
public sealed partial class ModelHost : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly ModelHostOptions _options;
    private readonly IModelLoader _loader;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly MemoryBudget _budget;
    private readonly Entry[] _entries;
    private readonly HashSet<Task> _work = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly TaskCompletionSource _hurry = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _uses;
    private volatile bool _stopping;

    /// <summary>A host that loads nothing yet.</summary>
    /// <param name="models">The models; no two have the same code.</param>
    /// <param name="options">How they share the machine.</param>
    /// <param name="logs">Hears of loads, unloads and faults.</param>
    /// <param name="time">Clock of waits.</param>
    /// <exception cref="ArgumentException">There is no model, a code occurs twice, or an option is out of its range.</exception>
    public ModelHost(IReadOnlyList<HostedModel> models, ModelHostOptions options, ILoggerFactory? logs = null, TimeProvider? time = null)
        : this(models, options, new EmbeddedModelLoader(options.MemoryBytes, logs), logs, time)
    {
    }

    internal ModelHost(IReadOnlyList<HostedModel> models, ModelHostOptions options, IModelLoader loader, ILoggerFactory? logs = null, TimeProvider? time = null)
    {
        options.Validate();
        if (models.Count == 0)
            throw new ArgumentException("A host needs at least one model.", nameof(models));
        if (models.GroupBy(model => model.Code, StringComparer.OrdinalIgnoreCase).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new ArgumentException($"Two models have the code {twice.Key}; give each its own.", nameof(models));
        _options = options;
        _loader = loader;
        _logger = logs?.CreateLogger<ModelHost>() ?? NullLogger<ModelHost>.Instance;
        _time = time ?? TimeProvider.System;
        _budget = new MemoryBudget(options.MemoryBytes);
        _entries = [.. models.Select(model => new Entry(model))];
        Backends = [.. _entries.Select(entry => new HostedChatBackend(this, entry))];
    }

    /// <summary>One backend per model, in the order the models were given. They are ready until the host stops.</summary>
    public IReadOnlyList<IChatBackend> Backends { get; }

    /// <summary>Whether requests are refused because the host stops.</summary>
    public bool IsStopping => _stopping;

    /// <summary>What is loaded and how much it takes.</summary>
    public ModelHostStatistics Statistics
    {
        get
        {
            lock (_gate)
            {
                return new ModelHostStatistics(_budget.Total, _budget.Used, [.. _entries.Select(entry => new HostedModelStatistics(
                    entry.Model.Code,
                    entry.Current is not null ? HostedModelState.Loaded : entry.Loading is not null ? HostedModelState.Loading : HostedModelState.Unloaded,
                    entry.Current?.Bytes ?? 0,
                    (entry.Current?.Leases ?? 0) + (entry.Loading?.Waiting ?? 0),
                    entry.LastUsed,
                    entry.Loads,
                    entry.Evictions,
                    entry.LastError))]);
            }
        }
    }

    /// <summary>What the engine of a model does; null while it is not in memory.</summary>
    internal EngineStatistics? EngineStatisticsOf(Entry entry)
    {
        // The statistics are a copy in managed memory: a model that is unloaded meanwhile does no harm.
        IHostedBackend? backend;
        lock (_gate)
            backend = entry.Current?.Backend;
        return backend?.EngineStatistics;
    }

    /// <summary>Loads a model before anybody asks for it.</summary>
    /// <param name="code">Its code, in any case.</param>
    /// <param name="cancel">Ends the wait; the load goes on.</param>
    /// <returns>Why it is not loaded; null when it is.</returns>
    /// <exception cref="ArgumentException">No model has the code.</exception>
    public async Task<PlatformError?> LoadAsync(string code, CancellationToken cancel = default)
    {
        (Lease? lease, PlatformError? error) = await AcquireAsync(Find(code), cancel);
        lease?.Release();
        return error;
    }

    /// <summary>
    /// Unloads a model: answers in flight may go on for the grace, then they are ended. A request that comes meanwhile loads
    /// it anew. A load in progress is waited for.
    /// </summary>
    /// <param name="code">Its code, in any case.</param>
    /// <returns>Whether there was something to unload; completes when its memory is given back.</returns>
    /// <exception cref="ArgumentException">No model has the code.</exception>
    public async Task<bool> UnloadAsync(string code)
    {
        Entry entry = Find(code);
        while (true)
        {
            Task waitFor;
            bool unloading = false;
            lock (_gate)
            {
                if (entry.Current is { } instance)
                {
                    waitFor = Retire(instance, _options.Grace);
                    unloading = true;
                }
                else if (entry.Loading is { } load)
                {
                    waitFor = load.Done;
                }
                else
                {
                    return false;
                }
            }

            await waitFor;
            if (unloading)
                return true;
        }
    }

    /// <summary>Takes no more requests, lets answers in flight go on for the grace, and unloads everything.</summary>
    /// <param name="grace">How long answers may go on.</param>
    public async Task StopAsync(TimeSpan grace)
    {
        // A request that saw the host running has its lease or its load in the books when the lock is free again.
        lock (_gate)
            _stopping = true;
        await _stop.CancelAsync();
        long began = _time.GetTimestamp();
        while (true)
        {
            TimeSpan left = grace - _time.GetElapsedTime(began);
            if (left <= TimeSpan.Zero)
            {
                left = Timeout.InfiniteTimeSpan;
                _hurry.TrySetResult();
            }

            Task[] work;
            lock (_gate)
            {
                foreach (Entry entry in _entries)
                {
                    if (entry.Current is { } instance)
                        _ = Retire(instance, _options.Grace);
                }

                _work.RemoveWhere(static task => task.IsCompleted);
                work = [.. _work];
            }

            if (work.Length == 0)
                return;
            await Task.WhenAll(work).WaitAsync(left, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Stops at once and closes all models.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _stop.Dispose();
    }

    private Entry Find(string code) =>
        Array.Find(_entries, entry => string.Equals(entry.Model.Code, code, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"No model has the code {code}. There are {string.Join(", ", _entries.Select(entry => entry.Model.Code))}.", nameof(code));

    /// <summary>A model and what is known of it. All but <see cref="Model"/> is guarded by the host's lock.</summary>
    internal sealed class Entry(HostedModel model)
    {
        public HostedModel Model { get; } = model;

        public Instance? Current { get; set; }

        public Load? Loading { get; set; }

        public PlatformError? Refusal { get; set; }

        public long RefusedUntil { get; set; }

        public string? LastError { get; set; }

        public DateTimeOffset? LastUsed { get; set; }

        public long Loads { get; set; }

        public long Evictions { get; set; }
    }
}
