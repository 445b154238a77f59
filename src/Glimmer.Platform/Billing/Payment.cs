using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>Where a payment stands. The numbers are stored.</summary>
public enum PaymentState
{
    /// <summary>The page is open.</summary>
    Open = 0,

    /// <summary>It was paid and booked.</summary>
    Paid = 1,

    /// <summary>It failed.</summary>
    Failed = 2,

    /// <summary>The page was closed unpaid.</summary>
    Expired = 3,

    /// <summary>The provider told another amount or currency than was asked; nothing was booked. Someone must look.</summary>
    Mismatch = 4,
}

/// <summary>A recharge.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Provider">Who took the money: a provider's name, or <c>manual</c>.</param>
/// <param name="AccountId">Whose.</param>
/// <param name="Amount">How much.</param>
/// <param name="Refunded">How much was paid back.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Created">When it was begun.</param>
/// <param name="Paid">When it was paid; null when it was not.</param>
/// <param name="Note">What whoever recorded it wrote.</param>
public sealed record Payment(
    string Id, string Provider, string AccountId, Money Amount, Money Refunded, PaymentState State, DateTimeOffset Created, DateTimeOffset? Paid, string Note);

/// <summary>What may be recharged.</summary>
public sealed record PaymentSettings
{
    /// <summary>The smallest recharge, in whatever currency.</summary>
    public decimal Least { get; init; } = 0.50m;

    /// <summary>The largest recharge through a provider.</summary>
    public decimal Most { get; init; } = 10_000m;
}

/// <summary>What a message of a provider came to.</summary>
public enum WebhookOutcome
{
    /// <summary>It changed something.</summary>
    Applied,

    /// <summary>It was known before, or tells nothing that matters here.</summary>
    Ignored,

    /// <summary>It is not the provider's, or cannot be read: answer 400.</summary>
    Refused,

    /// <summary>It names a payment that is not known: answer 404, so that the provider tries again.</summary>
    Unknown,

    /// <summary>The amount or currency is not what was asked; the payment is marked.</summary>
    Mismatch,
}
