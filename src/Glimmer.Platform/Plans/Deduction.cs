namespace Glimmer.Platform.Plans;

/// <summary>How a payment is split over an account's money: credits first, then cash, then the linked payment method.</summary>
/// <param name="Credits">From credits.</param>
/// <param name="Cash">From cash.</param>
/// <param name="Card">Charged to the payment method.</param>
/// <param name="Surplus">What the payment method is charged too much, because it takes no less than its minimum; becomes cash.</param>
public readonly record struct Deduction(decimal Credits, decimal Cash, decimal Card, decimal Surplus)
{
    /// <summary>Splits an amount; null when the account cannot pay it.</summary>
    /// <param name="due">Amount, 0 or more.</param>
    /// <param name="credits">Credits of the account.</param>
    /// <param name="cash">Cash of the account.</param>
    /// <param name="hasCard">Whether a payment method is linked.</param>
    /// <param name="cardMinimum">Least amount it is charged.</param>
    public static Deduction? Split(decimal due, decimal credits, decimal cash, bool hasCard, decimal cardMinimum)
    {
        decimal fromCredits = Math.Min(due, Math.Max(0, credits));
        decimal fromCash = Math.Min(due - fromCredits, Math.Max(0, cash));
        decimal rest = due - fromCredits - fromCash;
        if (rest == 0)
            return new Deduction(fromCredits, fromCash, 0, 0);
        if (!hasCard)
            return null;
        decimal card = Math.Max(rest, cardMinimum);
        return new Deduction(fromCredits, fromCash, card, card - rest);
    }
}
