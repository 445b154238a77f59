using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Plans;

namespace Glimmer.Platform.Tests.Plans;

public sealed class PlanRulesTests
{
    private static readonly PlanRules Rules = PlanRules.Load();

    [Theory]
    [InlineData("lite", 80, 400, 100, 18, 48.60, 172.80)]
    [InlineData("pro", 400, 2000, 1000, 72, 194.40, 691.20)]
    [InlineData("max", 1600, 8000, 4000, 160, 432, 1536)]
    public void Plans_give_and_cost_what_is_published(string code, int window, int week, int tools, double month, double quarter, double year)
    {
        Plan plan = Rules.Find(code.ToUpperInvariant())!;
        Assert.Equal(((long)window * 1_000_000, (long)week * 1_000_000, tools), (plan.WindowUnits, plan.WeekUnits, plan.ToolCalls));
        Assert.Equal([(decimal)month, (decimal)quarter, (decimal)year], new[] { PlanCycle.Month, PlanCycle.Quarter, PlanCycle.Year }.Select(cycle => Rules.PriceOf(code, cycle, "USD")!.Value));
        Assert.Null(Rules.PriceOf(code, PlanCycle.Month, "CNY"));
        Assert.Subset(plan.Models.ToHashSet(), new HashSet<string> { "glm-5.1", "glm-5-turbo", "glm-4.7", "glm-4.5-air" });
        Assert.All(plan.Models, model => Assert.True(Catalogue.Load().Resolve(model)?.Plan));
    }

    // Local time is UTC+8. A call of factor 1 is 50000 millionths of a prompt.
    [Theory]
    [InlineData("2026-08-10T13:59:59.9999999+08:00", 2)]
    [InlineData("2026-08-10T14:00:00+08:00", 3)]
    [InlineData("2026-08-10T17:59:59.9999999+08:00", 3)]
    [InlineData("2026-08-10T18:00:00+08:00", 2)]
    [InlineData("2026-08-10T06:00:00Z", 3)]
    [InlineData("2026-08-10T10:00:00Z", 2)]
    [InlineData("2026-08-09T23:00:00-07:00", 3)]
    [InlineData("2026-03-29T14:00:00+08:00", 3)]
    [InlineData("2026-06-30T13:59:59+08:00", 1)]
    [InlineData("2026-06-30T14:00:00+08:00", 3)]
    [InlineData("2026-06-30T18:00:00+08:00", 1)]
    [InlineData("2026-06-30T23:59:59.9999999+08:00", 1)]
    [InlineData("2026-07-01T00:00:00+08:00", 2)]
    [InlineData("2026-06-30T16:00:00Z", 2)]
    [InlineData("2028-02-29T14:00:00+08:00", 3)]
    [InlineData("2026-12-31T23:59:59+08:00", 2)]
    public void Factors_follow_the_clock_of_the_plan(string at, int factor)
    {
        DateTimeOffset moment = DateTimeOffset.Parse(at, null);
        Assert.Equal(factor * 50_000, Rules.UnitsOf("glm-5.1", moment));
        Assert.Equal(factor * 50_000, Rules.UnitsOf("GLM-5-Turbo", moment));
        Assert.Equal(50_000, Rules.UnitsOf("glm-4.7", moment));
        Assert.Equal(50_000, Rules.UnitsOf("glm-4.5-air", moment));
        Assert.Equal(factor == 3, Rules.IsPeak(moment));
        Plan lite = Rules.Find("lite")!;
        Assert.Equal(factor == 3 ? lite.Concurrency : lite.OffPeakConcurrency, Rules.ConcurrencyOf(lite, moment));
    }

