using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Billing;

/// <summary>The rules of inviting friends (spec: platform.md §3.5). All of them are data.</summary>
public sealed record InvitationRules
{
    /// <summary>How long after following a link the first paid order counts for it.</summary>
    public TimeSpan Attribution { get; init; } = TimeSpan.FromHours(72);

    /// <summary>The inviter's part of what the friend paid in cash; thousandths.</summary>
    public int ShareThousandths { get; init; } = 100;

    /// <summary>Rewards wait until there are so many valid friends, then all are granted.</summary>
    public int Threshold { get; init; } = 3;

    /// <summary>Friends of a round.</summary>
    public int Round { get; init; } = 30;

    /// <summary>The extra part of what a round's friends paid; thousandths.</summary>
    public int RoundThousandths { get; init; } = 100;

    /// <summary>How long an order is under review; refunded within it, it earns nothing.</summary>
    public TimeSpan Review { get; init; } = TimeSpan.FromHours(24);
}

/// <summary>Where a reward stands. The numbers are stored.</summary>
public enum RewardState
{
    /// <summary>The order is under review.</summary>
    Review = 0,

    /// <summary>Valid; waits for enough valid friends.</summary>
    Pending = 1,

    /// <summary>Granted as credits.</summary>
    Granted = 2,

    /// <summary>Refunded in time, or taken back.</summary>
    Void = 3,
}

/// <summary>What an invitation earned its inviter.</summary>
/// <param name="Invitee">The friend.</param>
/// <param name="Inviter">Who invited.</param>
/// <param name="OrderId">The friend's first paid order.</param>
/// <param name="Paid">What the friend paid in cash.</param>
/// <param name="Reward">The inviter's part.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Reason">Why it is void; empty otherwise.</param>
public sealed record InvitationReward(string Invitee, string Inviter, string OrderId, Money Paid, Money Reward, RewardState State, string Reason);

/// <summary>
/// Invitations and their rewards. Rewards are credits of the ledger under ids made of the invitation, so that nothing is granted
/// twice however often and on however many nodes <see cref="RunDueAsync"/> runs.
/// </summary>
/// <param name="ledger">The ledger.</param>
/// <param name="rules">Gives the rules in force; asked at every step, so that another version of the plans counts at once.</param>
public sealed class Invitations(PlatformLedger ledger, Func<InvitationRules> rules)
{
    /// <summary>With rules that do not change.</summary>
    public Invitations(PlatformLedger ledger, InvitationRules rules)
        : this(ledger, () => rules)
    {
    }

    private PlatformStore Store => ledger.Store;

    /// <summary>Notes that an account came by another's link. The last link counts, until the first paid order; nobody invites himself.</summary>
    /// <returns>Whether it counts.</returns>
    public Task<bool> BindAsync(string invitee, string inviter) => invitee == inviter
        ? Task.FromResult(false)
        : Store.WriteAsync(session =>
        {
            if (session.Scalar<long>("SELECT COUNT(*) FROM invitation_rewards WHERE invitee = @invitee", new { invitee }) != 0
                || session.Scalar<long>("SELECT COUNT(*) FROM ledger_transactions WHERE account = @invitee AND kind = 5", new { invitee }) != 0)
            {
                return false;
            }

            session.Execute(
                "INSERT INTO invitations (invitee, inviter, bound) VALUES (@invitee, @inviter, @Now) ON CONFLICT (invitee) DO UPDATE SET inviter = excluded.inviter, bound = excluded.bound",
                new { invitee, inviter, ledger.Now });
            return true;
        });

    /// <summary>Whether an account was invited and its first order would still count.</summary>
    public Task<bool> IsInTimeAsync(string invitee) => Store.ReadAsync(session =>
        session.Scalar<long>("SELECT COUNT(*) FROM invitations WHERE invitee = @invitee AND bound >= @since", new { invitee, since = ledger.Now - (long)rules().Attribution.TotalMilliseconds }) != 0
        && session.Scalar<long>("SELECT COUNT(*) FROM invitation_rewards WHERE invitee = @invitee", new { invitee }) == 0);

    /// <summary>Notes an account's first paid order; false when no invitation earns by it.</summary>
    /// <param name="invitee">The account.</param>
    /// <param name="orderId">The order.</param>
    /// <param name="cash">What was paid in cash, after coupons, discounts and credits.</param>
    public Task<bool> OrderedAsync(string invitee, string orderId, Money cash)
    {
        if (!cash.IsPositive)
            return Task.FromResult(false);
        return Store.WriteAsync(session =>
        {
            string? inviter = session.Scalar<string>(
                "SELECT inviter FROM invitations WHERE invitee = @invitee AND bound >= @since", new { invitee, since = ledger.Now - (long)rules().Attribution.TotalMilliseconds });
            return inviter is not null && session.Execute(
                "INSERT INTO invitation_rewards (invitee, inviter, order_id, currency, paid, reward, state, turn, created, due, reason) "
                + "VALUES (@invitee, @inviter, @orderId, @Code, @Units, @reward, 0, NULL, @Now, @due, '') ON CONFLICT DO NOTHING",
                new { invitee, inviter, orderId, cash.Currency.Code, cash.Units, reward = Part(cash.Units, rules().ShareThousandths), ledger.Now, due = ledger.Now + (long)rules().Review.TotalMilliseconds }) != 0;
        });
    }

