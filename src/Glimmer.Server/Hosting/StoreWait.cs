using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Health;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Hosting;

/// <summary>
/// The start of a server whose PostgreSQL does not answer: without it nobody knows accounts and keys, so it waits, and meanwhile says so on
/// the server's own address: <c>/health/live</c> answers, <c>/health/ready</c> and everything else are 503.
/// </summary>
internal static partial class StoreWait
{
    private static readonly TimeSpan _every = TimeSpan.FromSeconds(1);

    /// <summary>Creates a server, waiting for its database up to the bound of the options.</summary>
    public static async Task<GlimmerServer> CreateAsync(GlimmerOptions options, Func<GlimmerServer> create, GlimmerServices services, CancellationToken cancel)
    {
        WebApplication? waiting = null;
        long began = services.Time.GetTimestamp();
        try
        {
            while (true)
            {
                try
                {
                    return create();
                }
                catch (Exception fault) when (PlatformStore.IsAbsence(fault) && services.Time.GetElapsedTime(began) < options.StoreWait)
                {
                    waiting ??= await ListenAsync(options, services, fault, cancel);
                }

                // The one that listens hears it when the process is told to stop.
                using var stopped = CancellationTokenSource.CreateLinkedTokenSource(cancel, waiting.Lifetime.ApplicationStopping);
                await Task.Delay(_every, services.Time, stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancel.ThrowIfCancellationRequested();
                if (stopped.IsCancellationRequested)
                    throw new GlimmerStartupException("Told to stop while the database was waited for.", 0);
            }
        }
        finally
        {
            if (waiting is not null)
                await waiting.DisposeAsync();
        }
    }

    private static async Task<WebApplication> ListenAsync(GlimmerOptions options, GlimmerServices services, Exception fault, CancellationToken cancel)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Glimmer.Server" });
        builder.WebHost.UseKestrelCore();
        ServerHost.Configure(builder, options, services);
        WebApplication app = builder.Build();
        app.Run(context => AnswerAsync(context, services.Time));
        Log.Waiting(app.Logger, options.StoreWait.TotalSeconds, FaultText.Of(fault));
        await app.StartAsync(cancel);
        return app;
    }

    private static async Task AnswerAsync(HttpContext context, TimeProvider time)
    {
        string path = RequestPath.Normalise(context.Request.Path.Value ?? "/");
        switch (path)
        {
            case "/health/live":
                await HealthEndpoints.WriteAsync(context, StatusCodes.Status200OK, "live", null, null, 0);
                return;
            case "/health/ready":
                context.Response.Headers.RetryAfter = "5";
                await HealthEndpoints.WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "waiting for the database", "The database does not answer; the start goes on when it does.", null, 0);
                return;
            default:
                var record = new RequestRecord { Id = RequestIds.NewRequestId(time.GetUtcNow()), Started = time.GetTimestamp(), Dialect = WireDialects.Of(path) };
                context.Features.Set(record);
                context.Response.Headers["x-request-id"] = record.Id;
                await ErrorResponse.WriteAsync(context, PlatformLedger.Away(record.Id));
                return;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1011, LogLevel.Warning, "The start waits for the database, up to {Seconds} s: {Fault}")]
        public static partial void Waiting(ILogger log, double seconds, string fault);
    }
}
