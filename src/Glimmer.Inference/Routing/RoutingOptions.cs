namespace Glimmer.Inference.Routing;

/// <summary>How a backend is chosen among several that could answer.</summary>
public enum RoutingPolicy
{
    /// <summary>The one whose prefix cache holds most of the prompt, unless it has more than its share to do.</summary>
    Affinity,

    /// <summary>The one with the least to do for its weight.</summary>
    Load,
}

/// <summary>How requests are spread over backends, and when one gets none. The section <c>routing</c> of the file of backends (docs/backends.md).</summary>
public sealed record RoutingOptions
{
    /// <summary>How one of several is chosen.</summary>
    public RoutingPolicy Policy { get; init; } = RoutingPolicy.Affinity;

    /// <summary>How far above its share of the load a backend may be for the sake of its cache; above 1, at most 10 (c of bounded-load consistent hashing).</summary>
    public double LoadFactor { get; init; } = 1.25;

    /// <summary>Requests that a backend may always have before its share is looked at, 1 to 10000: a few requests side by side cost an engine nothing.</summary>
    public int FreeLoad { get; init; } = 4;

    /// <summary>Most backends that are asked for one request, hedges included, 1 to 16.</summary>
    public int Attempts { get; init; } = 3;

    /// <summary>No other backend is asked when a request is older than this.</summary>
    public TimeSpan FailoverWithin { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>A second backend is asked beside the first when that has said nothing for so long; null for never.</summary>
    public TimeSpan? HedgeAfter { get; init; }

    /// <summary>How long a request waits for a place when all backends that are well are full; zero refuses it at once.</summary>
    public TimeSpan Wait { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Most requests of one model that wait so, 0 to 100000.</summary>
    public int WaitLength { get; init; } = 1024;

    /// <summary>When backends are asked how they are.</summary>
    public ProbeOptions Probe { get; init; } = new();

    /// <summary>When a backend that fails gets no requests.</summary>
    public EjectOptions Eject { get; init; } = new();

    /// <summary>Weight of the engine in this process among backends of its model, 0 to 1000.</summary>
    public int EmbeddedWeight { get; init; } = 100;

    /// <summary>Code of a model that answers for chat codes of the catalogue that nobody serves; null for none.</summary>
    public string? StandIn { get; init; }
}

/// <summary>Active probes.</summary>
public sealed record ProbeOptions
{
    /// <summary>Time between two, moved by up to a tenth either way; zero for none.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long one may take.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>So many failures in a row make it down, 1 to 100.</summary>
    public int Failures { get; init; } = 3;

    /// <summary>So many successes in a row make it up again, 1 to 100.</summary>
    public int Successes { get; init; } = 2;
}

/// <summary>Passive outlier ejection: its requests say that a backend is ill.</summary>
public sealed record EjectOptions
{
    /// <summary>So many failures in a row eject it, 1 to 1000; 0 for never.</summary>
    public int Failures { get; init; } = 5;

    /// <summary>Such a share of failures among its last requests ejects it, above 0, at most 1; 0 for never.</summary>
    public double Rate { get; init; } = 0.5;

    /// <summary>The share counts from so many requests on, 1 to 62.</summary>
    public int Samples { get; init; } = 20;

    /// <summary>How long it gets none then; doubled each time that its trial fails.</summary>
    public TimeSpan Time { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest that becomes.</summary>
    public TimeSpan LongestTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most of a model's backends, as a share from 0 to 1, that may be out of use when another is ejected. The last one never is.</summary>
    public double Share { get; init; } = 0.5;
}
