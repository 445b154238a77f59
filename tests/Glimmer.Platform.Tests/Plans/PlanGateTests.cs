using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Tests.Plans;

public sealed class PlanGateTests
{
    private static readonly PlanRules Rules = PlanRules.Load();
    private static readonly DateTimeOffset Start = DateTimeOffset.Parse("2027-01-04T09:00:00+08:00", null).ToUniversalTime();

    [Fact]
    public void Usage_frees_five_hours_after_it_was_consumed()
    {
        PlanGate gate = Subscribed("lite");
        for (int i = 0; i < 1600; i++)
            Assert.Null(Call(gate, Start.AddSeconds(i)).Error);
        PlatformError error = Call(gate, Start.AddSeconds(1600)).Error!;
        Assert.Equal(BusinessCode.UsageLimitReached, error.Code);
        Assert.Equal("Usage limit reached for 5 hour. The limit resets at 2027-01-04 14:00:00", error.Message);
        Assert.Equal(429, error.Status);
        Assert.Equal(BusinessCode.UsageLimitReached, Call(gate, Start.AddHours(5).AddTicks(-1)).Error!.Code);
        Assert.Null(Call(gate, Start.AddHours(5)).Error);
        Assert.Equal(BusinessCode.UsageLimitReached, Call(gate, Start.AddHours(5)).Error!.Code);
        Assert.Null(Call(gate, Start.AddHours(5).AddSeconds(1)).Error);
    }

    [Fact]
    public void A_week_begins_with_the_order_and_is_seven_days()
    {
        PlanGate gate = Subscribed("lite");
        DateTimeOffset now = Start;
        int made = 0;
        while (Call(gate, now) is { Error: var error })
        {
            if (error?.Code == BusinessCode.PlanLimitExhausted)
                break;
            if (error is null)
                made++;
            else
                now = now.AddHours(1);
        }

        Assert.Equal(8000, made);
        PlatformError full = Call(gate, Start.AddDays(7).AddTicks(-1)).Error!;
        Assert.Equal("Weekly/monthly limit exhausted. The limit resets at 2027-01-11 09:00:00", full.Message);
        Assert.Null(Call(gate, Start.AddDays(7)).Error);
        Assert.Equal(50_000, gate.Standing("a", Start.AddDays(7))!.Week.Used);
        Assert.Equal(Start.AddDays(14), gate.Standing("a", Start.AddDays(7))!.Week.ResetsAt);
    }

    [Fact]
    public void Peak_calls_draw_three_and_what_made_nothing_is_given_back()
    {
        PlanGate gate = Subscribed("lite");
        PlanDecision call = Call(gate, Start.AddHours(5), "glm-5.1");
        Assert.Equal((150_000, 4), (call.Receipt.Units, call.Concurrency));
        Assert.Equal(150_000, gate.Standing("a", Start.AddHours(5))!.Window.Used);
        gate.Release(call);
        PlanStanding standing = gate.Standing("a", Start.AddHours(5))!;
        Assert.Equal((0L, 0L), (standing.Window.Used, standing.Week.Used));
        Assert.Equal(8, Call(gate, Start).Concurrency);
    }

    [Fact]
    public void The_hundred_and_first_tool_call_of_a_month_is_refused_until_the_next_billing_month()
    {
        PlanGate gate = Subscribed("lite");
        for (int i = 0; i < 100; i++)
            Assert.Null(gate.AdmitTool("a", i % 2 == 0 ? "search-prime" : "web-reader", Start.AddDays(i % 20)));
        PlatformError error = gate.AdmitTool("a", "zread", Start.AddDays(25))!;
        Assert.Equal(BusinessCode.PlanLimitExhausted, error.Code);
        Assert.Contains("2027-02-04 09:00:00", error.Message);
        Assert.Equal([50, 50], gate.Standing("a", Start.AddDays(25))!.Tools.Values);
        gate.ReleaseTool("a", "web-reader", Start.AddDays(25));
        Assert.Null(gate.AdmitTool("a", "zread", Start.AddDays(25)));
        Assert.Equal(BusinessCode.PlanExpired, gate.AdmitTool("a", "zread", Start.AddDays(31))!.Code);
        Assert.Equal(BusinessCode.AccountInArrears, gate.AdmitTool("b", "zread", Start)!.Code);
    }

