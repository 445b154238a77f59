using Glimmer.Platform.Accounts;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Responses;
using Glimmer.Platform.Store;
using Glimmer.Server.Admin;
using Glimmer.Server.Billing;

namespace Glimmer.Server.Hosting;

/// <summary>Store, ledger, catalogue, plans and admission of one server, opened together and closed in the right order.</summary>
internal sealed class PlatformParts : IAsyncDisposable
{
    private const int MostRequestIds = 200_000;

    private static readonly TimeSpan ClockEvery = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan ClockStopsWithin = TimeSpan.FromSeconds(5);
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeProvider _time;
    private Task _clock = Task.CompletedTask;

    private PlatformParts(PlatformAccounts accounts, PlatformLedger ledger, NodeShare? nodes, Offer offer, GlimmerOptions options, GlimmerServices services)
    {
        _time = services.Time;
        PlatformStore store = accounts.Store;
        Store = store;
        Accounts = accounts;
        Ledger = ledger;
        Catalogue = new CatalogueSource(offer.Catalogue);
        Nodes = nodes;
        ledger.Share(nodes);
        Plans = new PlanGate(offer.Rules, nodes, services.Time);
        Versions = CatalogueVersions.Open(store, Catalogue, Plans, CatalogueFile(options), PlansFile(options));
        accounts.Data.Add(new BillingData(ledger));
        accounts.Data.Add(new ResponsesData(store));
        Billing = new BillingParts(ledger, options.Billing, () => Plans.Rules.Invitation);
        Subscriptions = Subscriptions.Open(store, ledger, Plans, Billing.Invitations);
        Places = services.Admission ?? new FairAdmission(
            new AdmissionLimits(options.MaxOpenRequests, options.MaxOpenRequestsPerKey, options.QueueLength, options.QueueLengthPerAccount, options.QueuePatience), services.Time, nodes);
        Callers = services.Callers ?? new DirectoryCallers(accounts.Directory, options.BillingCurrency);
        Calls = new CallAdmission(
            Callers,
            Places,
            Plans,
            Catalogue,
            new CallRates(Plans.Rules.Calendar, nodes),
            options.RequestIdWindow > TimeSpan.Zero ? new RequestIdWindow(options.RequestIdWindow, MostRequestIds, services.Time) : null,
            options.BillingMode,
            options.BillingCurrency,
            services.Time,
            ledger)
        {
            Nodes = nodes,
        };
    }

    public PlatformStore Store { get; }

    /// <summary>This node among others; null where the store cannot be shared.</summary>
    public NodeShare? Nodes { get; }

    public PlatformAccounts Accounts { get; }

    public PlatformLedger Ledger { get; }

    public CatalogueSource Catalogue { get; }

    public PlanGate Plans { get; }

    public CatalogueVersions Versions { get; }

    public Subscriptions Subscriptions { get; }

    public IAdmission Places { get; }

    public ICallerPolicy Callers { get; }

    public CallAdmission Calls { get; }

    public BillingParts Billing { get; }

    /// <summary>Opens everything.</summary>
    /// <exception cref="StoreException">The store cannot be used.</exception>
    /// <exception cref="Glimmer.Platform.Keys.KeyRingException">The protection key cannot be used.</exception>
    /// <exception cref="CatalogException">Catalogue or plans are wrong.</exception>
    public static PlatformParts Open(GlimmerOptions options, GlimmerServices services)
    {
        // Files that need no store are read while it is opened.
        Task<Offer> offer = Task.Run(() => new Offer(Glimmer.Platform.Catalog.Catalogue.Load(CatalogueFile(options)), PlanRules.Load(PlansFile(options))));
        PlatformStore store = PlatformStore.Open(options.Store(services.Time));
        PlatformAccounts? accounts = null;
        PlatformLedger? ledger = null;
        NodeShare? nodes = null;
        try
        {
            accounts = PlatformAccounts.Open(store);
            ledger = PlatformLedger.Open(store, new LedgerSettings
            {
                CoverWorstCase = options.CoverWorstCase,
                BillingOffset = TimeSpan.FromHours(options.Billing.ZoneHours),
                JournalBytes = options.StoreJournalBytes,
                WhenAway = options.StoreWhenAway,
                AdmitFor = options.StoreAwayTime,
                AdmitAmount = options.StoreAwayAmount,
            });

            // Before what plans used is read: who else lives decides whether it is this node's to count.
            nodes = NodeShare.Join(store, options.Slices with { Name = options.Slices.Name.Length > 0 ? options.Slices.Name : $"{Environment.MachineName}:{options.Port}" });
            return new PlatformParts(accounts, ledger, nodes, offer.GetAwaiter().GetResult(), options, services);
        }
        catch
        {
            nodes?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            ledger?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            accounts?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            store.Dispose();
            throw;
        }
    }

    /// <summary>What operators administer.</summary>
    public AdminPlatform Admin(GlimmerOptions options) =>
        new(Accounts, Ledger, Catalogue, Plans, Versions, Subscriptions, Billing.Payments, options.BillingCurrency, options.DataFolder);

    /// <summary>Begins to look for what is due: renewals, refunds, rewards.</summary>
    /// <param name="failed">Called when a look failed; the next one tries again.</param>
    public void StartClock(Action<Exception> failed)
    {
        Nodes?.Faulted = fault =>
        {
            // Told once where the database is watched.
            if (!PlatformStore.IsAbsence(fault))
                failed(fault);
        };
        _clock = RunClockAsync(failed);
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();

        // What it is at may wait for a database that is away, until the store is closed below.
        await _clock.WaitAsync(ClockStopsWithin).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Subscriptions.Dispose();
        Billing.Dispose();
        Versions.Dispose();
        await Ledger.DisposeAsync();
        if (Nodes is not null)
            await Nodes.DisposeAsync();
        await Accounts.DisposeAsync();
        await Store.DisposeAsync();
        if (Places is FairAdmission line)
            line.Dispose();
        _stop.Dispose();
    }

    private static string CatalogueFile(GlimmerOptions options) => Path.Combine(options.DataFolder, Glimmer.Platform.Catalog.Catalogue.FileName);

    private static string PlansFile(GlimmerOptions options) => Path.Combine(options.DataFolder, PlanRules.FileName);

    private async Task RunClockAsync(Action<Exception> failed)
    {
        using var timer = new PeriodicTimer(ClockEvery, _time);
        while (await timer.WaitForNextTickAsync(_stop.Token))
        {
            await TryAsync(() => Subscriptions.RunDueAsync(), failed);
            await TryAsync(() => Billing.RunDueAsync(_stop.Token), failed);
        }
    }

    private async Task TryAsync(Func<Task> work, Action<Exception> failed)
    {
        try
        {
            await work();
        }
        catch (Exception fault) when (PlatformStore.IsAbsence(fault))
        {
            // Told once where the database is watched; the next look comes.
        }
        catch (Exception fault) when (!_stop.IsCancellationRequested)
        {
            failed(fault);
        }
    }

    /// <summary>What is sold: models and plans, as program and data folder bring them.</summary>
    private sealed record Offer(Catalogue Catalogue, PlanRules Rules);
}
