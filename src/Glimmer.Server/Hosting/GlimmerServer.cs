using System.Net;
using System.Net.Sockets;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Server.Accounts;
using Glimmer.Server.Admin;
using Glimmer.Server.Answers;
using Glimmer.Server.Billing;
using Glimmer.Server.Chat;
using Glimmer.Server.Emulator;
using Glimmer.Server.Gemini;
using Glimmer.Server.Health;
using Glimmer.Server.Home;
using Glimmer.Server.Llama;
using Glimmer.Server.Messages;
using Glimmer.Server.Models;
using Glimmer.Server.Monitor;
using Glimmer.Server.Ollama;
using Glimmer.Server.OpenAI;
using Glimmer.Server.Routing;
using Glimmer.Server.Tasks;
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

    /// <summary>Decides who may run now; null for a fair line with the bounds of the options.</summary>
    public IAdmission? Admission { get; init; }

    /// <summary>Knows what keys may do and who pays; null for the accounts of the store.</summary>
    public ICallerPolicy? Callers { get; init; }

    /// <summary>
    /// Credential (<c>id.secret</c>) of an operator's key that the server shall have, in place of one made by chance at the first start; for tests, which then need
    /// not read it. Null for none.
    /// </summary>
    public string? FixedKey { get; init; }

    /// <summary>Seed of the ids that answers carry, for tests that compare them; null takes them by chance. What must be secret is by chance in any case.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Makes the server a test double; null for none.</summary>
    public Emulation? Emulation { get; init; }
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
    private readonly PlatformParts _parts;

    private GlimmerServer(WebApplication app, GlimmerOptions options, NewAccessKey? firstKey, PlatformParts parts)
    {
        _app = app;
        _parts = parts;
        _options = options;
        _export = options.OtlpEndpoint is { } endpoint ? new OtlpExport(endpoint) : null;
        FirstKey = firstKey;
    }

    /// <summary>Accounts, projects and keys.</summary>
    public PlatformAccounts Accounts => _parts.Accounts;

    /// <summary>The keys of the machine's owner.</summary>
    public OwnerKeys Keys => Accounts.OwnerKeys;

    /// <summary>The key made because there was none; show it once, it cannot be had again. Null when there were keys.</summary>
    public NewAccessKey? FirstKey { get; }

    /// <summary>Makes loggers that write where the server's own lines go, for what runs beside it.</summary>
    public ILoggerFactory Logs => _app.Services.GetRequiredService<ILoggerFactory>();

    /// <summary>The ledger: balances, usage and its books.</summary>
    public PlatformLedger Ledger => _parts.Ledger;

    /// <summary>Recharges, and their refunds.</summary>
    public PaymentDesk Payments => _parts.Billing.Payments;

    /// <summary>Invitations and their rewards.</summary>
    public Glimmer.Platform.Billing.Invitations Invitations => _parts.Billing.Invitations;

    /// <summary>Places in flight and the line before them.</summary>
    public IAdmission Places => _parts.Places;

    /// <summary>Who has which plan, and what is used of it.</summary>
    public PlanGate Plans => _parts.Plans;

    /// <summary>Orders, renewals and everything else that happens to plans.</summary>
    public Subscriptions Subscriptions => _parts.Subscriptions;

    /// <summary>Versions of catalogue and plans.</summary>
    public CatalogueVersions CatalogueVersions => _parts.Versions;

    /// <summary>The meter behind <c>/metrics</c>, for the instruments of what runs beside the server.</summary>
    public System.Diagnostics.Metrics.Meter Meter => _app.Services.GetRequiredService<GlimmerTelemetry>().Meter;

    /// <summary>Where the server listens, once started: <c>http://127.0.0.1:8080</c>.</summary>
    public IReadOnlyList<Uri> Addresses { get; private set; } = [];

    /// <summary>
    /// Has another thread load and compile what every start of a server needs, while the caller still reads its settings: nothing is opened and
    /// nobody needs to wait for it. For processes whose first act is to start a server.
    /// </summary>
    public static void WarmUp() => _ = Task.Run(ServerWarmUp.Run);

    /// <summary>Opens data folder and catalogue and builds the server; nothing listens yet.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="backends">Who answers; may be filled later.</param>
    /// <param name="services">What to replace; null for nothing.</param>
    /// <exception cref="GlimmerStartupException">Data folder or catalogue cannot be used.</exception>
    public static GlimmerServer Create(GlimmerOptions options, IChatBackendProvider backends, GlimmerServices? services = null)
    {
        services ??= new GlimmerServices();
        CertificateSource? certificate = options.Certificate.Length > 0 ? new CertificateSource(options, services.Time) : null;
        NewAccessKey? firstKey = null;
        PlatformParts? parts = null;
        ReasoningSeal seal;
        try
        {
            parts = PlatformParts.Open(options, services);
            seal = ReasoningSeal.Open(options.DataFolder);
            if (services.FixedKey is { } credential)
                firstKey = parts.Accounts.OwnerKeys.Restore("fixed key", credential);
            else if (parts.Accounts.OwnerKeys.Keys.Count == 0)
                firstKey = parts.Accounts.OwnerKeys.Create("first key", isOperator: true);
        }
        catch (Exception fault) when (fault is KeyRingException or StoreException)
        {
            parts?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw new GlimmerStartupException(fault.Message, 73, fault);
        }
        catch (CatalogException fault)
        {
            throw new GlimmerStartupException(fault.Message, 78, fault);
        }

        WebApplicationBuilder builder = NewBuilder();
        ConfigureHost(builder, options, services, certificate);
        builder.Services
            .AddSingleton(options)
            .AddSingleton(services.Time)
            .AddSingleton(parts.Store)
            .AddSingleton<StoreTelemetry>()
            .AddSingleton(services => new NodeTelemetry(services.GetRequiredService<GlimmerTelemetry>(), parts.Nodes))
            .AddSingleton(parts.Accounts)
            .AddSingleton(parts.Accounts.Directory)
            .AddSingleton(parts.Catalogue)
            .AddSingleton(parts.Plans)
            .AddSingleton(parts.Places)
            .AddSingleton(parts.Calls)
            .AddSingleton(parts.Callers)
            .AddSingleton(new UsageSeries(parts.Store))
            .AddSingleton<MonitorEndpoints>()
            .AddSingleton(parts.Admin(options) with { Backends = () => backends.Pool, InFlightOnPlan = account => (parts.Places as FairAdmission)?.InFlightOnPlan(account) ?? 0 })
            .AddSingleton<AdminEndpoints>()
            .AddBilling(parts.Billing)
            .AddSingleton(backends)
            .AddSingleton(new Authenticator(parts.Accounts.Directory))
            .AddSingleton<RequestGate>()
            .AddSingleton(new IdChance(services.Seed))
            .AddSingleton<AnswerDrain>()
            .AddSingleton<GlimmerTelemetry>()
            .AddSingleton<EngineTelemetry>()
            .AddSingleton<BackendTelemetry>()
            .AddSingleton<ModelOffers>()
            .AddSingleton<ModelsEndpoint>()
            .AddSingleton<ChatRunner>()
            .AddSingleton<PromptCounter>()
            .AddSingleton<InputRunner>()
            .AddSingleton<ChatEndpoint>()
            .AddSingleton<TokenizerEndpoint>()
            .AddSingleton<ModelNames>()
            .AddSingleton<MessagesEndpoint>()
            .AddSingleton<MessagesModels>()
            .AddOpenAI(seal)
            .AddOllama()
            .AddGemini()
            .AddLlama()
            .AddTasks(parts.Store, options)
            .AddSingleton<HealthEndpoints>()
            .AddSingleton<HomePage>();
        AccountRoutes.Add(builder.Services, options, parts.Accounts, services.Time);
        WebApplication app = builder.Build();
        ServerLog.Attach(parts.Store, parts.Ledger, app.Logger);
        certificate?.LogTo(app.Logger);
        parts.StartClock(fault => ServerLog.PlansNotRun(app.Logger, FaultText.Of(fault)));
        if (services.Emulation is not null)
            KeepDates(app, services.Time);
        Map(app, options);
        if (services.Emulation is { } emulation)
            new EmulatorEndpoints(emulation, app.Services.GetRequiredService<RequestGate>(), app.Services.GetRequiredService<IdChance>()).Map(app);
        app.Lifetime.ApplicationStopping.Register(parts.Places.Drain);
        return new GlimmerServer(app, options, firstKey, parts);
    }

    /// <summary>
    /// As <see cref="Create"/>, but waits for a PostgreSQL that does not answer (<see cref="GlimmerOptions.StoreWait"/>) and says so on the
    /// server's address meanwhile.
    /// </summary>
    /// <exception cref="GlimmerStartupException">Data folder or catalogue cannot be used, the database did not come, or the address cannot be had.</exception>
    public static async Task<GlimmerServer> CreateWhenReadyAsync(GlimmerOptions options, IChatBackendProvider backends, GlimmerServices? services = null, CancellationToken cancel = default)
    {
        try
        {
            return await StoreWait.CreateAsync(options, () => Create(options, backends, services), services ?? new GlimmerServices(), cancel);
        }
        catch (Exception fault) when (fault is not GlimmerStartupException && PlatformStore.IsAbsence(fault))
        {
            throw new GlimmerStartupException($"The database went away during the start: {fault.Message} Start PostgreSQL, or correct Glimmer:Store:ConnectionString.", 73, fault);
        }
        catch (IOException fault) when (fault.InnerException is AddressInUseException)
        {
            throw InUse(options, fault);
        }
    }

    /// <summary>Begins to listen.</summary>
    /// <exception cref="GlimmerStartupException">The address cannot be had; or, with exit code 0, it was told to stop meanwhile.</exception>
    public async Task StartAsync(CancellationToken cancel = default)
    {
        try
        {
            await _app.StartAsync(cancel);
        }
        catch (OperationCanceledException fault) when (_app.Lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new GlimmerStartupException("Told to stop during the start.", 0, fault);
        }
        catch (IOException fault) when (fault.InnerException is AddressInUseException)
        {
            throw InUse(_options, fault);
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
        await _parts.DisposeAsync();
    }

    private static GlimmerStartupException InUse(GlimmerOptions options, Exception fault) =>
        new($"Port {options.Port} of {options.Host} is already in use. Stop what listens there, or choose another port (Glimmer:Listen:Port, 0 for a free one).", 69, fault);

    internal static WebApplicationBuilder NewBuilder()
    {
        // Empty: settings were read by the caller, and the file watchers of the default sources cost start-up time.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "Glimmer.Server" });
        builder.WebHost.UseKestrelCore();
        builder.Services.AddRoutingCore();
        return builder;
    }

    internal static void ConfigureHost(WebApplicationBuilder builder, GlimmerOptions options, GlimmerServices services, CertificateSource? certificate = null)
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

        // Whoever has bytes for a socket sends them, and whoever received some goes on with them, on the thread it is on: every hand-over to another thread costs a token some tens of
        // microseconds. Nothing here blocks a thread for a connection's sake.
        builder.WebHost.UseSockets(static sockets => sockets.UnsafePreferInlineScheduling = true);
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

    /// <summary>Has the header <c>Date</c> tell the server's own clock, where that is not the machine's.</summary>
    private static void KeepDates(WebApplication app, TimeProvider time) => app.Use((context, next) =>
    {
        context.Response.Headers.Date = time.GetUtcNow().ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        return next(context);
    });

    private static void Map(WebApplication app, GlimmerOptions options)
    {
        string[] get = [HttpMethods.Get, HttpMethods.Head];
        string[] post = [HttpMethods.Post];
        app.UseMiddleware<RequestMiddleware>();
        app.UseRouting();

        var chat = app.Services.GetRequiredService<ChatEndpoint>();
        var models = app.Services.GetRequiredService<ModelsEndpoint>();
        foreach ((string address, ApiSurface surface) in new[] { ("/api/paas/v4", ApiSurface.General), ("/api/coding/paas/v4", ApiSurface.Coding) })
        {
            app.MapMethods($"{address}/chat/completions", post, context => chat.HandleAsync(context, surface));
            app.MapMethods($"{address}/models", get, models.ListAsync);
            app.MapMethods($"{address}/models/{{id}}", get, models.GetAsync);
        }

        OpenAIRoutes.Map(app);
        OllamaRoutes.Map(app);
        GeminiRoutes.Map(app);
        LlamaRoutes.Map(app);
        app.MapTasks();
        var messages = app.Services.GetRequiredService<MessagesEndpoint>();
        foreach (string address in new[] { "/api/anthropic/v1/messages", "/v1/messages" })
        {
            app.MapMethods(address, post, messages.HandleAsync);
            app.MapMethods($"{address}/count_tokens", post, messages.CountAsync);
        }

        var messagesModels = app.Services.GetRequiredService<MessagesModels>();
        app.MapMethods("/api/anthropic/v1/models", get, messagesModels.ListAsync);
        app.MapMethods("/api/anthropic/v1/models/{id}", get, messagesModels.GetAsync);
        app.MapMethods("/api/paas/v4/tokenizer", post, app.Services.GetRequiredService<TokenizerEndpoint>().HandleAsync);
        var monitor = app.Services.GetRequiredService<MonitorEndpoints>();
        app.MapMethods("/api/monitor/usage/quota/limit", get, monitor.QuotaAsync);
        app.MapMethods("/api/monitor/usage/model-usage", get, monitor.ModelUsageAsync);
        app.MapMethods("/api/monitor/usage/tool-usage", get, monitor.ToolUsageAsync);
        app.MapMethods("/api/biz/subscription/list", get, monitor.SubscriptionsAsync);
        app.MapBilling();
        AccountRoutes.Map(app);
        app.Services.GetRequiredService<AdminEndpoints>().Map(app);
        var health = app.Services.GetRequiredService<HealthEndpoints>();
        app.MapMethods("/health/live", get, health.LiveAsync);
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

        // Nobody asks for them: their instruments are read.
        app.Services.GetRequiredService<EngineTelemetry>();
        app.Services.GetRequiredService<BackendTelemetry>();
        app.Services.GetRequiredService<StoreTelemetry>();
        app.Services.GetRequiredService<NodeTelemetry>();

        // The drain must listen for the stop from the beginning, not from the first chat request on.
        app.Services.GetRequiredService<AnswerDrain>();
    }
}

