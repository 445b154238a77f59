using Glimmer.Inference.Routing;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;

namespace Glimmer.Server.Admin;

/// <summary>What operators administer: the parts of one platform, opened by a server or by a command.</summary>
/// <param name="Accounts">Accounts, projects, keys, people and the audit log.</param>
/// <param name="Ledger">The ledger.</param>
/// <param name="Catalogue">The catalogue in force.</param>
/// <param name="Plans">The plans in force.</param>
/// <param name="Versions">Versions of both.</param>
/// <param name="Subscriptions">Orders and other facts of plans.</param>
/// <param name="Payments">Recharges and their refunds.</param>
/// <param name="Currency">Currency that prices are charged in.</param>
/// <param name="DataFolder">The data folder; backups made over HTTP lie in its folder <c>backups</c>.</param>
public sealed record AdminPlatform(
    PlatformAccounts Accounts,
    PlatformLedger Ledger,
    CatalogueSource Catalogue,
    PlanGate Plans,
    CatalogueVersions Versions,
    Subscriptions Subscriptions,
    PaymentDesk Payments,
    Currency Currency,
    string DataFolder)
{
    /// <summary>The backends of the process, once there are any; only a server has them.</summary>
    public Func<BackendPool?> Backends { get; init; } = static () => null;

    /// <summary>Requests of an account's plan that are in flight in the process; only a server has any.</summary>
    public Func<string, int> InFlightOnPlan { get; init; } = static _ => 0;
}
