using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Billing;

/// <summary>Recharges: <c>/api/billing/checkout</c>, <c>payments</c> and the providers' <c>webhook/{provider}</c>.</summary>
internal sealed partial class PaymentEndpoints(IBillingCallers callers, PaymentDesk desk, BillingOptions options, ILogger<PaymentEndpoints> log)
{
    private const int MaxOrder = 4096;
    private const int MaxMessage = 512 << 10;

    /// <summary>The account's payments.</summary>
    public async Task ListAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        IReadOnlyList<Payment> payments = await desk.ListAsync(caller.AccountId);
        await BillingJson.WriteAsync(context, json => json.WriteList("payments", payments, BillingJson.WritePayment));
    }

    /// <summary>Begins a recharge: <c>{"amount": "12.50", "currency": "USD", "provider": "stripe"}</c> answers with a page to pay on.</summary>
    public async Task CheckoutAsync(HttpContext context)
    {
        if (await callers.IdentifyAsync(context) is not { } caller)
            return;
        (Order? order, PlatformError? error) = await BodyReader.ReadAsync(context, MaxOrder, Read);
        if (order is not null && !caller.MayPay)
            (order, error) = (null, PlatformError.Of(BusinessCode.ApiForbidden, "checkout"));
        if (order is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        Uri back = options.ReturnAddress ?? new Uri($"{context.Request.Scheme}://{context.Request.Host}/billing");
        (string? id, Checkout? checkout, error) = await desk.BeginAsync(order.Provider, caller.AccountId, order.Amount, With(back, "paid"), With(back, "cancelled"), context.RequestAborted);
        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        await BillingJson.WriteAsync(context, json =>
        {
            json.WriteString("payment_id", id);
            json.WriteString("url", checkout!.Url.AbsoluteUri);
        });
    }

    /// <summary>Takes a provider's message in. It carries no key: its signature says who sent it.</summary>
    public async Task WebhookAsync(HttpContext context)
    {
        string provider = context.Request.RouteValues["provider"]?.ToString() ?? "";
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, MaxMessage);
        using RequestBody body = raw;
        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        (WebhookOutcome outcome, string detail) = await desk.ReceiveAsync(provider, context.Request.Headers["Stripe-Signature"].ToString(), body.Memory);
        switch (outcome)
        {
            case WebhookOutcome.Refused:
                Log.Refused(log, detail);
                await ErrorResponse.WriteAsync(context, new PlatformError(BusinessCode.CallIncorrect, $"The webhook was refused: {detail}."));
                return;
            case WebhookOutcome.Unknown:
                Log.Refused(log, detail);
                await ErrorResponse.WriteAsync(context, new PlatformError(BusinessCode.CallIncorrect, $"The webhook names {detail}.") { Status = StatusCodes.Status404NotFound });
                return;
            case WebhookOutcome.Mismatch:
                Log.Mismatch(log, detail);
                break;
        }

        await BillingJson.WriteAsync(context, json => json.WriteBoolean("received", true));
    }

    private static (Order? Order, PlatformError? Error) Read(FieldReader fields)
    {
        string? amount = fields.Text("amount", required: true, min: 1, max: 32, numbers: true);
        string code = fields.Text("currency", min: 3, max: 3) ?? "USD";
        string? provider = fields.Text("provider", min: 1, max: 32);
        if (fields.Error is { } error)
            return (null, error);
        if (!Currency.TryParse(code, out Currency currency))
            return (null, PlatformError.Invalid("currency", "it is no currency", "Three letters such as USD"));
        return Money.TryParse(amount, currency, out Money money)
            ? (new Order(money, provider), null)
            : (null, PlatformError.Invalid("amount", "it is no amount of money", "Digits such as \"12.50\""));
    }

    private static Uri With(Uri address, string outcome) =>
        new UriBuilder(address) { Query = address.Query.Length > 1 ? $"{address.Query}&payment={outcome}" : $"payment={outcome}" }.Uri;

    private sealed record Order(Money Amount, string? Provider);

    private static partial class Log
    {
        [LoggerMessage(1301, LogLevel.Warning, "A payment webhook was refused: {Detail}")]
        public static partial void Refused(ILogger log, string detail);

        [LoggerMessage(1302, LogLevel.Error, "A payment does not fit its order and was not booked: {Detail}")]
        public static partial void Mismatch(ILogger log, string detail);
    }
}
