using System.Diagnostics.Metrics;

namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>What a host holds, as instruments of a meter: read when they are asked for.</summary>
public static class ModelHostMetrics
{
    /// <summary>Adds <c>glimmer.models.*</c> to a meter. The instruments live as long as the meter.</summary>
    public static void Publish(ModelHost host, Meter meter)
    {
        meter.CreateObservableGauge("glimmer.models.memory.limit", () => host.Statistics.MemoryBytes, "By", "Memory that all models may need together.");
        meter.CreateObservableGauge("glimmer.models.memory.used", () => host.Statistics.UsedBytes, "By", "Memory promised to models: loaded, being loaded, and being unloaded.");
        meter.CreateObservableGauge("glimmer.model.loaded", () => Each(host, model => model.State == HostedModelState.Loaded ? 1 : 0), "{model}", "Whether the model is loaded.");
        meter.CreateObservableGauge("glimmer.model.memory", () => Each(host, model => model.Bytes), "By", "Memory that the model holds.");
        meter.CreateObservableGauge("glimmer.model.requests.open", () => Each(host, model => model.InFlight), "{request}", "Requests that use the model or wait for it.");
        meter.CreateObservableCounter("glimmer.model.loads", () => Each(host, model => model.Loads), "{load}", "Loads of the model that succeeded.");
        meter.CreateObservableCounter("glimmer.model.evictions", () => Each(host, model => model.Evictions), "{eviction}", "Times the model made room for another.");
    }

    private static IEnumerable<Measurement<long>> Each(ModelHost host, Func<HostedModelStatistics, long> value) =>
        host.Statistics.Models.Select(model => new Measurement<long>(value(model), new KeyValuePair<string, object?>("model", model.Code)));
}
