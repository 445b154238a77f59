using System.Diagnostics.Metrics;
using Glimmer.Inference.Routing;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Telemetry;

/// <summary>
/// What the backends of a pool do, as <c>glimmer.backend.*</c> with the label <c>backend</c>. Read when somebody asks; the pool keeps the
/// numbers anyway. Counters start again when a backend is made anew.
/// </summary>
internal sealed class BackendTelemetry
{
    private readonly IChatBackendProvider _provider;

    public BackendTelemetry(GlimmerTelemetry telemetry, IChatBackendProvider provider)
    {
        _provider = provider;
        Meter meter = telemetry.Meter;
        meter.CreateObservableGauge("glimmer.backend.state", States, "{backend}", "1 for the state that a backend is in.");
        Gauge("glimmer.backend.inflight", "{request}", "Requests in flight at a backend.", static backend => backend.InFlight);
        Gauge("glimmer.backend.load", "{request}", "Requests that a backend works on or lets wait, those of others by its last probe.", static backend => backend.Load);
        Gauge("glimmer.backend.weight", "{weight}", "Weight of a backend.", static backend => backend.Weight);
        meter.CreateObservableGauge("glimmer.backend.latency", Latencies, "s", "Moving average of the time to the first event.");
        Counter("glimmer.backend.requests", "{request}", "Requests asked of a backend.", static backend => backend.Requests);
        Counter("glimmer.backend.answers", "{request}", "Requests answered to the end.", static backend => backend.Answers);
        Counter("glimmer.backend.failures", "{request}", "Requests at which a backend failed.", static backend => backend.Failures);
        Counter("glimmer.backend.busy", "{request}", "Requests refused because a backend was full.", static backend => backend.Busy);
        Counter("glimmer.backend.failovers", "{request}", "Requests that another backend was asked for after this one.", static backend => backend.FailedOver);
        Counter("glimmer.backend.hedges.lost", "{request}", "Requests that another backend answered first.", static backend => backend.HedgesLost);
        Counter("glimmer.backend.affinity.hits", "{request}", "Requests that came because the backend had seen most of their prompt.", static backend => backend.AffinityHits);
        Counter("glimmer.backend.ejections", "{ejection}", "Times a backend was ejected.", static backend => backend.Ejections);
        meter.CreateObservableGauge("glimmer.backends.waiting", Waiting, "{request}", "Requests that wait for a place at any backend of a model.");
        meter.CreateObservableCounter("glimmer.backends.reloads", () => One(static source => source.Changes), "{reload}", "Times another set of backends came into force.");
        meter.CreateObservableCounter("glimmer.backends.reload.failures", () => One(static source => source.Failures), "{reload}", "Times the file of backends was found wrong.");

        void Gauge(string name, string unit, string meaning, Func<BackendStatus, long> value) => meter.CreateObservableGauge(name, () => Measure(value), unit, meaning);

        void Counter(string name, string unit, string meaning, Func<BackendStatus, long> value) => meter.CreateObservableCounter(name, () => Measure(value), unit, meaning);
    }

    private IReadOnlyList<BackendStatus> Backends => _provider.Pool?.List() ?? [];

    private IEnumerable<Measurement<long>> Measure(Func<BackendStatus, long> value) =>
        Backends.Where(static backend => !backend.Removed).Select(backend => new Measurement<long>(value(backend), Label(backend)));

    private IEnumerable<Measurement<long>> States() =>
        from backend in Backends
        where !backend.Removed
        from state in Enum.GetValues<BackendState>()
        select new Measurement<long>(backend.State == state ? 1 : 0, Label(backend), new KeyValuePair<string, object?>("state", BackendStatus.WordOf(state)));

    private IEnumerable<Measurement<double>> Latencies() =>
        Backends.Where(static backend => !backend.Removed && backend.Latency is not null).Select(static backend => new Measurement<double>(backend.Latency!.Value.TotalSeconds, Label(backend)));

    private IEnumerable<Measurement<long>> Waiting() =>
        (_provider.Pool?.Models ?? []).Select(static model => new Measurement<long>(model.Waiting, new KeyValuePair<string, object?>("model", model.Code)));

    private IEnumerable<Measurement<long>> One(Func<BackendFileSource, long> value) =>
        _provider.Pool?.Source is { } source ? [new Measurement<long>(value(source))] : [];

    private static KeyValuePair<string, object?> Label(BackendStatus backend) => new("backend", backend.Name);
}
