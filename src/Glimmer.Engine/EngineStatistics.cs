namespace Glimmer.Engine;

/// <summary>What an engine is doing and has done, taken between two passes.</summary>
public readonly record struct EngineStatistics
{
    /// <summary>Most tokens of one prompt and its answer together.</summary>
    public int ContextLength { get; init; }

    /// <summary>Pages of the KV cache: the sum of the next three.</summary>
    public int Pages { get; init; }

    /// <summary>Pages held by running sequences.</summary>
    public int PagesInUse { get; init; }

    /// <summary>Pages kept for reuse alone; they make room when needed.</summary>
    public int PagesCached { get; init; }

    /// <summary>Pages that hold nothing.</summary>
    public int PagesFree { get; init; }

    /// <summary>Sequences running now.</summary>
    public int Running { get; init; }

    /// <summary>Requests waiting for a place now, sequences put back included.</summary>
    public int Waiting { get; init; }

    /// <summary>Forward passes.</summary>
    public long Passes { get; init; }

    /// <summary>Prompt tokens computed, those computed again after pre-emption included.</summary>
    public long PrefilledTokens { get; init; }

    /// <summary>Prompt tokens reused from the cache.</summary>
    public long CachedTokens { get; init; }

    /// <summary>Tokens sampled.</summary>
    public long GeneratedTokens { get; init; }

    /// <summary>Generations that ended, for whatever reason.</summary>
    public long Ended { get; init; }

    /// <summary>Times a sequence was put back because pages ran out.</summary>
    public long Preemptions { get; init; }

    /// <summary>Tokens guessed by speculation.</summary>
    public long DraftedTokens { get; init; }

    /// <summary>Of those, guesses that were right.</summary>
    public long AcceptedTokens { get; init; }

    /// <summary>Tokens taken because a constraint left no choice.</summary>
    public long ForcedTokens { get; init; }

    /// <summary>Pages written to the spill file.</summary>
    public long SpilledPages { get; init; }

    /// <summary>Pages read back from the spill file instead of being computed.</summary>
    public long RestoredPages { get; init; }

    /// <summary>Passes that failed.</summary>
    public long Faults { get; init; }
}
