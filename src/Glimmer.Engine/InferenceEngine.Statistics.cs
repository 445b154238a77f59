using Microsoft.Extensions.Logging;

namespace Glimmer.Engine;

/// <summary>What the engine counts and what it logs.</summary>
public sealed partial class InferenceEngine
{
    private long _passes, _prefilledTokens, _generatedTokens, _ended, _drafted, _accepted, _forced, _faults;
    private EngineStatistics _statistics;
    private int _statisticsVersion;

    /// <summary>What the engine did up to its last pass. Never blocks the engine.</summary>
    public EngineStatistics GetStatistics()
    {
        SpinWait spin = default;
        while (true)
        {
            int version = Volatile.Read(ref _statisticsVersion);
            EngineStatistics copy = _statistics;
            Interlocked.MemoryBarrier();
            // Odd while it is being written.
            if ((version & 1) == 0 && version == Volatile.Read(ref _statisticsVersion))
                return copy;
            spin.SpinOnce();
        }
    }

    private void PublishStatistics()
    {
        EngineStatistics current = new()
        {
            ContextLength = ContextLength,
            Pages = _scheduler.Pool.Pages,
            PagesInUse = _scheduler.Pool.InUse,
            PagesCached = _scheduler.Pool.Cached,
            PagesFree = _scheduler.Pool.Free,
            Running = _scheduler.Running.Count,
            Waiting = _scheduler.Waiting,
            Passes = _passes,
            PrefilledTokens = _prefilledTokens,
            CachedTokens = _scheduler.CachedTokens,
            GeneratedTokens = _generatedTokens,
            Ended = _ended,
            Preemptions = _scheduler.Preemptions,
            DraftedTokens = _drafted,
            AcceptedTokens = _accepted,
            ForcedTokens = _forced,
            SpilledPages = _spill?.Written ?? 0,
            RestoredPages = _spill?.Restored ?? 0,
            Faults = _faults,
        };
        Volatile.Write(ref _statisticsVersion, _statisticsVersion + 1);
        Interlocked.MemoryBarrier();
        _statistics = current;
        Volatile.Write(ref _statisticsVersion, _statisticsVersion + 1);
    }

    [LoggerMessage(1, LogLevel.Error, "A forward pass failed; its {Requests} requests end with a fault.")]
    private static partial void LogPassFault(ILogger logger, Exception exception, int requests);

    [LoggerMessage(2, LogLevel.Critical, "The scheduler failed; every request ends with a fault and the cache starts empty.")]
    private static partial void LogSchedulerFault(ILogger logger, Exception exception);

    [LoggerMessage(3, LogLevel.Error, "A token sink threw; its request ends.")]
    private static partial void LogSinkFault(ILogger logger, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "No token could be chosen; the request ends with a fault.")]
    private static partial void LogChoiceFault(ILogger logger, Exception exception);

    [LoggerMessage(6, LogLevel.Error, "The model's draft layer failed; answers go on without it.")]
    private static partial void LogDraftFault(ILogger logger, Exception exception);

    [LoggerMessage(7, LogLevel.Information, "{Bound} of {Threads} threads are bound to processors of {Nodes} memory nodes.")]
    private static partial void LogThreadPlacement(ILogger logger, int bound, int threads, int nodes);

    [LoggerMessage(8, LogLevel.Information, "Spread the KV cache over {Nodes} memory nodes: {Done}.")]
    private static partial void LogCachePlacement(ILogger logger, bool done, int nodes);

    [LoggerMessage(5, LogLevel.Critical, "The idle engine still holds memory: {Leak}")]
    private static partial void LogLeak(ILogger logger, string leak);
}