    /// <summary>Makes a reward void because its order was refunded, or for fraud, and takes back what is left of it.</summary>
    /// <returns>What was taken back.</returns>
    public async Task<Money> VoidAsync(string orderId, string reason)
    {
        (string Inviter, string Invitee, string Currency, long Reward, long State) row = await Store.WriteAsync(session =>
        {
            var found = session.First<(string, string, string, long, long)>(
                "SELECT inviter, invitee, currency, reward, state FROM invitation_rewards WHERE order_id = @orderId" + session.Dialect.ForUpdate, new { orderId });
            session.Execute("UPDATE invitation_rewards SET state = 3, reason = @reason WHERE order_id = @orderId", new { orderId, reason = StoredText.Of(reason, StoredText.MemoLength) });
            return found;
        });
        if (row.Inviter is null || row.State != (long)RewardState.Granted || row.Reward == 0)
            return default;
        return await ledger.ClawBackAsync(row.Inviter, GrantId(row.Invitee), Money.FromUnits(row.Reward, Currency.Parse(row.Currency)), $"void-{GrantId(row.Invitee)}", reason);
    }

    /// <summary>Ends reviews that are due and grants what is earned; gives how many grants were made.</summary>
    public async Task<int> RunDueAsync()
    {
        // The friends of an inviter get their turn once, in the order of their orders: rounds are of fixed friends.
        await Store.WriteAsync(session =>
        {
            session.NextVersion("invitations");
            foreach ((long id, string inviter) in session.List<(long, string)>("SELECT id, inviter FROM invitation_rewards WHERE state = 0 AND due <= @Now ORDER BY due, id", new { ledger.Now }))
            {
                session.Execute(
                    "UPDATE invitation_rewards SET state = 1, turn = (SELECT COALESCE(MAX(turn), 0) + 1 FROM invitation_rewards WHERE inviter = @inviter) WHERE id = @id", new { inviter, id });
            }

            return true;
        });

        int granted = 0;
        List<string> inviters = await Store.ReadAsync(session => session.List<string>("SELECT DISTINCT inviter FROM invitation_rewards WHERE state = 1"));
        foreach (string inviter in inviters)
            granted += await GrantAsync(inviter);
        return granted;
    }

    /// <summary>The rewards of an inviter, newest first, at most 1,000.</summary>
    public async Task<IReadOnlyList<InvitationReward>> ListAsync(string inviter) => await Store.ReadAsync(session =>
        session.List<(string Invitee, string Order, string Code, long Paid, long Reward, long State, string Reason)>(
            "SELECT invitee, order_id, currency, paid, reward, state, reason FROM invitation_rewards WHERE inviter = @inviter ORDER BY id DESC LIMIT 1000", new { inviter })
            .ConvertAll(row => new InvitationReward(
                row.Invitee, inviter, row.Order, Money.FromUnits(row.Paid, Currency.Parse(row.Code)), Money.FromUnits(row.Reward, Currency.Parse(row.Code)), (RewardState)row.State, row.Reason)));

    private async Task<int> GrantAsync(string inviter)
    {
        InvitationRules current = rules();
        List<(string Invitee, string Code, long Paid, long Reward, long State, long Turn)> friends = await Store.ReadAsync(session =>
            session.List<(string, string, long, long, long, long)>(
                "SELECT invitee, currency, paid, reward, state, turn FROM invitation_rewards WHERE inviter = @inviter AND turn IS NOT NULL ORDER BY turn", new { inviter }));
        int valid = friends.Count(static friend => friend.State != (long)RewardState.Void);
        if (valid < current.Threshold)
            return 0;
        int granted = 0;
        foreach ((string invitee, string code, _, long reward, _, _) in friends.Where(static friend => friend.State == (long)RewardState.Pending))
        {
            if (reward > 0 && await ledger.GrantAsync(inviter, Money.FromUnits(reward, Currency.Parse(code)), GrantId(invitee), memo: "Invitation reward") == PostingState.Booked)
                granted++;
            await Store.WriteAsync(session => session.Execute("UPDATE invitation_rewards SET state = 2 WHERE invitee = @invitee AND state = 1", new { invitee }));
        }

        // Each full round of valid friends earns a part of what they paid together, by currency.
        var counted = friends.Where(static friend => friend.State != (long)RewardState.Void).ToList();
        for (int round = 0; (round + 1L) * current.Round <= counted.Count; round++)
        {
            foreach (var group in counted.Skip(round * current.Round).Take(current.Round).GroupBy(static friend => friend.Code, StringComparer.Ordinal))
            {
                long bonus = Part(group.Sum(static friend => friend.Paid), current.RoundThousandths);
                if (bonus > 0 && await ledger.GrantAsync(inviter, Money.FromUnits(bonus, Currency.Parse(group.Key)), $"invite-round:{inviter}:{round}:{group.Key}", memo: "Invitation round bonus") == PostingState.Booked)
                    granted++;
            }
        }

        return granted;
    }

    private static string GrantId(string invitee) => $"invite:{invitee}";

    /// <summary>Rounded down to hundredths: a reward is money that people see.</summary>
    private static long Part(long units, int thousandths)
    {
        const long Cent = Money.UnitsPerWhole / 100;
        return (long)((Int128)units * thousandths / 1000 / Cent) * Cent;
    }
}
