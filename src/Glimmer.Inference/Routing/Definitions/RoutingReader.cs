using Glimmer.Shared.Yaml;

namespace Glimmer.Inference.Routing.Definitions;

/// <summary>Reads the section <c>routing</c> of a file of backends.</summary>
internal sealed class RoutingReader(BackendFields fields)
{
    private static readonly TimeSpan _none = TimeSpan.Zero;
    private static readonly TimeSpan _least = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan _hour = TimeSpan.FromHours(1);

    public RoutingOptions Read(YamlTree node)
    {
        RoutingOptions options = new();
        foreach ((string key, YamlTree value) in fields.Members(node, "routing"))
        {
            options = key switch
            {
                "policy" => options with { Policy = Policy(value) },
                "load_factor" => options with { LoadFactor = fields.Number(value, key, 1.01, 10) },
                "free_load" => options with { FreeLoad = fields.Whole(value, key, 1, 10_000) },
                "attempts" => options with { Attempts = fields.Whole(value, key, 1, 16) },
                "failover_within" => options with { FailoverWithin = fields.Time(value, key, _none, _hour) },
                "hedge_after" => options with { HedgeAfter = value.Scalar == "off" ? null : fields.Time(value, key, _least, _hour) },
                "wait" => options with { Wait = fields.Time(value, key, _none, _hour) },
                "wait_length" => options with { WaitLength = fields.Whole(value, key, 0, 100_000) },
                "probe" => options with { Probe = Probe(value) },
                "eject" => options with { Eject = Eject(value) },
                "embedded_weight" => options with { EmbeddedWeight = fields.Whole(value, key, 0, 1000) },
                "stand_in" => options with { StandIn = fields.Text(value, key, 128) },
                _ => throw fields.Unknown(value, key, "policy, load_factor, free_load, attempts, failover_within, hedge_after, wait, wait_length, probe, eject, embedded_weight, stand_in"),
            };
        }

        return options;
    }

    private RoutingPolicy Policy(YamlTree node) => fields.Text(node, "policy") switch
    {
        "affinity" => RoutingPolicy.Affinity,
        "load" => RoutingPolicy.Load,
        var other => throw fields.Wrong(node, $"policy is \"{other}\"; use affinity or load."),
    };

    private ProbeOptions Probe(YamlTree node)
    {
        ProbeOptions options = new();
        foreach ((string key, YamlTree value) in fields.Members(node, "probe"))
        {
            options = key switch
            {
                "interval" => options with { Interval = value.Scalar == "off" ? _none : fields.Time(value, "probe.interval", TimeSpan.FromMilliseconds(100), _hour) },
                "timeout" => options with { Timeout = fields.Time(value, "probe.timeout", _least, _hour) },
                "failures" => options with { Failures = fields.Whole(value, "probe.failures", 1, 100) },
                "successes" => options with { Successes = fields.Whole(value, "probe.successes", 1, 100) },
                _ => throw fields.Unknown(value, key, "interval, timeout, failures, successes"),
            };
        }

        return options;
    }

    private EjectOptions Eject(YamlTree node)
    {
        EjectOptions options = new();
        foreach ((string key, YamlTree value) in fields.Members(node, "eject"))
        {
            options = key switch
            {
                "failures" => options with { Failures = fields.Whole(value, "eject.failures", 0, 1000) },
                "rate" => options with { Rate = fields.Number(value, "eject.rate", 0, 1) },
                "samples" => options with { Samples = fields.Whole(value, "eject.samples", 1, 62) },
                "time" => options with { Time = fields.Time(value, "eject.time", _least, _hour) },
                "longest_time" => options with { LongestTime = fields.Time(value, "eject.longest_time", _least, _hour) },
                "share" => options with { Share = fields.Number(value, "eject.share", 0, 1) },
                _ => throw fields.Unknown(value, key, "failures, rate, samples, time, longest_time, share"),
            };
        }

        return options;
    }
}
