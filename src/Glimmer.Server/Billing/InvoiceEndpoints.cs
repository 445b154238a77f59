using System.Globalization;
using System.Text;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Billing;

/// <summary>Invoices: <c>/api/billing/invoices</c> and <c>invoices/{number}</c>, which is a page for browsers and JSON for others.</summary>
internal sealed class InvoiceEndpoints(IBillingCallers callers, InvoiceDesk desk)
{
    private const int MaxOrder = 8192;

    /// <summary>The account's invoices.</summary>
    public async Task ListAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        IReadOnlyList<Invoice> invoices = await desk.ListAsync(caller.AccountId);
        await BillingJson.WriteAsync(context, json => json.WriteList("invoices", invoices, BillingJson.WriteInvoice));
    }

    /// <summary>Issues the invoice of a closed month: <c>{"month": "2026-03", "name": "…", "address": "…", "tax_number": "…"}</c>.</summary>
    public async Task IssueAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        (Order? order, PlatformError? error) = await BodyReader.ReadAsync(context, MaxOrder, Read);
        if (order is not null && !caller.MayPay)
            (order, error) = (null, PlatformError.Of(BusinessCode.ApiForbidden, "invoices"));
        if (order is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        if (await desk.IssueAsync(caller.AccountId, order.Currency, order.Month, order.Customer) is not { } invoice)
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("month", "it is not over yet, or nothing was paid in it", "A closed month with charges, such as 2026-03"));
            return;
        }

        await BillingJson.WriteAsync(context, json => BillingJson.WriteInvoice(json, invoice));
    }

    /// <summary>One invoice.</summary>
    public async Task GetAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        if (!long.TryParse(context.Request.RouteValues["number"]?.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            || await desk.FindAsync(caller.AccountId, number) is not { } invoice)
        {
            await ErrorResponse.WriteAsync(context, new PlatformError(BusinessCode.ParameterInvalid, "There is no such invoice.", "number") { Chinese = "账单不存在", Status = StatusCodes.Status404NotFound });
            return;
        }

        if (!context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            await BillingJson.WriteAsync(context, json => BillingJson.WriteInvoice(json, invoice));
            return;
        }

        context.Response.ContentType = "text/html; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'";
        context.Response.Headers["X-Content-Type-Options"] = "nosniff";
        await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(InvoicePage.Render(invoice, ErrorResponse.Language(context.Request))), context.RequestAborted);
    }

    private static (Order? Order, PlatformError? Error) Read(FieldReader fields)
    {
        string? month = fields.Text("month", required: true, min: 7, max: 7);
        string? name = fields.Text("name", required: true, min: 1, max: 200);
        string address = fields.Text("address", max: 1000) ?? "";
        string tax = fields.Text("tax_number", max: 50) ?? "";
        string code = fields.Text("currency", min: 3, max: 3) ?? "USD";
        if (fields.Error is { } error)
            return (null, error);
        if (BillingQuery.Month(month) is not { } first)
            return (null, PlatformError.Invalid("month", "it is no month", "A month such as 2026-03"));
        return Currency.TryParse(code, out Currency currency)
            ? (new Order(first, currency, new InvoiceParty(name!.Replace('\0', ' '), address.Replace('\0', ' '), tax.Replace('\0', ' '))), null)
            : (null, PlatformError.Invalid("currency", "it is no currency", "Three letters such as USD"));
    }

    private sealed record Order(DateOnly Month, Currency Currency, InvoiceParty Customer);
}
