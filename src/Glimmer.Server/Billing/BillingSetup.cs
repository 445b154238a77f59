namespace Glimmer.Server.Billing;

/// <summary>Puts the billing pages into a server.</summary>
internal static class BillingSetup
{
    private static readonly string[] _get = [HttpMethods.Get, HttpMethods.Head];
    private static readonly string[] _post = [HttpMethods.Post];

    /// <summary>Adds the pages, and what they need besides <see cref="IBillingCallers"/>.</summary>
    public static IServiceCollection AddBilling(this IServiceCollection services, BillingParts parts) => services
        .AddSingleton(parts.Ledger)
        .AddSingleton(parts.Options)
        .AddSingleton(parts.Payments)
        .AddSingleton(parts.Invoices)
        .AddSingleton(parts.Invitations)
        .AddSingleton<StatementEndpoints>()
        .AddSingleton<PaymentEndpoints>()
        .AddSingleton<InvoiceEndpoints>();

    /// <summary>Maps <c>/api/billing/…</c>.</summary>
    public static void MapBilling(this IEndpointRouteBuilder app)
    {
        IServiceProvider services = app.ServiceProvider;
        var statements = services.GetRequiredService<StatementEndpoints>();
        app.MapMethods("/api/billing/balance", _get, statements.BalanceAsync);
        app.MapMethods("/api/billing/usage", _get, statements.UsageAsync);
        app.MapMethods("/api/billing/bills", _get, statements.BillsAsync);
        app.MapMethods("/api/billing/requests", _get, statements.RequestsAsync);
        app.MapMethods("/api/billing/transactions", _get, statements.TransactionsAsync);
        var payments = services.GetRequiredService<PaymentEndpoints>();
        app.MapMethods("/api/billing/payments", _get, payments.ListAsync);
        app.MapMethods("/api/billing/checkout", _post, payments.CheckoutAsync);
        app.MapMethods("/api/billing/webhook/{provider}", _post, payments.WebhookAsync);
        var invoices = services.GetRequiredService<InvoiceEndpoints>();
        app.MapMethods("/api/billing/invoices", _get, invoices.ListAsync);
        app.MapMethods("/api/billing/invoices", _post, invoices.IssueAsync);
        app.MapMethods("/api/billing/invoices/{number}", _get, invoices.GetAsync);
    }
}
