using System.Diagnostics.Metrics;
using Glimmer.Engine;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Telemetry;

/// <summary>
/// What the engines of this process do, as <c>glimmer.engine.*</c> with the label <c>model</c>. Read when somebody asks;
/// the engines keep the numbers anyway. Counters start again when a model is unloaded and loaded.
/// </summary>
internal sealed class EngineTelemetry
{
    private readonly IChatBackendProvider _backends;

    public EngineTelemetry(GlimmerTelemetry telemetry, IChatBackendProvider backends)
    {
        _backends = backends;
        Meter meter = telemetry.Meter;
        Gauge("glimmer.engine.running", "{sequence}", "Answers and prompts in work.", static engine => engine.Running);
        Gauge("glimmer.engine.waiting", "{request}", "Requests that wait for a place, those put back included.", static engine => engine.Waiting);
        Gauge("glimmer.engine.kv.pages", "{page}", "Pages of the KV cache.", static engine => engine.Pages);
        Gauge("glimmer.engine.kv.pages.used", "{page}", "Pages held by sequences in work.", static engine => engine.PagesInUse);
        Gauge("glimmer.engine.kv.pages.cached", "{page}", "Pages kept for reuse alone.", static engine => engine.PagesCached);
        Gauge("glimmer.engine.kv.pages.free", "{page}", "Pages that hold nothing.", static engine => engine.PagesFree);
        Counter("glimmer.engine.passes", "{pass}", "Forward passes.", static engine => engine.Passes);
        Counter("glimmer.engine.tokens.prefilled", "{token}", "Prompt tokens computed.", static engine => engine.PrefilledTokens);
        Counter("glimmer.engine.tokens.cached", "{token}", "Prompt tokens reused from the prefix cache.", static engine => engine.CachedTokens);
        Counter("glimmer.engine.tokens.generated", "{token}", "Tokens made.", static engine => engine.GeneratedTokens);
        Counter("glimmer.engine.tokens.drafted", "{token}", "Tokens guessed by speculation.", static engine => engine.DraftedTokens);
        Counter("glimmer.engine.tokens.accepted", "{token}", "Guesses that were right.", static engine => engine.AcceptedTokens);
        Counter("glimmer.engine.tokens.forced", "{token}", "Tokens that a constraint left no choice about.", static engine => engine.ForcedTokens);
        Counter("glimmer.engine.preemptions", "{sequence}", "Times a sequence was put back because pages ran out.", static engine => engine.Preemptions);
        Counter("glimmer.engine.faults", "{pass}", "Passes that failed.", static engine => engine.Faults);
        Counter("glimmer.engine.spill.written", "{page}", "Pages written to the spill file.", static engine => engine.SpilledPages);
        Counter("glimmer.engine.spill.restored", "{page}", "Pages read back from the spill file.", static engine => engine.RestoredPages);

        void Gauge(string name, string unit, string meaning, Func<EngineStatistics, long> value) =>
            meter.CreateObservableGauge(name, () => Measure(value), unit, meaning);

        void Counter(string name, string unit, string meaning, Func<EngineStatistics, long> value) =>
            meter.CreateObservableCounter(name, () => Measure(value), unit, meaning);
    }

    private IEnumerable<Measurement<long>> Measure(Func<EngineStatistics, long> value)
    {
        foreach (IChatBackend backend in _backends.Backends)
        {
            if (backend is IEngineReport { EngineStatistics: { } engine })
                yield return new Measurement<long>(value(engine), new KeyValuePair<string, object?>("model", backend.Models.Count > 0 ? backend.Models[0] : backend.Name));
        }
    }
}
