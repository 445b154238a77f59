using Glimmer.Platform.Billing;

namespace Glimmer.Server.Billing;

/// <summary>How bills and recharges work.</summary>
public sealed record BillingOptions
{
    /// <summary>The smallest and largest recharge.</summary>
    public PaymentSettings Payments { get; init; } = new();

    /// <summary>The Stripe-type provider; null for none.</summary>
    public CheckoutProviderSettings? Checkout { get; init; }

    /// <summary>Who issues invoices.</summary>
    public InvoiceParty Issuer { get; init; } = new("Glimmer");

    /// <summary>Where payers go after the payment page; null for <c>/billing</c> where the request came to.</summary>
    public Uri? ReturnAddress { get; init; }
}
