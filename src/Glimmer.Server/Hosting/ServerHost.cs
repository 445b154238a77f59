using System.Net;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Ledger;
using Glimmer.Server.Answers;
using Glimmer.Server.Transport;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Glimmer.Server.Hosting;

/// <summary>The web host that a server runs in: what of the framework is used, and how.</summary>
internal static class ServerHost
{
    /// <summary>A builder with a server, routes and nothing else.</summary>
    public static WebApplicationBuilder NewBuilder()
    {
        // Empty: settings were read by the caller, and the file watchers of the default sources cost start-up time.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Glimmer.Server" });
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        return builder;
    }

    /// <summary>Sets up logs, the end, and where and how it listens.</summary>
    public static void Configure(WebApplicationBuilder builder, GlimmerOptions options, GlimmerServices services, CertificateSource? certificate = null)
    {
        certificate ??= options.Certificate.Length > 0 ? new CertificateSource(options, services.Time) : null;
        builder.Logging.ClearProviders();
        builder.Logging.SetMinimumLevel(options.LogLevel);

        // The framework's own lines would name paths and queries of requests; ours name routes.
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("System", LogLevel.Warning);

        // It logs nothing above Information, but as long as it could, each request gets a log scope and a span that nobody reads: ours is made when somebody listens.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);

        // A start that fails is told once, as one line, by whoever started the server.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        if (services.Logs is { } logs)
        {
            builder.Logging.AddProvider(logs);
        }
        else
        {
            builder.Logging.AddProvider(new JsonLogProvider(Console.OpenStandardError(), services.Time));
        }

        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTime + TimeSpan.FromSeconds(5));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;   // counted while reading, so that the answer is the platform's own
            kestrel.Limits.MinResponseDataRate = new MinDataRate(bytesPerSecond: 16, gracePeriod: TimeSpan.FromSeconds(30));

            // HTTP/2 without TLS: one connection carries many streams, and one whose client is gone without a word is found out.
            kestrel.AllowAlternateSchemes = certificate is null;
            kestrel.Limits.Http2.MaxStreamsPerConnection = 512;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
            switch (options.Host)
            {
                case "*":
                    kestrel.ListenAnyIP(options.Port, TakeHttp2);
                    break;
                case "localhost" when options.Port != 0:
                    kestrel.ListenLocalhost(options.Port, TakeHttp2);
                    break;
                default:
                    kestrel.Listen(IPAddress.TryParse(options.Host, out IPAddress? address) ? address : IPAddress.Loopback, options.Port, TakeHttp2);
                    break;
            }
        });

        // Both versions are on from the start; to say so would make Kestrel warn that one needs TLS.
        void TakeHttp2(ListenOptions listen)
        {
            if (certificate is null)
                listen.Use(PriorKnowledge.Use);
            else
                listen.UseHttps(certificate.Handshake());
        }
    }
}
