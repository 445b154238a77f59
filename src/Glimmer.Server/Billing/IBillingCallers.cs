namespace Glimmer.Server.Billing;

/// <summary>Whose books a request reads.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="MayPay">Whether it may recharge and have invoices made (owner, billing), or only read.</param>
internal sealed record BillingCaller(string AccountId, bool MayPay);

/// <summary>Finds out who asks, by session or key.</summary>
internal interface IBillingCallers
{
    /// <summary>The caller; null when the error has been answered.</summary>
    ValueTask<BillingCaller?> IdentifyAsync(HttpContext context);
}
