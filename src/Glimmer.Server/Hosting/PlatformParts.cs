using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;

namespace Glimmer.Server.Hosting;

/// <summary>Store, ledger, catalogue, plans and admission of one server, opened together and closed in the right order.</summary>
internal sealed class PlatformParts : IAsyncDisposable
{
    private const int MostRequestIds = 200_000;

    private PlatformParts(PlatformStore store, GlimmerOptions options, GlimmerServices services)
    {
        Store = store;
        Ledger = PlatformLedger.Open(store, new LedgerSettings { CoverWorstCase = options.CoverWorstCase });
        Catalogue = new CatalogueSource(Glimmer.Platform.Catalog.Catalogue.Load(Path.Combine(options.DataFolder, Glimmer.Platform.Catalog.Catalogue.FileName)));
        Plans = new PlanGate(PlanRules.Load(Path.Combine(options.DataFolder, PlanRules.FileName)));
        Places = services.Admission ?? new FairAdmission(
            new AdmissionLimits(options.MaxOpenRequests, options.MaxOpenRequestsPerKey, options.QueueLength, options.QueueLengthPerAccount, options.QueuePatience), services.Time);
        Callers = services.Callers ?? new SingleAccount();
        Calls = new CallAdmission(
            Callers,
            Places,
            Plans,
            Catalogue,
            new CallRates(Plans.Rules.Calendar),
            options.RequestIdWindow > TimeSpan.Zero ? new RequestIdWindow(options.RequestIdWindow, MostRequestIds, services.Time) : null,
            options.BillingMode,
            options.BillingCurrency,
            services.Time,
            Ledger);
    }

    public PlatformStore Store { get; }

    public PlatformLedger Ledger { get; }

    public CatalogueSource Catalogue { get; }

    public PlanGate Plans { get; }

    public IAdmission Places { get; }

    public ICallerPolicy Callers { get; }

    public CallAdmission Calls { get; }

    /// <summary>Opens everything.</summary>
    /// <exception cref="StoreException">The store cannot be used.</exception>
    /// <exception cref="CatalogException">Catalogue or plans are wrong.</exception>
    public static PlatformParts Open(GlimmerOptions options, GlimmerServices services)
    {
        PlatformStore store = PlatformStore.Open(new StoreSettings { DataFolder = options.DataFolder, Time = services.Time });
        try
        {
            return new PlatformParts(store, options, services);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Ledger.DisposeAsync();
        await Store.DisposeAsync();
        if (Places is FairAdmission line)
            line.Dispose();
    }
}
