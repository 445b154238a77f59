using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Glimmer.Server.Telemetry;

/// <summary>Sends traces and metrics by OTLP over HTTP. Made only when an address is configured: otherwise not even its assembly is loaded.</summary>
internal sealed class OtlpExport : IDisposable
{
    private readonly TracerProvider _traces;
    private readonly MeterProvider _metrics;

    /// <summary>Starts exporting.</summary>
    /// <param name="endpoint">Base address; <c>/v1/traces</c> and <c>/v1/metrics</c> are put behind it.</param>
    public OtlpExport(Uri endpoint)
    {
        ResourceBuilder resource = ResourceBuilder.CreateDefault().AddService("glimmer");
        _traces = Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddSource(GlimmerTelemetry.SourceName)
            .AddOtlpExporter(options => Configure(options, endpoint, "v1/traces"))
            .Build();
        _metrics = Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter(GlimmerTelemetry.SourceName, "System.Runtime")
            .AddOtlpExporter(options => Configure(options, endpoint, "v1/metrics"))
            .Build();
    }

    public void Dispose()
    {
        _traces.Dispose();
        _metrics.Dispose();
    }

    private static void Configure(OtlpExporterOptions options, Uri endpoint, string path)
    {
        options.Protocol = OtlpExportProtocol.HttpProtobuf;
        options.Endpoint = new Uri(endpoint.AbsoluteUri.TrimEnd('/') + "/" + path);
    }
}
