using Glimmer.Platform.Plans;

namespace Glimmer.Platform.Tests.Plans;

public sealed class SubscriptionTests
{
    private static readonly PlanRules Rules = PlanRules.Load();
    private static readonly SubscriptionDesk Desk = new(Rules);

    [Theory]
    [InlineData("2027-01-31T10:00:00+08:00", PlanCycle.Month, "2027-02-28T10:00:00+08:00")]
    [InlineData("2028-01-31T10:00:00+08:00", PlanCycle.Month, "2028-02-29T10:00:00+08:00")]
    [InlineData("2028-02-29T10:00:00+08:00", PlanCycle.Year, "2029-02-28T10:00:00+08:00")]
    [InlineData("2026-11-30T23:59:59+08:00", PlanCycle.Quarter, "2027-02-28T23:59:59+08:00")]
    [InlineData("2026-12-31T00:00:00+08:00", PlanCycle.Month, "2027-01-31T00:00:00+08:00")]
    [InlineData("2026-08-31T17:00:00Z", PlanCycle.Month, "2026-09-30T17:00:00Z")]   // the first of September in UTC+8
    [InlineData("2027-01-30T20:00:00Z", PlanCycle.Month, "2027-02-27T20:00:00Z")]   // the 31st in UTC+8
    public void A_term_ends_on_the_same_day_or_the_last_of_a_shorter_month(string start, PlanCycle cycle, string end)
    {
        Subscription state = Order(Subscription.None, "lite", cycle, At(start));
        Assert.Equal(At(end), state.End);
        Assert.NotNull(state.TermAt(At(start)));
        Assert.NotNull(state.TermAt(At(end).AddTicks(-1)));
        Assert.Null(state.TermAt(At(end)));
    }

    [Fact]
    public void A_month_and_a_year_are_thirteen_months_counted_from_the_first_day()
    {
        DateTimeOffset start = At("2027-01-31T12:00:00+08:00");
        Subscription state = Order(Subscription.None, "pro", PlanCycle.Month, start);
        OrderQuote quote = Desk.Order(state, "pro", PlanCycle.Year, "USD", start.AddDays(3)).Quote!;
        Assert.Equal((OrderKind.Queued, 691.20m), (quote.Kind, quote.Due));
        state = state.Apply(quote.Event, Rules);
        Assert.Equal([At("2027-02-28T12:00:00+08:00"), At("2028-02-29T12:00:00+08:00")], state.Terms.Select(term => term.End));
        Assert.Equal(state.Terms[0].End, state.Terms[1].Start);
        Assert.Equal(13, state.Terms.Sum(term => term.Months));
    }

    [Fact]
    public void Renewals_from_the_thirty_first_come_back_to_it()
    {
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, At("2027-01-31T12:00:00+08:00"));
        for (int i = 0; i < 4; i++)
        {
            Assert.Null(Desk.Renewal(state, state.End!.Value - Rules.RenewalLead - TimeSpan.FromTicks(1)));
            OrderQuote renewal = Desk.Renewal(state, state.End!.Value - Rules.RenewalLead)!;
            Assert.Equal(18, renewal.Due);
            state = state.Apply(renewal.Event, Rules);
            Assert.Null(Desk.Renewal(state, state.Terms[^1].Start));
        }