    [Fact]
    public void The_base_decides_what_pays()
    {
        PlanGate gate = Subscribed("lite");
        Assert.True(Call(gate, Start).IsPlan);
        Assert.True(gate.Admit("a", "glm-4.7", ApiSurface.Anthropic, Start).IsPlan);
        PlanDecision general = gate.Admit("a", "glm-4.7", ApiSurface.General, Start);
        Assert.Equal((false, null), (general.IsPlan, general.Error));
        Assert.Equal(50_000, Call(gate, Start, "glm-4.6v").Receipt.Units);   // the vision tools draw prompts
        PlatformError denied = Call(gate, Start, "glm-4.6").Error!;
        Assert.Equal(BusinessCode.PlanModelDenied, denied.Code);
        Assert.Contains("glm-4.6", denied.Message);
        Assert.Equal(BusinessCode.PlanModelDenied, Call(gate, Start, "glm-5").Error!.Code);
        Assert.Null(gate.Admit("p", "glm-5", ApiSurface.Coding, Start, free: true).Error);
        Assert.Equal(BusinessCode.AccountInArrears, gate.Admit("nobody", "glm-4.7", ApiSurface.Coding, Start).Error!.Code);
        Assert.Equal(PlanDecision.Balance, gate.Admit("nobody", "glm-4.7", ApiSurface.Coding, Start, free: true));
        DateTimeOffset end = gate.Of("a").End!.Value;
        Assert.Null(Call(gate, end.AddTicks(-1)).Error);
        Assert.Equal(BusinessCode.PlanExpired, Call(gate, end).Error!.Code);
    }

    [Fact]
    public void Strikes_cut_the_rate_and_the_third_ends_the_plan()
    {
        PlanGate gate = Subscribed("lite");
        gate.Apply("a", new SubscriptionEvent(SubscriptionEventKind.Struck, Start));
        Assert.Null(Call(gate, Start).Error);
        Assert.Equal(BusinessCode.FairUse, Call(gate, Start.AddSeconds(29)).Error!.Code);
        Assert.Null(Call(gate, Start.AddSeconds(31)).Error);
        Assert.Null(Call(gate, Start.AddDays(7)).Error);
        Assert.Null(Call(gate, Start.AddDays(7)).Error);
        gate.Apply("a", new SubscriptionEvent(SubscriptionEventKind.Struck, Start));
        gate.Apply("a", new SubscriptionEvent(SubscriptionEventKind.Struck, Start));
        Assert.Equal(BusinessCode.FairUse, Call(gate, Start.AddDays(8)).Error!.Code);
    }

    [Fact]
    public void Legacy_weeks_have_no_limit_and_a_change_of_plan_begins_a_week()
    {
        var gate = new PlanGate(Rules);
        DateTimeOffset ordered = DateTimeOffset.Parse("2026-02-01T00:00:00+08:00", null);
        gate.Apply("a", Ordered("lite", ordered));
        Assert.Equal("legacy", gate.Of("a").Terms[0].Cohort);
        Assert.Null(gate.Standing("a", ordered)!.Week.Limit);
        for (int i = 0; i < 9000; i++)
            Assert.Null(gate.Admit("a", "glm-4.7", ApiSurface.Coding, ordered.AddMinutes(i)).Error);
        DateTimeOffset upgraded = ordered.AddMinutes(9000);
        gate.Apply("a", new SubscriptionDesk(Rules).Order(gate.Of("a"), "pro", PlanCycle.Month, "USD", upgraded).Quote!.Event);
        Assert.Equal((0L, upgraded + Rules.Week), (gate.Standing("a", upgraded)!.Week.Used, gate.Standing("a", upgraded)!.Week.ResetsAt));
        Assert.Equal(299 * 50_000, gate.Standing("a", upgraded)!.Window.Used);
    }

    [Fact]
    public void Usage_from_before_a_restart_counts_again()
    {
        PlanGate before = Subscribed("pro"), after = Subscribed("pro");
        var random = new Random(3);
        var log = new List<(DateTimeOffset At, long Units)>();
        DateTimeOffset now = Start;
        for (int i = 0; i < 3000; i++)
        {
            now = now.AddSeconds(random.Next(400));
            if (Call(before, now, random.Next(2) == 0 ? "glm-5.1" : "glm-4.7") is { IsPlan: true } call)
                log.Add((now, call.Receipt.Units));
        }

        foreach ((DateTimeOffset at, long units) in log.Where(entry => entry.At > now - Rules.Week))
            after.Restore("a", at, units, now);
        Assert.Equal(before.Standing("a", now)!.Window, after.Standing("a", now)!.Window);
        Assert.Equal(before.Standing("a", now)!.Week, after.Standing("a", now)!.Week);
    }

