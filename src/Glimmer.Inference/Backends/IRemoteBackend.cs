namespace Glimmer.Inference.Backends;

/// <summary>What a probe found.</summary>
/// <param name="Alive">Whether it can take requests.</param>
/// <param name="Detail">For people: what it said, or why it is not alive.</param>
public sealed record BackendProbe(bool Alive, string Detail)
{
    /// <summary>Requests that it works on, others' included; null when it does not say.</summary>
    public int? Running { get; init; }

    /// <summary>Requests that wait at it; null when it does not say.</summary>
    public int? Waiting { get; init; }

    /// <summary>Share of its KV cache in use, 0 to 1; null when it does not say.</summary>
    public double? CacheUsage { get; init; }

    /// <summary>Its own name and version; null when it does not say.</summary>
    public string? Server { get; init; }
}

/// <summary>A chat backend in another process. Its requests are made at once; who of several is asked is decided before (<see cref="Routing"/>).</summary>
public interface IRemoteBackend : IChatBackend, IAsyncDisposable
{
    /// <summary>What it was made from.</summary>
    BackendDefinition Definition { get; }

    /// <summary>Asks it whether it is well, without making it work. Never throws but for cancelling.</summary>
    Task<BackendProbe> ProbeAsync(CancellationToken cancel);
}
