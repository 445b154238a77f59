using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Server.Hosting;

namespace Glimmer.Server.Billing;

/// <summary>Payments, invoices and invitations of one server, and the work that the passing of time brings them.</summary>
internal sealed class BillingParts : IDisposable
{
    private readonly HttpClient _http;

    /// <exception cref="GlimmerStartupException">There is a provider's key, and no secret for its webhooks.</exception>
    public BillingParts(PlatformLedger ledger, BillingOptions options, Func<InvitationRules>? invitation = null)
    {
        // Redirects would carry the secret key elsewhere; pooled connections follow changes of the address.
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) }) { Timeout = TimeSpan.FromSeconds(20) };
        if (options.ProviderKey.Length > 0 && options.WebhookSecrets.Count == 0)
            throw new GlimmerStartupException("Glimmer:Billing:ProviderKey is set and Glimmer:Billing:WebhookSecrets is not: payments could not be told from forged ones. Use the secret of the webhook at the provider.", 78);
        IPaymentProvider[] providers = options.ProviderKey.Length > 0
            ? [new CheckoutProvider(_http, new CheckoutProviderSettings { BaseAddress = options.ProviderAddress, SecretKey = options.ProviderKey, WebhookSecrets = options.WebhookSecrets })]
            : [];
        Ledger = ledger;
        Options = options;
        Payments = new PaymentDesk(ledger, providers, options.Payments);
        Invoices = new InvoiceDesk(ledger, options.Issuer);
        Invitations = new Invitations(ledger, invitation ?? (() => new InvitationRules()));
    }

    public PlatformLedger Ledger { get; }

    public BillingOptions Options { get; }

    public PaymentDesk Payments { get; }

    public InvoiceDesk Invoices { get; }

    public Invitations Invitations { get; }

    /// <summary>Delivers refunds that a provider was not told yet, and grants rewards that are due.</summary>
    public async Task RunDueAsync(CancellationToken cancel)
    {
        await Payments.ResumeAsync(cancel);
        await Invitations.RunDueAsync();
    }

    public void Dispose() => _http.Dispose();
}
