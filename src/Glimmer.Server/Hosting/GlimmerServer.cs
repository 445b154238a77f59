using System.Net;
using System.Net.Sockets;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Server.Accounts;
using Glimmer.Server.Chat;
using Glimmer.Server.Health;
using Glimmer.Server.Home;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Transport;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Glimmer.Server.Hosting;

/// <summary>What an embedder may replace.</summary>
public sealed record GlimmerServices
{
    /// <summary>Clock of everything.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Where log lines go; null for JSON on standard error.</summary>
    public ILoggerProvider? Logs { get; init; }

    /// <summary>Decides who may run; null for the bounds of the options.</summary>
    public IAdmission? Admission { get; init; }
}

/// <summary>
/// The platform's HTTP server. Make it with <see cref="Create"/>, start it, and fill the backends when they are loaded: it
/// listens and tells its state before that. Starting and stopping belong to one caller.
/// </summary>
/// <example>
/// <code>
/// var slot = new ChatBackendSlot();
/// await using GlimmerServer server = GlimmerServer.Create(options, slot);
/// await server.StartAsync(cancel);
/// slot.Fill([backend], standIn: backend);
/// await server.WaitForShutdownAsync(cancel);
/// </code>
/// </example>
public sealed class GlimmerServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly GlimmerOptions _options;
    private readonly OtlpExport? _export;

    private GlimmerServer(WebApplication app, GlimmerOptions options, PlatformAccounts accounts, NewAccessKey? firstKey)
    {
        _app = app;
        _options = options;
        _export = options.OtlpEndpoint is { } endpoint ? new OtlpExport(endpoint) : null;
        Accounts = accounts;
        FirstKey = firstKey;
    }

    /// <summary>Accounts, projects and keys.</summary>
    public PlatformAccounts Accounts { get; }

    /// <summary>The keys of the machine's owner.</summary>
    public OwnerKeys Keys => Accounts.OwnerKeys;

    /// <summary>The key made because there was none; show it once, it cannot be had again. Null when there were keys.</summary>
    public NewAccessKey? FirstKey { get; }

    /// <summary>Makes loggers that write where the server's own lines go, for what runs beside it.</summary>
    public ILoggerFactory Logs => _app.Services.GetRequiredService<ILoggerFactory>();

    /// <summary>Where the server listens, once started: <c>http://127.0.0.1:8080</c>.</summary>
    public IReadOnlyList<Uri> Addresses { get; private set; } = [];

    /// <summary>Opens data folder and catalogue and builds the server; nothing listens yet.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="backends">Who answers; may be filled later.</param>
    /// <param name="services">What to replace; null for nothing.</param>
    /// <exception cref="GlimmerStartupException">Data folder or catalogue cannot be used.</exception>
    public static GlimmerServer Create(GlimmerOptions options, IChatBackendProvider backends, GlimmerServices? services = null)
    {
        services ??= new GlimmerServices();
        PlatformStore? store = null;
        PlatformAccounts accounts;
        NewAccessKey? firstKey = null;
        Catalogue catalogue;
        try
        {
            catalogue = Catalogue.Load(Path.Combine(options.DataFolder, Catalogue.FileName));
            store = PlatformStore.Open(options.Store(services.Time));
            accounts = PlatformAccounts.Open(store);
            if (accounts.OwnerKeys.Keys.Count == 0)
                firstKey = accounts.OwnerKeys.Create("first key");
        }
        catch (Exception fault) when (fault is KeyRingException or StoreException)
        {
            store?.Dispose();
            throw new GlimmerStartupException(fault.Message, 73, fault);
        }
        catch (CatalogException fault)
        {
            throw new GlimmerStartupException(fault.Message, 78, fault);
        }

        // Empty: settings were read by the caller, and the file watchers of the default sources cost start-up time.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Glimmer.Server" });
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        ConfigureHost(builder, options, services);
        builder.Services
            .AddSingleton(options)
            .AddSingleton(services.Time)
            .AddSingleton(store)
            .AddSingleton(accounts)
            .AddSingleton(accounts.Directory)
            .AddSingleton(catalogue)
            .AddSingleton(backends)
            .AddSingleton(services.Admission ?? new BoundedAdmission(options.MaxOpenRequests, options.MaxOpenRequestsPerKey))
            .AddSingleton(new Authenticator(accounts.Directory))
            .AddSingleton<RequestGate>()
            .AddSingleton<AnswerDrain>()
            .AddSingleton<GlimmerTelemetry>()
            .AddSingleton<ModelOffers>()
            .AddSingleton<ModelsEndpoint>()
            .AddSingleton<ChatEndpoint>()
            .AddSingleton<TokenizerEndpoint>()
            .AddSingleton<HealthEndpoints>()
            .AddSingleton<HomePage>();
        AccountRoutes.Add(builder.Services, options, accounts, services.Time);
        WebApplication app = builder.Build();
        ServerLog.Attach(store, app.Logger);
        Map(app, options);
        return new GlimmerServer(app, options, accounts, firstKey);
    }

    /// <summary>Begins to listen.</summary>
    /// <exception cref="GlimmerStartupException">The address cannot be had.</exception>
    public async Task StartAsync(CancellationToken cancel = default)
    {
        try
        {
            await _app.StartAsync(cancel);
        }
        catch (IOException fault) when (fault.InnerException is AddressInUseException)
        {
            throw new GlimmerStartupException(
                $"Port {_options.Port} of {_options.Host} is already in use. Stop what listens there, or choose another port (Glimmer:Listen:Port, 0 for a free one).", 69, fault);
        }
        catch (Exception fault) when (fault is SocketException or IOException)
        {
            throw new GlimmerStartupException(
                $"Cannot listen on {_options.Host}:{_options.Port}: {fault.Message} Choose another address (Glimmer:Listen:Host, Glimmer:Listen:Port).", 69, fault);
        }

        Addresses = [.. _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address.Replace("[::]", "localhost", StringComparison.Ordinal).Replace("0.0.0.0", "localhost", StringComparison.Ordinal)))];
    }

    /// <summary>Waits until the process is told to stop, then drains and stops.</summary>
    public Task WaitForShutdownAsync(CancellationToken cancel = default) => _app.WaitForShutdownAsync(cancel);

    /// <summary>Stops: no new connections, answers in flight have the drain time.</summary>
    public Task StopAsync(CancellationToken cancel = default) => _app.StopAsync(cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // What was measured last is sent while the meter still lives.
        await _app.StopAsync();
        _export?.Dispose();
        await _app.DisposeAsync();
        await Accounts.DisposeAsync();
        await Accounts.Store.DisposeAsync();
    }

    private static void ConfigureHost(WebApplicationBuilder builder, GlimmerOptions options, GlimmerServices services)
    {
        builder.Logging.ClearProviders();
        builder.Logging.SetMinimumLevel(options.LogLevel);

        // The framework's own lines would name paths and queries of requests; ours name routes.
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("System", LogLevel.Warning);

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
            switch (options.Host)
            {
                case "*":
                    kestrel.ListenAnyIP(options.Port);
                    break;
                case "localhost" when options.Port != 0:
                    kestrel.ListenLocalhost(options.Port);
                    break;
                default:
                    kestrel.Listen(IPAddress.TryParse(options.Host, out IPAddress? address) ? address : IPAddress.Loopback, options.Port);
                    break;
            }
        });
    }

    private static void Map(WebApplication app, GlimmerOptions options)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        app.UseMiddleware<RequestMiddleware>();
        app.UseRouting();

        var chat = app.Services.GetRequiredService<ChatEndpoint>();
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        foreach ((string address, bool coding) in new[] { ("/api/paas/v4", false), ("/api/coding/paas/v4", true) })
        {
            app.MapMethods($"{address}/chat/completions", post, context => chat.HandleAsync(context, preserveThinking: coding));
            app.MapMethods($"{address}/models", get, models.ListAsync);
            app.MapMethods($"{address}/models/{{id}}", get, models.GetAsync);
        }

        app.MapMethods("/api/paas/v4/tokenizer", post, app.Services.GetRequiredService<TokenizerEndpoint>().HandleAsync);
        AccountRoutes.Map(app);
        var health = app.Services.GetRequiredService<HealthEndpoints>();
        app.MapMethods("/health/live", get, HealthEndpoints.LiveAsync);
        app.MapMethods("/health/ready", get, health.ReadyAsync);
        app.MapMethods("/", get, app.Services.GetRequiredService<HomePage>().GetAsync);
        if (options.Metrics)
        {
            var registry = new PrometheusRegistry(app.Services.GetRequiredService<GlimmerTelemetry>().Meter);
            app.Lifetime.ApplicationStopped.Register(registry.Dispose);
            app.MapMethods("/metrics", get, async context =>
            {
                context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
                await context.Response.WriteAsync(registry.Write(), context.RequestAborted);
            });
        }

        // The drain must listen for the stop from the beginning, not from the first chat request on.
        app.Services.GetRequiredService<AnswerDrain>();
    }
}

/// <summary>Log lines of the server itself.</summary>
internal static partial class ServerLog
{
    public static void Attach(PlatformStore store, ILogger log)
    {
        store.Faulted = fault => StoreFault(log, fault.Message);
        foreach (string step in store.IsNew ? [] : store.Upgrades)
            StoreUpgraded(log, step);
        if (store.Warning is { } warning)
            StoreWarning(log, warning);
    }

    [LoggerMessage(1003, LogLevel.Error, "Store: {Fault} What was known before stays in force; it is tried again.")]
    private static partial void StoreFault(ILogger log, string fault);

    [LoggerMessage(1004, LogLevel.Information, "Store upgraded: {Step}")]
    private static partial void StoreUpgraded(ILogger log, string step);

    [LoggerMessage(1005, LogLevel.Warning, "Store: {Warning}")]
    private static partial void StoreWarning(ILogger log, string warning);
}