    [Fact]
    public void Both_readers_give_the_same_rules_for_the_built_in_file()
    {
        using var text = new StreamReader(typeof(PlanRules).Assembly.GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
        PlanRules other = PlanRules.Parse(text, "plans.yaml", "x");
        Assert.Equal(Rules.Prices, other.Prices);
        Assert.Equal((Rules.Invitation, Rules.InviteeDiscount, Rules.InviteePayableMinimum), (other.Invitation, other.InviteeDiscount, other.InviteePayableMinimum));
        Assert.Equal((new InvitationRules(), 0.05m, 0.50m), (Rules.Invitation, Rules.InviteeDiscount, Rules.InviteePayableMinimum));
        Assert.Equal(Rules.FairUse, other.FairUse);
        Assert.Equal(Rules.Cohorts, other.Cohorts);
        Assert.Equal(Rules.Plans.Select(plan => (plan.Code, plan.Rank, plan.WindowUnits, string.Join(' ', plan.Models.Order()))), other.Plans.Select(plan => (plan.Code, plan.Rank, plan.WindowUnits, string.Join(' ', plan.Models.Order()))));
        for (DateTimeOffset at = new(2026, 6, 29, 0, 0, 0, TimeSpan.Zero); at.Day != 3; at = at.AddMinutes(30))
            Assert.Equal(Rules.UnitsOf("glm-5.1", at), other.UnitsOf("glm-5.1", at));
    }

    [Fact]
    public void Calls_per_prompt_are_data_and_the_full_number_always_fits()
    {
        foreach (int calls in Enumerable.Range(1, 40))
        {
            PlanRules rules = Parse($"rules:\n  quota: {{ calls_per_prompt: {calls} }}\n{OnePlan}");
            Assert.InRange((long)rules.UnitsPerCall * calls, 0, PlanRules.UnitsPerPrompt);
            Assert.True((long)rules.UnitsPerCall * ((calls * 5) + 1) > 5L * PlanRules.UnitsPerPrompt);
        }
    }

    [Theory]
    [InlineData("plans: 5", 1, "mapping")]
    [InlineData("colours: []", 1, "colours")]
    [InlineData("prices: []", 1, "no plan")]
    [InlineData("plans:\n  a: { rank: 1 }", 2, "window_prompts is missing")]
    [InlineData("plans:\n  a: { rank: 1, colour: red }", 2, "colour")]
    [InlineData(OnePlan + "prices:\n  - { plan: b, cycle: month, currency: USD, amount: 1 }", 4, "not a plan")]
    [InlineData(OnePlan + "prices:\n  - { plan: a, cycle: month, currency: usd, amount: 1 }", 4, "capitals")]
    [InlineData(OnePlan + "prices:\n  - { plan: a, cycle: day, currency: USD, amount: 1 }", 4, "cycle")]
    [InlineData(OnePlan + "prices:\n  - { plan: a, cycle: month, currency: USD, amount: 1.005 }", 4, "two decimals")]
    [InlineData(OnePlan + "prices:\n  - { plan: a, cycle: month, currency: USD, amount: -1 }", 4, "amount")]
    [InlineData(OnePlan + "prices:\n  - { plan: a, cycle: month, currency: USD, amount: 1 }\n  - { plan: a, cycle: month, currency: USD, amount: 2 }", 5, "twice")]
    [InlineData(OnePlan + "factors:\n  - { models: [x], factor: 2, from: 14:00 }", 4, "to is missing")]
    [InlineData(OnePlan + "factors:\n  - { models: [x], factor: 2, from: 25:00, to: 26:00 }", 4, "14:00")]
    [InlineData(OnePlan + "factors:\n  - { models: [x], factor: 2, until: 2026-02-29 }", 4, "2026-07-01")]
    [InlineData(OnePlan + "factors:\n  - { models: [x], factor: 1001 }", 4, "factor")]
    [InlineData(OnePlan + "rules:\n  quota: { calls_per_prompt: 0 }", 4, "calls_per_prompt")]
    [InlineData(OnePlan + "rules:\n  quota: { speed: 0 }", 4, "speed")]
    [InlineData(OnePlan + "peak:\n  - { from: 14:00, to: 14:00 }", 4, "same time")]
    public void Faults_name_their_line(string text, int line, string part)
    {
        CatalogException fault = Assert.Throws<CatalogException>(() => Parse(text));
        Assert.Contains($"my.yaml, line {line}: ", fault.Message);
        Assert.Contains(part, fault.Message);
    }

    private const string OnePlan = "plans:\n  a: { rank: 1, window_prompts: 5, week_prompts: 20, tool_calls: 1, concurrency: 1, off_peak_concurrency: 2, surfaces: [coding], models: [glm-4.7] }\n";

    private static PlanRules Parse(string text) => PlanRules.Parse(new StringReader(text), "my.yaml", "test");
}
