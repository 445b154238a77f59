namespace Glimmer.Platform.Plans;

/// <summary>The first payment of a friend.</summary>
/// <param name="Friend">The friend's account.</param>
/// <param name="Bound">When the friend followed the invitation.</param>
/// <param name="Paid">When the friend paid.</param>
/// <param name="Cash">What the friend paid in cash, after discounts and credits.</param>
/// <param name="Refunded">When it was paid back; null for never.</param>
/// <param name="Rejected">Whether the review found it invalid: same person, same device, same payment account.</param>
public readonly record struct InvitedPayment(string Friend, DateTimeOffset Bound, DateTimeOffset Paid, decimal Cash, DateTimeOffset? Refunded = null, bool Rejected = false);

/// <summary>What an inviter is owed.</summary>
/// <param name="Valid">Friends that count.</param>
/// <param name="Issued">Credits that may be used.</param>
/// <param name="Pending">Credits that are seen but wait: for the review's time, or for enough friends.</param>
public readonly record struct InvitationReward(int Valid, decimal Issued, decimal Pending);

/// <summary>
/// What invitations earn, from their payments alone: a part of every friend's first cash payment, nothing usable before enough friends
/// have paid, and a part more of each full round of friends. Pure; whoever grants the credits grants the difference to what was granted before.
/// </summary>
public static class Invitations
{
    /// <summary>Reckons an inviter's rewards at a moment, each payment rounded down to the cent.</summary>
    /// <param name="payments">All first payments of the inviter's friends, in any order; of a friend that comes twice the first counts.</param>
    /// <param name="rules">The rules.</param>
    /// <param name="now">The moment.</param>
    public static InvitationReward Reckon(IEnumerable<InvitedPayment> payments, InvitationRules rules, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(payments);
        ArgumentNullException.ThrowIfNull(rules);
        InvitedPayment[] valid =
        [
            .. payments.Where(payment => payment.Paid <= now).OrderBy(payment => payment.Paid).ThenBy(payment => payment.Friend, StringComparer.Ordinal)
                .DistinctBy(payment => payment.Friend, StringComparer.Ordinal).Where(payment => IsValid(payment, rules)),
        ];
        InvitedPayment[] reviewed = [.. valid.Where(payment => payment.Paid + rules.Issue <= now)];
        decimal all = valid.Sum(payment => Cents(payment.Cash * rules.InviterRate)) + Rounds(valid, rules);
        decimal issued = reviewed.Length < rules.Threshold ? 0 : reviewed.Sum(payment => Cents(payment.Cash * rules.InviterRate)) + Rounds(reviewed, rules);
        return new InvitationReward(valid.Length, issued, all - issued);
    }

    private static bool IsValid(in InvitedPayment payment, InvitationRules rules) =>
        !payment.Rejected && payment.Cash > 0
        && payment.Paid >= payment.Bound && payment.Paid - payment.Bound <= rules.FirstPayment
        && !(payment.Refunded - payment.Paid < rules.Issue);

    private static decimal Rounds(InvitedPayment[] payments, InvitationRules rules)
    {
        decimal sum = 0;
        for (int round = 0; (round + 1) * rules.Round <= payments.Length; round++)
            sum += Cents(payments.Skip(round * rules.Round).Take(rules.Round).Sum(payment => payment.Cash) * rules.RoundRate);
        return sum;
    }

    private static decimal Cents(decimal amount) => decimal.Round(amount, 2, MidpointRounding.ToZero);
}
