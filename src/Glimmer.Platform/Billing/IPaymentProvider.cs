using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>Takes money in from outside. One file per provider; the desk does all the booking.</summary>
public interface IPaymentProvider
{
    /// <summary>Its name in addresses and rows: letters, digits, <c>-</c>.</summary>
    string Name { get; }

    /// <summary>Opens a page on which the payer pays. Calling it again with the same payment id opens the same one.</summary>
    /// <exception cref="PaymentProviderException">The provider cannot be reached or refuses.</exception>
    Task<Checkout> OpenCheckoutAsync(CheckoutOrder order, CancellationToken cancel);

    /// <summary>Pays a part back. Calling it again with the same refund id does it once.</summary>
    /// <param name="refundId">Makes it happen once.</param>
    /// <param name="charge">The provider's charge (<see cref="PaymentEvent.Charge"/>).</param>
    /// <param name="amount">How much.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="PaymentProviderException">The provider cannot be reached or refuses.</exception>
    Task RefundAsync(string refundId, string charge, Money amount, CancellationToken cancel);

    /// <summary>Checks that a message is the provider's and reads it.</summary>
    /// <param name="signature">The signature header; null when there is none.</param>
    /// <param name="body">The body, byte for byte.</param>
    /// <param name="now">For the tolerance of the signature's time.</param>
    WebhookReading Read(string? signature, ReadOnlySpan<byte> body, DateTimeOffset now);
}

/// <summary>What to pay.</summary>
/// <param name="PaymentId">The platform's payment id.</param>
/// <param name="AccountId">For whom.</param>
/// <param name="Amount">How much; whole cents.</param>
/// <param name="SuccessUrl">Where the payer goes afterwards.</param>
/// <param name="CancelUrl">Where the payer goes who does not pay.</param>
/// <param name="Description">What the payer is shown.</param>
public sealed record CheckoutOrder(string PaymentId, string AccountId, Money Amount, Uri SuccessUrl, Uri CancelUrl, string Description);

/// <summary>An open payment page.</summary>
/// <param name="Reference">The provider's id of it.</param>
/// <param name="Url">Its address.</param>
public sealed record Checkout(string Reference, Uri Url);

/// <summary>What a provider tells.</summary>
public enum PaymentEventKind
{
    /// <summary>Nothing that matters here.</summary>
    Other,

    /// <summary>The payment was made.</summary>
    Paid,

    /// <summary>The payment failed.</summary>
    Failed,

    /// <summary>The page was closed unpaid.</summary>
    Expired,

    /// <summary>Some or all was paid back; <see cref="PaymentEvent.Amount"/> is all that was paid back so far.</summary>
    Refunded,
}

/// <summary>A provider's message.</summary>
/// <param name="Id">Unique at the provider; a second one of the same id changes nothing.</param>
/// <param name="Kind">What it tells.</param>
/// <param name="PaymentId">The platform's payment id.</param>
/// <param name="Charge">The provider's charge, for refunds; null when it does not tell.</param>
/// <param name="Amount">The amount that it is about.</param>
public sealed record PaymentEvent(string Id, PaymentEventKind Kind, string PaymentId, string? Charge, Money Amount);

/// <summary>What reading a message gave.</summary>
/// <param name="Event">The message; null when it was refused.</param>
/// <param name="Problem">Why it was refused, without a secret; null when it was not.</param>
public readonly record struct WebhookReading(PaymentEvent? Event, string? Problem);

/// <summary>A payment provider cannot be reached or refuses.</summary>
public sealed class PaymentProviderException : Exception
{
    /// <summary>With the message to log.</summary>
    /// <param name="message">What happened.</param>
    /// <param name="refused">Whether the provider said no for good, rather than could not be reached.</param>
    /// <param name="inner">The cause.</param>
    public PaymentProviderException(string message, bool refused, Exception? inner = null)
        : base(message, inner) => Refused = refused;

    /// <summary>Whether the provider said no for good, rather than could not be reached.</summary>
    public bool Refused { get; }
}
