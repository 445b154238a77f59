using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>How to reach a Stripe-type provider.</summary>
public sealed record CheckoutProviderSettings
{
    /// <summary>Its base address.</summary>
    public Uri BaseAddress { get; init; } = new("https://api.stripe.com");

    /// <summary>The secret key.</summary>
    public required string SecretKey { get; init; }

    /// <summary>The webhook endpoint's secrets; several while one is being replaced.</summary>
    public required IReadOnlyList<string> WebhookSecrets { get; init; }

    /// <summary>How old a webhook may be.</summary>
    public TimeSpan Tolerance { get; init; } = TimeSpan.FromMinutes(5);
}

/// <summary>
/// Stripe and what speaks like it: checkout sessions and refunds as forms over HTTPS with idempotency keys, signed webhooks.
/// Redirects are not followed, answers are bounded, and no key or body appears in an error.
/// </summary>
public sealed class CheckoutProvider(HttpClient http, CheckoutProviderSettings settings) : IPaymentProvider
{
    private const int MaxAnswer = 256 << 10;

    /// <inheritdoc/>
    public string Name => "stripe";

    /// <inheritdoc/>
    public async Task<Checkout> OpenCheckoutAsync(CheckoutOrder order, CancellationToken cancel)
    {
        Dictionary<string, string> form = new(StringComparer.Ordinal)
        {
            ["mode"] = "payment",
            ["client_reference_id"] = order.PaymentId,
            ["success_url"] = order.SuccessUrl.AbsoluteUri,
            ["cancel_url"] = order.CancelUrl.AbsoluteUri,
            ["metadata[payment_id]"] = order.PaymentId,
            ["payment_intent_data[metadata][payment_id]"] = order.PaymentId,
            ["line_items[0][quantity]"] = "1",
            ["line_items[0][price_data][currency]"] = order.Amount.Currency.Code.ToLowerInvariant(),
            ["line_items[0][price_data][unit_amount]"] = Coins.Of(order.Amount).ToString(CultureInfo.InvariantCulture),
            ["line_items[0][price_data][product_data][name]"] = order.Description,
        };
        using JsonDocument answer = await PostAsync("v1/checkout/sessions", form, $"checkout-{order.PaymentId}", cancel);
        string? id = Text(answer.RootElement, "id");
        string? url = Text(answer.RootElement, "url");
        return id is { Length: > 0 and <= 255 } && Uri.TryCreate(url, UriKind.Absolute, out Uri? address) && (address.Scheme is "https" or "http")
            ? new Checkout(id, address)
            : throw new PaymentProviderException("The payment provider's answer has no id or no address.", refused: false);
    }

    /// <inheritdoc/>
    public async Task RefundAsync(string refundId, string charge, Money amount, CancellationToken cancel)
    {
        Dictionary<string, string> form = new(StringComparer.Ordinal)
        {
            [charge.StartsWith("pi_", StringComparison.Ordinal) ? "payment_intent" : "charge"] = charge,
            ["amount"] = Coins.Of(amount).ToString(CultureInfo.InvariantCulture),
            ["metadata[refund_id]"] = refundId,
        };
        using JsonDocument answer = await PostAsync("v1/refunds", form, $"refund-{refundId}", cancel);
        if (Text(answer.RootElement, "status") is "failed" or "canceled")
            throw new PaymentProviderException("The payment provider refused the refund.", refused: true);
    }

    /// <inheritdoc/>
    public WebhookReading Read(string? signature, ReadOnlySpan<byte> body, DateTimeOffset now)
    {
        if (WebhookSignature.Check(settings.WebhookSecrets, signature, body, now, settings.Tolerance) is { } problem)
            return new(null, problem);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = 32 });
            using var document = JsonDocument.ParseValue(ref reader);
            return Read(document.RootElement);
        }
        catch (JsonException)
        {
            return new(null, "the body is no JSON");
        }
    }

    private static WebhookReading Read(JsonElement root)
    {
        if (Text(root, "id") is not { Length: > 0 and <= 255 } id || Text(root, "type") is not { } type
            || root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("data", out JsonElement data) || data.ValueKind != JsonValueKind.Object
            || !data.TryGetProperty("object", out JsonElement thing) || thing.ValueKind != JsonValueKind.Object)
        {
            return new(null, "the body has no id, type or data.object");
        }

        PaymentEventKind kind = type switch
        {
            // A delayed method (bank debit) completes the page before it pays.
            "checkout.session.completed" => Text(thing, "payment_status") is "paid" or "no_payment_required" ? PaymentEventKind.Paid : PaymentEventKind.Other,
            "checkout.session.async_payment_succeeded" => PaymentEventKind.Paid,
            "checkout.session.async_payment_failed" => PaymentEventKind.Failed,
            "checkout.session.expired" => PaymentEventKind.Expired,
            "charge.refunded" => PaymentEventKind.Refunded,
            _ => PaymentEventKind.Other,
        };
        string? payment = thing.TryGetProperty("metadata", out JsonElement metadata) && metadata.ValueKind == JsonValueKind.Object ? Text(metadata, "payment_id") : null;
        payment ??= Text(thing, "client_reference_id");
        if (kind == PaymentEventKind.Other || payment is null)
            return new(new PaymentEvent(id, PaymentEventKind.Other, payment ?? "", null, default), null);
        string field = kind == PaymentEventKind.Refunded ? "amount_refunded" : "amount_total";
        if (!Currency.TryParse(Text(thing, "currency"), out Currency currency)
            || !thing.TryGetProperty(field, out JsonElement minor) || minor.ValueKind != JsonValueKind.Number || !minor.TryGetInt64(out long amount) || amount is < 0 or > 1_000_000_000)
        {
            return new(null, $"the body has no currency or no {field}");
        }

        return new(new PaymentEvent(id, kind, payment, Text(thing, "payment_intent") ?? (kind == PaymentEventKind.Refunded ? Text(thing, "id") : null), Coins.ToMoney(amount, currency)), null);
    }

    private async Task<JsonDocument> PostAsync(string path, Dictionary<string, string> form, string idempotencyKey, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(settings.BaseAddress, path)) { Content = new FormUrlEncodedContent(form) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", settings.SecretKey);
        request.Headers.Add("Idempotency-Key", idempotencyKey);
        try
        {
            using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            byte[] body = await BoundedAsync(response, cancel);
            if (response.IsSuccessStatusCode)
                return JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 32 });
            bool refused = (int)response.StatusCode is >= 400 and < 500 and not (401 or 403 or 408 or 409 or 429);
            throw new PaymentProviderException($"The payment provider answered {path} with {(int)response.StatusCode}.", refused);
        }
        catch (Exception fault) when (fault is HttpRequestException or JsonException or IOException || (fault is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            throw new PaymentProviderException($"The payment provider could not be reached for {path}: {fault.Message}", refused: false, fault);
        }
    }

    private static async Task<byte[]> BoundedAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancel);
        byte[] buffer = new byte[MaxAnswer];
        int length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel);
        return length < buffer.Length ? buffer[..length] : throw new PaymentProviderException("The payment provider's answer is too long.", refused: false);
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
