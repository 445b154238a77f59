using System.Diagnostics;
using Glimmer.Inference.Routing.Choosing;

namespace Glimmer.Inference.Routing;

/// <summary>Writes the decisions of one request into its span, where somebody records it.</summary>
internal readonly struct RouteTrace(Activity? activity)
{
    private readonly Activity? _span = activity is { IsAllDataRequested: true } ? activity : null;

    /// <summary>How much of the prompt a backend has seen, as far as is remembered.</summary>
    public void Depth(int known, int all)
    {
        _span?.SetTag("glimmer.routing.blocks_known", known);
        _span?.SetTag("glimmer.routing.blocks", all);
    }

    public void Choose(BackendMember member, RouteReason reason)
    {
        if (_span is null)
            return;
        _span.SetTag("glimmer.backend.name", member.Name);
        _span.SetTag("glimmer.backend.reason", Word(reason));
        _span.AddEvent(new ActivityEvent("glimmer.routing.chosen", tags: new ActivityTagsCollection
        {
            ["glimmer.backend.name"] = member.Name,
            ["glimmer.backend.reason"] = Word(reason),
            ["glimmer.backend.load"] = member.Load,
            ["glimmer.backend.weight"] = member.Weight,
        }));
    }

    public void Failover(BackendMember from, BackendMember to)
    {
        if (_span is null)
            return;
        _span.AddEvent(new ActivityEvent("glimmer.routing.failover", tags: new ActivityTagsCollection
        {
            ["glimmer.backend.from"] = from.Name,
            ["glimmer.backend.to"] = to.Name,
            ["glimmer.backend.error"] = from.LastError,
            ["glimmer.backend.state"] = BackendStatus.WordOf(from),
        }));
    }

    public void Hedge(BackendMember first, BackendMember second)
    {
        if (_span is null)
            return;
        _span.AddEvent(new ActivityEvent("glimmer.routing.hedge", tags: new ActivityTagsCollection { ["glimmer.backend.from"] = first.Name, ["glimmer.backend.to"] = second.Name }));
    }

    /// <summary>Who answers in the end.</summary>
    public void End(Attempt winner, int attempts)
    {
        if (_span is null)
            return;
        _span.SetTag("glimmer.backend.name", winner.Member.Name);
        _span.SetTag("glimmer.backend.reason", Word(winner.Reason));
        _span.SetTag("glimmer.backend.attempts", attempts);
    }

    public void Fail(int attempts) => _span?.SetTag("glimmer.backend.attempts", attempts);

    public static string Word(RouteReason reason) => reason switch
    {
        RouteReason.Only => "only",
        RouteReason.Affinity => "affinity",
        RouteReason.Hash => "weight",
        RouteReason.Load => "load",
        _ => "last_resort",
    };
}
