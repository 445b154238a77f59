using Glimmer.Platform.Accounts;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Server.Admin;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Hosting;

/// <summary>The platform of a data folder, opened for one command; a server that runs on it follows what the command changes.</summary>
internal sealed class PlatformSession : IAsyncDisposable
{
    private PlatformSession(GlimmerOptions options, PlatformStore store)
    {
        Options = options;
        Store = store;
        Accounts = PlatformAccounts.Open(store, "--data");
        Ledger = PlatformLedger.Open(store, new LedgerSettings { SweepEvery = TimeSpan.Zero, BillingOffset = TimeSpan.FromHours(options.Billing.ZoneHours) });
        string catalogueFile = Path.Combine(options.DataFolder, Glimmer.Platform.Catalog.Catalogue.FileName);
        string plansFile = Path.Combine(options.DataFolder, PlanRules.FileName);
        Catalogue = new CatalogueSource(Glimmer.Platform.Catalog.Catalogue.Load(catalogueFile));
        Plans = new PlanGate(PlanRules.Load(plansFile));
        Versions = CatalogueVersions.Open(store, Catalogue, Plans, catalogueFile, plansFile);
        Subscriptions = Subscriptions.Open(store, Ledger, Plans, new Invitations(Ledger, () => Plans.Rules.Invitation));

        // Refunds through a provider are delivered by the server, which knows it.
        Admin = new AdminPlatform(Accounts, Ledger, Catalogue, Plans, Versions, Subscriptions, new PaymentDesk(Ledger, [], options.Billing.Payments), options.BillingCurrency, options.DataFolder);
    }

    public GlimmerOptions Options { get; }

    public PlatformStore Store { get; }

    public PlatformAccounts Accounts { get; }

    public PlatformLedger Ledger { get; }

    public CatalogueSource Catalogue { get; }

    public PlanGate Plans { get; }

    public CatalogueVersions Versions { get; }

    public Subscriptions Subscriptions { get; }

    /// <summary>What operators administer.</summary>
    public AdminPlatform Admin { get; }

    /// <summary>Runs an action on a data folder and says what went wrong in one line.</summary>
    /// <param name="command">Name of the command, for messages.</param>
    /// <param name="folder">The data folder.</param>
    /// <param name="connection">Connection string of the store; null for the settings'.</param>
    /// <param name="action">Gives the exit code.</param>
    public static Task<int> RunAsync(string command, string folder, string? connection, Func<PlatformSession, Task<int>> action) =>
        WithOptionsAsync(command, folder, connection, async options =>
        {
            PlatformStore store = PlatformStore.Open(options.Store(TimeProvider.System));
            try
            {
                await using var session = new PlatformSession(options, store);
                return await action(session);
            }
            finally
            {
                await store.DisposeAsync();
            }
        });

    /// <summary>Runs an action with the settings and says what went wrong in one line.</summary>
    public static async Task<int> WithOptionsAsync(string command, string folder, string? connection, Func<GlimmerOptions, Task<int>> action)
    {
        try
        {
            return await action(GlimmerSettings.Read(Settings.Read([("DataFolder", folder), ("Store:ConnectionString", connection)])));
        }
        catch (Exception fault) when (fault is KeyRingException or StoreException)
        {
            await Console.Error.WriteLineAsync($"{command}: {fault.Message}");
            return 73;
        }
        catch (CatalogException fault)
        {
            await Console.Error.WriteLineAsync($"{command}: {fault.Message}");
            return 78;
        }
        catch (GlimmerStartupException fault)
        {
            await Console.Error.WriteLineAsync($"{command}: {fault.Message}");
            return fault.ExitCode;
        }
    }

    /// <summary>The account of an option's value: a public id, or null for the machine's owner; null when there is none.</summary>
    public AccountEntry? Account(string? id) => id is null or "default" ? Accounts.DefaultAccount : Accounts.Directory.Find(id);

    public async ValueTask DisposeAsync()
    {
        Subscriptions.Dispose();
        Versions.Dispose();
        await Ledger.DisposeAsync();
        await Accounts.DisposeAsync();
    }
}
