using System.Diagnostics.Metrics;
using Glimmer.Platform.Nodes;

namespace Glimmer.Server.Telemetry;

/// <summary>This node's trade in slices of shared limits, as <c>glimmer.node.*</c>. Read when somebody asks; nothing where the store is not shared.</summary>
internal sealed class NodeTelemetry
{
    public NodeTelemetry(GlimmerTelemetry telemetry, NodeShare? nodes)
    {
        if (nodes is null)
            return;
        Meter meter = telemetry.Meter;
        meter.CreateObservableGauge("glimmer.node.count", () => nodes.Trade.Nodes, "{node}", "Nodes that share the store.");
        meter.CreateObservableGauge("glimmer.node.lease.left", () => nodes.Trade.LeaseLeft.TotalSeconds, "s", "How long this node may still admit without news of the store.");
        meter.CreateObservableGauge("glimmer.node.limits", () => nodes.Trade.Limits, "{limit}", "Shared limits of which this node holds something.");
        meter.CreateObservableGauge("glimmer.node.units.held", () => nodes.Trade.Held, "{unit}", "Units of shared limits that this node holds.");
        meter.CreateObservableGauge("glimmer.node.units.used", () => nodes.Trade.Used, "{unit}", "Units of them in use.");
        meter.CreateObservableGauge("glimmer.node.limits.starved", () => nodes.Trade.Starved, "{limit}", "Shared limits that had less than was asked for at the last exchange.");
        meter.CreateObservableCounter("glimmer.node.exchanges", () => nodes.Trade.Exchanges, "{exchange}", "Exchanges with the store.");
        meter.CreateObservableCounter("glimmer.node.trades", () => nodes.Trade.Asks, "{limit}", "Limits asked for or given back in them.");
        meter.CreateObservableCounter("glimmer.node.exchanges.failed", () => nodes.Trade.Failures, "{exchange}", "Exchanges without an answer.");
        meter.CreateObservableCounter("glimmer.node.fenced", () => nodes.Trade.Fences, "{time}", "Times that the lease had ended and others had the slices.");
    }
}