    [Fact]
    public void New_rules_count_for_the_next_call_and_keep_what_was_used()
    {
        PlanGate gate = Subscribed("lite");
        for (int i = 0; i < 1600; i++)
            Assert.Null(Call(gate, Start).Error);
        using var text = new StreamReader(typeof(PlanRules).Assembly.GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
        string yaml = text.ReadToEnd();
        gate.Rules = PlanRules.Parse(new StringReader(yaml.Replace("window_prompts: 80", "window_prompts: 81")), "x", "x");
        Assert.Null(Call(gate, Start).Error);
        Assert.Equal(1601 * 50_000, gate.Standing("a", Start)!.Window.Used);
        gate.Rules = PlanRules.Parse(new StringReader(yaml.Replace("window_hours: 5", "window_hours: 2")), "x", "x");
        Assert.Contains("2 hour", Call(gate, Start.AddHours(2).AddTicks(-1)).Error!.Message);
        Assert.Null(Call(gate, Start.AddHours(2)).Error);
    }

    /// <summary>The ring against a list of all uses, with releases, over many hours.</summary>
    [Fact]
    public void The_window_is_the_naive_one_and_never_above_its_limit()
    {
        var random = new Random(11);
        for (int run = 0; run < 30; run++)
        {
            var meter = new QuotaMeter(TimeSpan.FromHours(5));
            var naive = new List<(DateTimeOffset At, long Units, QuotaReceipt Receipt)>();
            long limit = random.Next(1, 500);
            DateTimeOffset now = Start;
            for (int step = 0; step < 3000; step++)
            {
                now = now.AddMilliseconds(random.Next(4) == 0 ? random.Next(600_000) : random.Next(1500));
                naive.RemoveAll(use => CeilingOfSecond(use.At) + TimeSpan.FromHours(5) <= now);
                long units = random.Next(1, 20);
                bool fits = naive.Sum(use => use.Units) + units <= limit;
                QuotaLimit result = meter.Take(now, units, limit, null, Start, TimeSpan.FromDays(7), out QuotaReceipt receipt, out DateTimeOffset resetsAt);
                Assert.Equal(fits ? QuotaLimit.None : QuotaLimit.Window, result);
                if (fits)
                    naive.Add((now, units, receipt));
                else if (units <= limit)
                    Assert.True(naive.Where(use => CeilingOfSecond(use.At) + TimeSpan.FromHours(5) > resetsAt).Sum(use => use.Units) + units <= limit && resetsAt > now);
                if (random.Next(10) == 0 && naive.Count > 0)
                {
                    int at = random.Next(naive.Count);
                    meter.Release(naive[at].Receipt);
                    naive.RemoveAt(at);
                }

                long used = meter.Window(now, limit).Used;
                Assert.Equal(naive.Sum(use => use.Units), used);
                Assert.InRange(used, 0, limit);
            }
        }

        static DateTimeOffset CeilingOfSecond(DateTimeOffset at) => new(RollingWindow.SecondOf(at) * TimeSpan.TicksPerSecond, TimeSpan.Zero);
    }

    [Fact]
    public async Task Simultaneous_calls_never_pass_the_limit()
    {
        PlanGate gate = Subscribed("lite");
        int made = 0;
        await Parallel.ForAsync(0, 4000, (_, _) =>
        {
            if (Call(gate, Start).IsPlan)
                Interlocked.Increment(ref made);
            return ValueTask.CompletedTask;
        });
        Assert.Equal(1600, made);
    }

    private static PlanDecision Call(PlanGate gate, DateTimeOffset at, string model = "glm-4.7") => gate.Admit("a", model, ApiSurface.Coding, at);

    private static PlanGate Subscribed(string plan)
    {
        var gate = new PlanGate(Rules);
        gate.Apply("a", Ordered(plan, Start));
        return gate;
    }

    private static SubscriptionEvent Ordered(string plan, DateTimeOffset at) =>
        new SubscriptionDesk(Rules).Order(Subscription.None, plan, PlanCycle.Month, "USD", at).Quote!.Event;
}