/// <summary>Log lines of the server itself.</summary>
internal static partial class ServerLog
{
    public static void Attach(PlatformStore store, PlatformLedger ledger, ILogger log)
    {
        store.Faulted = fault =>
        {
            if (fault is not StoreAwayException)
                StoreFault(log, fault.Message);
        };
        store.Presence.Changed = (fault, gone) =>
        {
            if (fault is not null)
                StoreAway(log, store.Description, fault.Message);
            else
                StoreBack(log, store.Description, Math.Round(gone.TotalSeconds, 1), ledger.JournalWaiting);
        };
        foreach (JournalReplay replay in ledger.Replays)
        {
            if (replay.Fault is null)
                Replayed(log, replay.Requests, replay.Path, replay.Torn);
            else
                NotReplayed(log, replay.Path, replay.Fault);
        }

        foreach (string step in store.IsNew ? [] : store.Upgrades)
            StoreUpgraded(log, step);
        if (store.Newer.Count > 0)
            StoreNewer(log, string.Join(", ", store.Newer));
        if (store.Warning is { } warning)
            StoreWarning(log, warning);
    }

    [LoggerMessage(1003, LogLevel.Error, "Store: {Fault} What was known before stays in force; it is tried again.")]
    private static partial void StoreFault(ILogger log, string fault);

