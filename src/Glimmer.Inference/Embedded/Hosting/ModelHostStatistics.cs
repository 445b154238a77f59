namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>Where a hosted model stands.</summary>
public enum HostedModelState
{
    /// <summary>It is not in memory; the next request loads it.</summary>
    Unloaded,

    /// <summary>It is being loaded, or waits for memory.</summary>
    Loading,

    /// <summary>It answers.</summary>
    Loaded,
}

/// <summary>One model of a host at one moment.</summary>
/// <param name="Code">Its code.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Bytes">Memory it holds while loaded; 0 otherwise.</param>
/// <param name="InFlight">Requests that use it, or wait for it to be loaded.</param>
/// <param name="LastUsed">When a request last began or ended; null before the first.</param>
/// <param name="Loads">Loads that succeeded so far.</param>
/// <param name="Evictions">Times it made room for another.</param>
/// <param name="LastError">Why the last load failed, for operators; null when it did not.</param>
public sealed record HostedModelStatistics(string Code, HostedModelState State, long Bytes, int InFlight, DateTimeOffset? LastUsed, long Loads, long Evictions, string? LastError);

/// <summary>A host at one moment.</summary>
/// <param name="MemoryBytes">Bytes that may be used.</param>
/// <param name="UsedBytes">Bytes promised to models: loaded, being loaded, and being unloaded until they are gone.</param>
/// <param name="Models">The models in the order they were given.</param>
public sealed record ModelHostStatistics(long MemoryBytes, long UsedBytes, IReadOnlyList<HostedModelStatistics> Models);
