using Glimmer.Platform.Plans;

namespace Glimmer.Platform.Tests.Plans;

public sealed class InvitationsTests
{
    private static readonly InvitationRules Rules = PlanRules.Load().Invitation;
    private static readonly DateTimeOffset Start = new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Rewards_wait_for_three_friends_and_their_review_and_rounds_of_thirty_earn_more()
    {
        // Friend i pays 17.10 in hour i.
        InvitedPayment[] payments = [.. Enumerable.Range(0, 31).Select(i => Payment(i))];
        Assert.Equal(new InvitationReward(2, 0, 3.42m), At(payments[..2], 100));
        Assert.Equal(new InvitationReward(3, 0, 5.13m), At(payments[..3], 25));
        Assert.Equal(new InvitationReward(3, 5.13m, 0), At(payments[..3], 26));
        Assert.Equal(new InvitationReward(4, 5.13m, 1.71m), At(payments[..4], 26));
        Assert.Equal(new InvitationReward(30, 1.71m * 29, 1.71m + 51.30m), At(payments[..30], 52));
        Assert.Equal(new InvitationReward(30, (1.71m * 30) + 51.30m, 0), At(payments[..30], 53));
        Assert.Equal(new InvitationReward(31, (1.71m * 31) + 51.30m, 0), At(payments, 1000));
    }

    [Fact]
    public void Late_refunded_rejected_repeated_and_unpaid_orders_do_not_count()
    {
        InvitedPayment late = Payment(1) with { Bound = Start.AddHours(1 - 72).AddTicks(-1) };
        Assert.Equal(0, At([late], 1000).Valid);
        Assert.Equal(1, At([late with { Bound = Start.AddHours(1 - 72) }], 1000).Valid);
        Assert.Equal(0, At([Payment(1) with { Refunded = Start.AddHours(24) }], 1000).Valid);
        Assert.Equal(1, At([Payment(1) with { Refunded = Start.AddHours(25) }], 1000).Valid);
        Assert.Equal(0, At([Payment(1) with { Rejected = true }], 1000).Valid);
        Assert.Equal(0, At([Payment(1) with { Cash = 0 }], 1000).Valid);
        Assert.Equal(0, At([Payment(1) with { Bound = Start.AddHours(2) }], 1000).Valid);
        Assert.Equal(new InvitationReward(1, 0, 1.71m), At([Payment(1), Payment(1) with { Paid = Start.AddHours(5), Cash = 1000 }], 1000));
        Assert.Equal(new InvitationReward(0, 0, 0), At([Payment(50)], 49));
    }

    /// <summary>What may be used never shrinks while time passes and friends join, so that granting differences works.</summary>
    [Fact]
    public void What_was_issued_never_shrinks()
    {
        var random = new Random(5);
        for (int run = 0; run < 100; run++)
        {
            InvitedPayment[] payments = [.. Enumerable.Range(0, random.Next(80)).Select(i => Payment(random.Next(200)) with { Friend = $"f{i}", Cash = random.Next(1, 100_000) / 100m })];
            decimal before = 0;
            for (int hour = 0; hour < 260; hour += 7)
            {
                decimal issued = At(payments, hour).Issued;
                Assert.True(issued >= before);
                before = issued;
            }
        }
    }

    private static InvitedPayment Payment(int hour) => new($"friend-{hour}", Start.AddHours(hour - 1), Start.AddHours(hour), 17.10m);

    private static InvitationReward At(InvitedPayment[] payments, int hour) => Invitations.Reckon(payments, Rules, Start.AddHours(hour));
}