    [LoggerMessage(1004, LogLevel.Information, "Store upgraded: {Step}")]
    private static partial void StoreUpgraded(ILogger log, string step);

    [LoggerMessage(1005, LogLevel.Warning, "Store: {Warning}")]
    private static partial void StoreWarning(ILogger log, string warning);

    [LoggerMessage(1012, LogLevel.Warning, "A newer version has upgraded the store ({Steps}). This one goes on with it; replace it soon.")]
    private static partial void StoreNewer(ILogger log, string steps);

    [LoggerMessage(1007, LogLevel.Error, "The database {Store} is away: {Fault} Answers go on and are kept in the journal; it is tried again.")]
    private static partial void StoreAway(ILogger log, string store, string fault);

    [LoggerMessage(1008, LogLevel.Warning, "The database {Store} is back after {Seconds} s; {Journal} settled requests of the journal go into it.")]
    private static partial void StoreBack(ILogger log, string store, double seconds, long journal);

    [LoggerMessage(1009, LogLevel.Warning, "{Requests} settled requests of the journal {Path} that a former run left are in the database, once each ({Torn} bytes at its end were no whole record).")]
    private static partial void Replayed(ILogger log, int requests, string path, long torn);

    [LoggerMessage(1010, LogLevel.Error, "The journal {Path} that a former run left was not taken in whole: {Fault}")]
    private static partial void NotReplayed(ILogger log, string path, string fault);

    [LoggerMessage(1006, LogLevel.Error, "Renewals, refunds or rewards could not be run and will be tried again: {Fault}")]
    public static partial void PlansNotRun(ILogger log, string fault);
}
