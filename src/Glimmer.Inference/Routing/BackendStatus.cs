using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing.Health;

namespace Glimmer.Inference.Routing;

/// <summary>States of a backend.</summary>
public enum BackendState
{
    /// <summary>It takes requests.</summary>
    Ready,

    /// <summary>Its requests have failed; it gets one to see when the time is over.</summary>
    HalfOpen,

    /// <summary>Its requests have failed; it gets none for a while.</summary>
    Ejected,

    /// <summary>Its probes fail.</summary>
    Down,

    /// <summary>It gets no more; those that run are finished.</summary>
    Draining,
}

/// <summary>What is known of one backend.</summary>
public sealed record BackendStatus
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>What it was made from; null for the engine of this process.</summary>
    public BackendDefinition? Definition { get; init; }

    /// <summary>Model codes it answers for.</summary>
    public required IReadOnlyList<string> Models { get; init; }

    /// <summary>Whether it gets requests.</summary>
    public BackendState State { get; init; }

    /// <summary>Why, for people; empty when it is ready.</summary>
    public string Why { get; init; } = "";

    /// <summary>How long it stays ejected; zero when it is not.</summary>
    public TimeSpan EjectedFor { get; init; }

    /// <summary>Whether it is no longer in the file and ends with its last request.</summary>
    public bool Removed { get; init; }

    /// <summary>Its weight now.</summary>
    public int Weight { get; init; }

    /// <summary>Most requests in flight at it.</summary>
    public int MaxInFlight { get; init; }

    /// <summary>Requests in flight at it from this process.</summary>
    public int InFlight { get; init; }

    /// <summary>What it has to do, other processes' requests by its last probe included.</summary>
    public int Load { get; init; }

    /// <summary>Moving average of the time to the first event; null before the first.</summary>
    public TimeSpan? Latency { get; init; }

    /// <summary>Requests that it was asked.</summary>
    public long Requests { get; init; }

    /// <summary>Requests that it answered to the end.</summary>
    public long Answers { get; init; }

    /// <summary>Requests at which it failed, before or within the answer.</summary>
    public long Failures { get; init; }

    /// <summary>Requests that it refused because it was full.</summary>
    public long Busy { get; init; }

    /// <summary>Requests that another was asked for after it.</summary>
    public long FailedOver { get; init; }

    /// <summary>Requests that another answered first, where hedging is on.</summary>
    public long HedgesLost { get; init; }

    /// <summary>Requests that came because it had seen most of their prompt.</summary>
    public long AffinityHits { get; init; }

    /// <summary>How often it was ejected.</summary>
    public long Ejections { get; init; }

    /// <summary>Its part of all requests of this process, 0 to 1.</summary>
    public double Share { get; init; }

    /// <summary>Its last failure, for people; empty when there was none.</summary>
    public string LastError { get; init; } = "";

    /// <summary>What its last probe found; null when it is not probed or was not yet.</summary>
    public BackendProbe? Probe { get; init; }

    /// <summary>When that was.</summary>
    public DateTimeOffset? ProbedAt { get; init; }

    /// <summary>The word for a state: <c>ready</c>, <c>half_open</c>, <c>ejected</c>, <c>down</c>, <c>draining</c>.</summary>
    public static string WordOf(BackendState state) => state switch
    {
        BackendState.Ready => "ready",
        BackendState.HalfOpen => "half_open",
        BackendState.Ejected => "ejected",
        BackendState.Down => "down",
        _ => "draining",
    };

    internal static string WordOf(BackendMember member) => WordOf(StateOf(member).State);

    internal static BackendStatus Of(BackendMember member, long all)
    {
        (BackendState state, string why) = StateOf(member);
        return new BackendStatus
        {
            Name = member.Name,
            Definition = member.Definition,
            Models = member.Definition is { } definition ? [.. definition.Models.Select(static model => model.Code)] : member.Backend.Models,
            State = state,
            Why = why,
            EjectedFor = state == BackendState.Ejected ? member.Circuit.TimeLeft : TimeSpan.Zero,
            Removed = member.Removed,
            Weight = member.Weight,
            MaxInFlight = member.MaxInFlight,
            InFlight = member.InFlight,
            Load = member.Load,
            Latency = member.Latency > 0 ? TimeSpan.FromSeconds(member.Latency) : null,
            Requests = member.Requests,
            Answers = member.Answers,
            Failures = member.Failures,
            Busy = member.BusyAnswers,
            FailedOver = member.FailedOver,
            HedgesLost = member.HedgesLost,
            AffinityHits = member.AffinityHits,
            Ejections = member.Circuit.Openings,
            Share = all > 0 ? (double)member.Requests / all : 0,
            LastError = member.LastError,
            Probe = member.Probe?.Last,
            ProbedAt = member.Probe?.At,
        };
    }

    private static (BackendState State, string Why) StateOf(BackendMember member) =>
        member.Removed ? (BackendState.Draining, "it is no longer in the file")
        : member.Draining ? (BackendState.Draining, "an operator drains it")
        : member.Down ? (BackendState.Down, member.Probe?.Last.Detail ?? "its probes fail")
        : !member.Backend.IsReady ? (BackendState.Down, member.Probe is { Last.Alive: false } probe ? probe.Last.Detail : "it says that it is not ready")
        : member.Circuit.State switch
        {
            CircuitState.Open => (BackendState.Ejected, member.Circuit.Why),
            CircuitState.HalfOpen => (BackendState.HalfOpen, member.Circuit.Why),
            _ => (BackendState.Ready, ""),
        };
}

/// <summary>Something that happened to a backend.</summary>
/// <param name="At">When.</param>
/// <param name="Backend">Its name.</param>
/// <param name="What">One of <c>added</c>, <c>removed</c>, <c>gone</c>, <c>changed</c>, <c>ejected</c>, <c>closed</c>, <c>down</c>, <c>up</c>, <c>draining</c>, <c>undrained</c>, <c>weight</c>.</param>
/// <param name="Why">For people.</param>
public sealed record BackendEvent(DateTimeOffset At, string Backend, string What, string Why);
