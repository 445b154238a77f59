using System.Diagnostics.Metrics;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Server.Telemetry;

/// <summary>Whether the database answers and what waits for it, as <c>glimmer.store.*</c>. Read when somebody asks.</summary>
internal sealed class StoreTelemetry
{
    public StoreTelemetry(GlimmerTelemetry telemetry, PlatformStore store, PlatformLedger ledger)
    {
        Meter meter = telemetry.Meter;
        meter.CreateObservableGauge("glimmer.store.away", () => store.Presence.IsAway ? 1 : 0, "{database}", "1 while the database does not answer.");
        meter.CreateObservableGauge("glimmer.store.away.seconds", () => store.Presence.Duration.TotalSeconds, "s", "How long it has not answered; 0 while it does.");
        meter.CreateObservableGauge("glimmer.store.backlog", () => ledger.Backlog, "{request}", "Settled requests that the database does not have yet.");
        meter.CreateObservableGauge("glimmer.store.journal.waiting", () => ledger.JournalWaiting, "{request}", "Those of them that are in the journal.");
        meter.CreateObservableGauge("glimmer.store.journal.bytes", () => ledger.JournalBytes, "By", "Bytes of the journal.");
        meter.CreateObservableCounter("glimmer.store.journal.kept", () => ledger.JournalKept, "{request}", "Settled requests put into the journal.");
    }
}
