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
    /// <param name="options">How to run.</param>
    /// <param name="create">Creates it, or throws because the database is away.</param>
    /// <param name="services">What is replaced.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <param name="listening">Gets the lifetime of the one that listens meanwhile.</param>
    /// <exception cref="GlimmerStartupException">With exit code 0: it was told to stop meanwhile.</exception>
    public static async Task<GlimmerServer> CreateAsync(
        GlimmerOptions options, Func<GlimmerServer> create, GlimmerServices services, CancellationToken cancel, Action<IHostApplicationLifetime>? listening = null)
    {
        WebApplication? waiting = null;
        GlimmerServer? server = null;
        CancellationToken told = CancellationToken.None;
        long began = services.Time.GetTimestamp();
        try
        {
            while (server is null)
            {
                try
                {
                    server = create();
                    break;
                }
                catch (Exception fault) when (PlatformStore.IsAbsence(fault) && services.Time.GetElapsedTime(began) < options.StoreWait)
                {
                    if (waiting is null)
                    {
                        waiting = await ListenAsync(options, services, fault, cancel);
                        told = waiting.Lifetime.ApplicationStopping;
                        listening?.Invoke(waiting.Lifetime);
                    }
                }

                using var stopped = CancellationTokenSource.CreateLinkedTokenSource(cancel, told);
                await Task.Delay(_every, services.Time, stopped.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancel.ThrowIfCancellationRequested();
                if (told.IsCancellationRequested)
                    throw Told();
            }
        }
        finally
        {
            if (waiting is not null)
                await waiting.DisposeAsync();
        }

        // Until here the one that listened has taken the signal to stop, which the new one then never gets.
        if (!told.IsCancellationRequested)
            return server;
        await server.DisposeAsync();
        throw Told();
    }

    private static GlimmerStartupException Told() => new("Told to stop while the database was waited for.", 0);

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
