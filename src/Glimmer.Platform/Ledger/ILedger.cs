using System.Diagnostics.CodeAnalysis;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// The ledger as a request meets it: reserve, then settle or release. All three work in memory under a short lock of the
/// account; none waits, throws for a want of money, or touches a database.
/// </summary>
public interface ILedger
{
    /// <summary>
    /// Sets the worst case of a request aside. It is let in while funds less what is set aside already are above nothing
    /// (or cover the worst case whole, by setting); so the running answers can take an account below nothing by less than
    /// one request's worst case. Free and plan requests are always let in.
    /// </summary>
    /// <param name="payer">Who pays.</param>
    /// <param name="worstCase">Price and most units.</param>
    /// <param name="requestId">The request's id, stored with its usage.</param>
    /// <param name="reservation">What was set aside; settle or release it exactly once, in every outcome.</param>
    /// <param name="error">1113 when the account is in arrears or the key's spend cap is reached; 1305 when other nodes have set aside what is left.</param>
    bool TryReserve(
        in Payer payer,
        in Quote worstCase,
        string requestId,
        [NotNullWhen(true)] out Reservation? reservation,
        [NotNullWhen(false)] out PlatformError? error);

    /// <summary>
    /// Charges what was used, gives the rest back and hands the record to the group commit. A reservation that was
    /// settled or released before is left alone: the first outcome counts.
    /// </summary>
    /// <param name="reservation">What was set aside.</param>
    /// <param name="units">What was used; may be more than the worst case, and is charged whole.</param>
    /// <param name="details">What else to record.</param>
    Settlement Settle(Reservation reservation, in UsageUnits units, in SettleDetails details = default);

    /// <summary>Gives everything back: the request made nothing that is charged, and leaves no usage row.</summary>
    void Release(Reservation reservation);
}

/// <summary>What else is recorded of a request.</summary>
/// <param name="Price">The price that counts when it is not the quoted one (another tier); of the same currency.</param>
/// <param name="PlanUnits">What the plan's windows were charged, in millionths of a prompt; for plan requests.</param>
/// <param name="Surface">The endpoint's short name, e.g. <c>chat</c>; null for none.</param>
/// <param name="Failed">Whether the answer ended with a fault; what was made is charged all the same.</param>
/// <param name="Once">
/// Whether a request of this id is charged once only, however often and wherever it is settled: for what another node may run again. The first one
/// stored counts; of a later one nothing is stored, and its charge is taken back.
/// </param>
public readonly record struct SettleDetails(Price? Price = null, long PlanUnits = 0, string? Surface = null, bool Failed = false, bool Once = false);

/// <summary>What a request was charged.</summary>
/// <param name="Charged">Cash and credits together; packs are counted in units.</param>
/// <param name="Durable">
/// Completes when the record is on disk (group commit); await it before the last byte leaves. Faults when the store
/// could not take it, then the charge is taken back in memory too.
/// </param>
public readonly record struct Settlement(Money Charged, Task Durable);
