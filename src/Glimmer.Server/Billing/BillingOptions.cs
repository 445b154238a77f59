using Glimmer.Platform.Billing;

namespace Glimmer.Server.Billing;

/// <summary>How bills and recharges work.</summary>
public sealed record BillingOptions
{
    /// <summary>What days and months of bills are reckoned in: hours from UTC.</summary>
    public int ZoneHours { get; init; } = 8;

    /// <summary>The smallest and largest recharge.</summary>
    public PaymentSettings Payments { get; init; } = new();

    /// <summary>Base address of the Stripe-type provider.</summary>
    public Uri ProviderAddress { get; init; } = new("https://api.stripe.com");

    /// <summary>Its secret key; empty for no provider.</summary>
    public string ProviderKey { get; init; } = "";

    /// <summary>Secrets of its webhooks; several while one is being replaced.</summary>
    public IReadOnlyList<string> WebhookSecrets { get; init; } = [];

    /// <summary>Who issues invoices.</summary>
    public InvoiceParty Issuer { get; init; } = new("Glimmer");

    /// <summary>Where payers go after the payment page; null for <c>/billing</c> where the request came to.</summary>
    public Uri? ReturnAddress { get; init; }
}
