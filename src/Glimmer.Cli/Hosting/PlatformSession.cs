using Glimmer.Platform.Accounts;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
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
        Subscriptions = Subscriptions.Open(store, Ledger, Plans, new Invitations(Ledger, Plans.Rules.Invitation));
    }

    public GlimmerOptions Options { get; }

    public PlatformStore Store { get; }

    public PlatformAccounts Accounts { get; }

    public PlatformLedger Ledger { get; }

    public CatalogueSource Catalogue { get; }

    public PlanGate Plans { get; }

    public CatalogueVersions Versions { get; }

    public Subscriptions Subscriptions { get; }

    /// <summary>Runs an action on a data folder and says what went wrong in one line.</summary>
    /// <param name="command">Name of the command, for messages.</param>
    /// <param name="folder">The data folder.</param>
    /// <param name="action">Gives the exit code.</param>
    public static async Task<int> RunAsync(string command, string folder, Func<PlatformSession, Task<int>> action)
    {
        try
        {
            GlimmerOptions options = GlimmerSettings.Read(Settings.Read([("DataFolder", folder)]));
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
    public AccountEntry? Account(string? id) => id is null ? Accounts.DefaultAccount : Accounts.Directory.Find(id);

    public async ValueTask DisposeAsync()
    {
        Subscriptions.Dispose();
        Versions.Dispose();
        await Ledger.DisposeAsync();
        await Accounts.DisposeAsync();
    }
}
