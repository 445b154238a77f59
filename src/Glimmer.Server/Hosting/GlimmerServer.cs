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

namespace Glimmer.Server.Hosting;

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
    /// Has other threads load and compile what every start of a server and its first request need, while the caller still reads its settings: nothing is opened and
    /// nobody needs to wait for it. For processes whose first act is to start a server. Does nothing where there is one core.
    /// </summary>
    public static void WarmUp()
    {
        if (Environment.ProcessorCount < 2)
            return;
        _ = Task.Run(ServerWarmUp.RunStore);
        _ = Task.Run(ServerWarmUp.RunServerAsync);
    }

    /// <summary>Begins to open data folder and catalogue on another thread, for a caller that has something else to do before <see cref="Create"/>.</summary>
    /// <param name="options">How the server will run.</param>
    /// <param name="services">What is replaced; of it clock, admission and callers count here, and must be the same in <see cref="Create"/>.</param>
    public static PlatformOpening BeginOpening(GlimmerOptions options, GlimmerServices? services = null) => new(options, services ?? new GlimmerServices());

    /// <summary>Opens data folder and catalogue and builds the server; nothing listens yet.</summary>
    /// <param name="options">How to run.</param>
    /// <param name="backends">Who answers; may be filled later.</param>
    /// <param name="services">What to replace; null for nothing.</param>
    /// <param name="opening">What was opened before by <see cref="BeginOpening"/> with the same options; null opens it now.</param>
    /// <exception cref="GlimmerStartupException">Data folder or catalogue cannot be used.</exception>
    public static GlimmerServer Create(GlimmerOptions options, IChatBackendProvider backends, GlimmerServices? services = null, PlatformOpening? opening = null)
    {
        services ??= new GlimmerServices();
        CertificateSource? certificate = options.Certificate.Length > 0 ? new CertificateSource(options, services.Time) : null;
        NewAccessKey? firstKey = null;
        PlatformParts? parts = null;
        ReasoningSeal seal;
        try
        {
            parts = opening is null ? PlatformParts.Open(options, services) : opening.Take();
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

        WebApplicationBuilder builder = ServerHost.NewBuilder();
        ServerHost.Configure(builder, options, services, certificate);
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
        ServerRoutes.Map(app, options);
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

    /// <summary>Has the header <c>Date</c> tell the server's own clock, where that is not the machine's.</summary>
    private static void KeepDates(WebApplication app, TimeProvider time) => app.Use((context, next) =>
    {
        context.Response.Headers.Date = time.GetUtcNow().ToString("R", System.Globalization.CultureInfo.InvariantCulture);
        return next(context);
    });
}