        Assert.Equal([28, 31, 30, 31, 30], state.Terms.Select(term => Rules.Calendar.Local(term.End).Day));
    }

    [Fact]
    public void An_upgrade_begins_at_once_and_sets_off_what_is_left_to_the_cent()
    {
        // April has 30 days; a third of the month is over: 18 x 20/30 = 12.00.
        DateTimeOffset start = At("2027-04-01T00:00:00+08:00");
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, start);
        OrderQuote quote = Desk.Order(state, "pro", PlanCycle.Month, "USD", start.AddDays(10)).Quote!;
        Assert.Equal((OrderKind.Upgrade, 12.00m, 60.00m, 0m), (quote.Kind, quote.RestValue, quote.Due, quote.CreditBack));
        state = state.Apply(quote.Event, Rules);
        PlanTerm term = Assert.Single(state.Terms);
        Assert.Equal(("pro", start.AddDays(10), At("2027-05-11T00:00:00+08:00")), (term.Plan, term.Start, term.End));

        // One second of thirty days is 18 / 2592000 = 0.0000069: the cent stays.
        Subscription fresh = Order(Subscription.None, "lite", PlanCycle.Month, start);
        Assert.Equal(18.00m, Desk.RestValue(fresh, start));
        Assert.Equal(18.00m, Desk.RestValue(fresh, start.AddSeconds(1)));
        Assert.Equal(17.99m, Desk.RestValue(fresh, start.AddSeconds(721)));
        Assert.Equal(0.01m, Desk.RestValue(fresh, start.AddDays(30).AddSeconds(-720)));
        Assert.Equal(0m, Desk.RestValue(fresh, start.AddDays(30)));
    }

    [Fact]
    public void An_upgrade_from_a_worthier_rest_gives_credits_back()
    {
        DateTimeOffset start = At("2027-01-01T00:00:00+08:00");
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Year, start);
        OrderQuote quote = Desk.Order(state, "pro", PlanCycle.Month, "USD", start).Quote!;
        Assert.Equal((172.80m, 0m, 100.80m), (quote.RestValue, quote.Due, quote.CreditBack));
    }

    [Fact]
    public void A_lower_tier_or_a_shorter_cycle_begins_with_the_next_period()
    {
        DateTimeOffset start = At("2027-01-01T00:00:00+08:00");
        Subscription state = Order(Subscription.None, "pro", PlanCycle.Quarter, start);
        foreach ((string plan, PlanCycle cycle, decimal price) in new[] { ("lite", PlanCycle.Year, 172.80m), ("pro", PlanCycle.Month, 72m) })
        {
            OrderQuote quote = Desk.Order(state, plan, cycle, "USD", start.AddDays(1)).Quote!;
            Assert.Equal((OrderKind.NextPeriod, 0m), (quote.Kind, quote.Due));
            Subscription changed = state.Apply(quote.Event, Rules);
            Assert.Equal("pro", changed.TermAt(start.AddDays(80))!.Plan);
            OrderQuote renewal = Desk.Renewal(changed, changed.End!.Value)!;
            Assert.Equal(price, renewal.Due);
            changed = changed.Apply(renewal.Event, Rules);
            Assert.Equal((plan, cycle), (changed.Terms[^1].Plan, changed.Terms[^1].Cycle));
            Assert.Null(changed.Next);
        }
    }

    [Fact]
    public void A_cancelled_plan_stays_until_its_end_and_a_late_cancellation_lets_one_bill_pass()
    {
        DateTimeOffset start = At("2027-01-01T00:00:00+08:00");
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, start);
        DateTimeOffset end = state.End!.Value;
        Subscription early = state.Apply(Desk.Cancel(state, end.AddHours(-24))!, Rules);
        Assert.Equal("lite", early.TermAt(end.AddTicks(-1))!.Plan);
        Assert.Null(Desk.Renewal(early, end));
        Assert.Null(Desk.Cancel(early, end.AddHours(-24)));

        Subscription late = state.Apply(Desk.Cancel(state, end.AddHours(-24).AddTicks(1))!, Rules);
        late = late.Apply(Desk.Renewal(late, end)!.Event, Rules);
        Assert.Equal(At("2027-03-01T00:00:00+08:00"), late.End);
        Assert.Null(Desk.Renewal(late, late.End!.Value));
    }

    [Fact]
    public void A_renewal_that_fails_is_tried_again_begins_when_paid_and_ends_after_the_last_try()
    {
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, At("2027-01-01T00:00:00+08:00"));
        DateTimeOffset now = state.End!.Value;
        state = state.Apply(new SubscriptionEvent(SubscriptionEventKind.RenewalFailed, now), Rules);
        Assert.Null(state.TermAt(now));
        Assert.Null(Desk.Renewal(state, now.AddHours(23)));
        now = now.AddHours(24);
        Subscription paid = state.Apply(Desk.Renewal(state, now)!.Event, Rules);
        Assert.Equal(now, paid.TermAt(now)!.Start);
        Assert.Equal(now, paid.Anchor);
        for (int i = 0; i < 3; i++, now = now.AddHours(24))
            state = state.Apply(new SubscriptionEvent(SubscriptionEventKind.RenewalFailed, now), Rules);
        Assert.False(state.AutoRenew);
        Assert.Null(Desk.Renewal(state, now.AddDays(30)));
    }

    [Fact]
    public void Renewal_costs_what_the_charge_date_says_and_stops_for_what_is_not_sold()
    {
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, At("2027-01-01T00:00:00+08:00"));
        DateTimeOffset now = state.End!.Value;
        Assert.Equal(21m, new SubscriptionDesk(Changed("plan: lite, cycle: month, currency: USD, amount: 18 ", "plan: lite, cycle: month, currency: USD, amount: 21 ")).Renewal(state, now)!.Due);
        var without = new SubscriptionDesk(Changed("  - { plan: lite, cycle: month, currency: USD, amount: 18 }\n", ""));
        Assert.Null(without.Renewal(state, now));
        Assert.Equal(SubscriptionEventKind.RenewalEnded, Assert.Single(without.Passing(state, now)).Kind);
    }

    [Fact]
    public void Legacy_subscribers_keep_their_term_get_two_months_and_half_price_for_three()
    {
        DateTimeOffset ordered = At("2026-02-11T23:59:59+08:00");
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Quarter, ordered);
        Assert.Equal("legacy", state.Terms[0].Cohort);
        Assert.Null(Order(Subscription.None, "lite", PlanCycle.Quarter, At("2026-02-12T00:00:00+08:00")).Terms[0].Cohort);
        Assert.Null(Order(Subscription.None, "lite", PlanCycle.Quarter, ordered, autoRenew: false).Terms[0].Cohort);

        DateTimeOffset migration = At("2026-04-30T00:00:00+08:00");
        Assert.Empty(Desk.Passing(state, migration.AddTicks(-1)));
        Assert.Empty(Desk.Passing(state.Apply(Desk.Cancel(state, ordered.AddDays(2))!, Rules), migration));
        foreach (SubscriptionEvent item in Desk.Passing(state, migration))
            state = state.Apply(item, Rules);
        Assert.Empty(Desk.Passing(state, migration));
        Assert.False(state.AutoRenew);
        Assert.Equal(At("2026-07-11T23:59:59+08:00"), state.End);
        Assert.Equal(new PersonalDiscount(0.5m, At("2026-10-11T23:59:59+08:00")), state.Discount);

        // Same or lower tier: half price, behind everything that is paid or given; a higher one at once, free months set off.
        OrderQuote same = Desk.Order(state, "lite", PlanCycle.Year, "USD", migration.AddDays(1)).Quote!;
        Assert.Equal((OrderKind.Queued, 86.40m), (same.Kind, same.Due));
        Assert.Equal(state.End, state.Apply(same.Event, Rules).Terms[^1].Start);
        Assert.Null(state.Apply(same.Event, Rules).Terms[^1].Cohort);
        OrderQuote higher = Desk.Order(state, "pro", PlanCycle.Year, "USD", At("2026-05-11T23:59:59+08:00")).Quote!;
        Assert.Equal((OrderKind.Upgrade, 345.60m, 36.00m, 309.60m), (higher.Kind, higher.Price, higher.RestValue, higher.Due));
        Assert.Equal(345.60m, Desk.Order(state, "pro", PlanCycle.Year, "USD", At("2026-10-11T23:59:58+08:00")).Quote!.Price);
        Assert.Equal(691.20m, Desk.Order(state, "pro", PlanCycle.Year, "USD", At("2026-10-11T23:59:59+08:00")).Quote!.Price);
    }

    [Fact]
    public void An_invited_account_pays_five_percent_less_once()
    {
        DateTimeOffset now = At("2027-01-01T00:00:00+08:00");
        Assert.Equal(17.10m, Desk.Order(Subscription.None, "lite", PlanCycle.Month, "USD", now, invited: true).Quote!.Due);
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, now);
        Assert.Equal(18m, Desk.Order(state, "lite", PlanCycle.Month, "USD", now.AddYears(1), invited: true).Quote!.Due);
        Assert.Equal(72m, Desk.Order(state, "pro", PlanCycle.Month, "USD", now.AddDays(1), invited: true).Quote!.Price);
        var cheap = new SubscriptionDesk(Changed("currency: USD, amount: 18 ", "currency: USD, amount: 0.51 "));
        Assert.Equal(0.50m, cheap.Order(Subscription.None, "lite", PlanCycle.Month, "USD", now, invited: true).Quote!.Due);
    }

    [Theory]
    [InlineData(10, 3, 5, true, 3, 5, 2, 0)]
    [InlineData(10, 12, 5, false, 10, 0, 0, 0)]
    [InlineData(10, 3, 7, false, 3, 7, 0, 0)]
    [InlineData(10, 3, 6.8, true, 3, 6.8, 0.5, 0.3)]
    [InlineData(10, -1, -1, true, 0, 0, 10, 0)]
    public void Credits_pay_first_then_cash_then_the_card_with_its_minimum(double due, double credits, double cash, bool card, double fromCredits, double fromCash, double fromCard, double surplus) =>
        Assert.Equal(
            new Deduction((decimal)fromCredits, (decimal)fromCash, (decimal)fromCard, (decimal)surplus),
            Deduction.Split((decimal)due, (decimal)credits, (decimal)cash, card, 0.50m));

    [Fact]
    public void Without_a_card_the_rest_must_be_there() => Assert.Null(Deduction.Split(10, 3, 6.99m, false, 0.50m));

    [Fact]
    public void Three_strikes_end_benefits_and_an_accepted_appeal_gives_them_back()
    {
        DateTimeOffset now = At("2027-01-01T00:00:00+08:00");
        Subscription state = Order(Subscription.None, "lite", PlanCycle.Month, now);
        for (int i = 1; i <= 3; i++)
        {
            state = state.Apply(new SubscriptionEvent(SubscriptionEventKind.Struck, now), Rules);
            Assert.Equal((i, i == 3, now.AddDays(7)), (state.Strikes, state.Banned, state.RestrictedUntil!.Value));
        }

        Assert.NotNull(Desk.Order(state, "pro", PlanCycle.Month, "USD", now).Error);
        state = state.Apply(new SubscriptionEvent(SubscriptionEventKind.Appealed, now) { Reason = "it was a test" }, Rules);
        Assert.True(state.AppealOpen);
        Assert.True(state.Apply(new SubscriptionEvent(SubscriptionEventKind.AppealDecided, now), Rules).Banned);
        state = state.Apply(new SubscriptionEvent(SubscriptionEventKind.AppealDecided, now) { Accepted = true }, Rules);
        Assert.Equal((2, false, null, false), (state.Strikes, state.Banned, state.RestrictedUntil, state.AppealOpen));
    }

    /// <summary>Random lives: what was bought is had, nothing overlaps, and the stored events give the same subscription.</summary>
    [Fact]
    public void Random_histories_keep_every_invariant()
    {
        int cases = int.Parse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES") ?? "400");
        var random = new Random(7);
        for (int run = 0; run < cases; run++)
        {
            Subscription state = Subscription.None;
            var events = new List<SubscriptionEvent>();
            DateTimeOffset now = At("2026-01-01T00:00:00+08:00").AddMinutes(random.Next(1_000_000));
            decimal paid = 0, back = 0;
            for (int step = 0; step < 40; step++)
            {
                now = now.AddMinutes(random.Next(3) == 0 ? random.Next(100_000) : random.Next(2000));
                foreach (SubscriptionEvent item in Desk.Passing(state, now))
                    Do(item);
                if (Desk.Renewal(state, now) is { } renewal)
                {
                    bool pays = random.Next(4) != 0;
                    paid += pays ? renewal.Due : 0;
                    Do(pays ? renewal.Event : new SubscriptionEvent(SubscriptionEventKind.RenewalFailed, now));
                }

                switch (random.Next(5))
                {
                    case 0 when Desk.Cancel(state, now) is { } cancel:
                        Do(cancel);
                        break;
                    case 1:
                        Do(new SubscriptionEvent(SubscriptionEventKind.RenewalOn, now));
                        break;
                    case 2 or 3 when Desk.Order(state, new[] { "lite", "pro", "max" }[random.Next(3)], (PlanCycle)random.Next(3), "USD", now, random.Next(2) == 0).Quote is { } quote:
                        Assert.Equal(quote.Price - quote.RestValue, quote.Kind == OrderKind.NextPeriod ? quote.Price : quote.Due - quote.CreditBack);
                        Assert.True(quote.Due >= 0 && quote.CreditBack >= 0);
                        DateTimeOffset? before = state.End > now ? state.End : null;
                        string? running = state.TermAt(now)?.Plan;
                        Do(quote.Event);
                        (paid, back) = (paid + quote.Due, back + quote.CreditBack);
                        if (quote.Kind == OrderKind.Queued)
                            Assert.Equal(before, state.Terms[^1].Start);
                        if (quote.Kind == OrderKind.NextPeriod)
                            Assert.Equal(running, state.TermAt(now)!.Plan);
                        break;
                    default:
                        break;
                }

                decimal rest = Desk.RestValue(state, now);
                decimal granted = state.Terms.Where(term => term.Granted).Sum(term => term.Value);
                Assert.InRange(rest, 0, paid + granted + 100_000m);
                Assert.True(rest <= state.Terms.Sum(term => term.Value));
                for (int i = 0; i < state.Terms.Length; i++)
                {
                    Assert.True(state.Terms[i].Start < state.Terms[i].End);
                    Assert.Equal(i == 0 ? state.Anchor : state.Terms[i - 1].End, state.Terms[i].Start);
                }
            }

            Assert.True(back <= paid + events.Where(item => item.Kind == SubscriptionEventKind.Granted).Sum(item => item.Value));
            Subscription again = Subscription.Fold(events.Select(item => SubscriptionEvent.FromJson(item.ToJson())), Rules);
            Assert.Equal(state.Terms, again.Terms);
            Assert.Equal(state with { Terms = [] }, again with { Terms = [] });

            void Do(SubscriptionEvent item)
            {
                events.Add(item);
                state = state.Apply(item, Rules);
            }
        }
    }

    private static PlanRules Changed(string from, string to)
    {
        using var text = new StreamReader(typeof(PlanRules).Assembly.GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
        string all = text.ReadToEnd();
        Assert.Contains(from, all);
        return PlanRules.Parse(new StringReader(all.Replace(from, to, StringComparison.Ordinal)), "changed", "changed");
    }

    private static Subscription Order(Subscription state, string plan, PlanCycle cycle, DateTimeOffset at, bool autoRenew = true) =>
        state.Apply(Desk.Order(state, plan, cycle, "USD", at, autoRenew).Quote!.Event, Rules);

    private static DateTimeOffset At(string text) => DateTimeOffset.Parse(text, null).ToUniversalTime();
}
