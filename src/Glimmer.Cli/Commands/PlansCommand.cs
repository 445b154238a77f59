using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Glimmer.Cli.Hosting;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Plans;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer plans</c>: coding plans of accounts. A running server follows within a second.</summary>
internal static class PlansCommand
{
    private const string Name = "plans";

    public static Command Create()
    {
        AdminField plan = AdminField.Argument("plan", "PLAN", "lite, pro, max, or another one of `glimmer plans list`.");
        AdminField cycle = AdminField.Text("--cycle", "cycle", "month, quarter or year; month when not given.");
        AdminField reason = AdminField.Text("--reason", "reason", "Why, for the history.");
        const string Plan = "/accounts/{account}/plan";
        return new AdminFamily(Name, "Order, give, change, cancel and watch coding plans.", ofAccount: true)
            .Leaf("list", "List what is sold and for how much.", "GET /plans", [], answer => List(answer.Session))
            .Leaf("status", "Show an account's plan and what is used of it.", "GET " + Plan, [], Status)
            .Leaf("history", "Show all that happened to an account's plan.", "GET " + Plan + "/history", [], History)
            .Leaf("order", "Order a plan; it is paid from the account's credits, then its cash.", "POST " + Plan + "/order",
                [plan, cycle, AdminField.Flag("--no-renew", "auto_renew", "Do not renew at the end.", value: false)], Ordered)
            .Leaf("change", "Note what is to begin with the next renewal.", "POST " + Plan + "/change", [plan, cycle], Status)
            .Leaf("keep", "Take a noted change back.", "POST " + Plan + "/change", [], Status)
            .Leaf("cancel", "End renewal; the plan stays until its end.", "POST " + Plan + "/cancel", [], Status)
            .Leaf("renew", "Switch renewal on.", "POST " + Plan + "/renew", [], Status)
            .Leaf("grant", "Give free months.", "POST " + Plan + "/grant", [plan, AdminField.Whole("--months", "months", "Months, 1 to 120.", least: 1, most: 120), reason], Status)
            .Leaf("discount", "Give a personal discount; rate 0 takes it back.", "POST " + Plan + "/discount",
                [AdminField.Argument("rate", "RATE", "Part of the price that falls away, 0 to 1."), AdminField.Instant("--until", "until", "When it ends.")], Status)
            .Leaf("strike", "Note a breach of fair use: cuts the rate; the last one ends the plan.", "POST " + Plan + "/strike", [reason], Status)
            .Leaf("appeal", "Decide an appeal against a strike.", "POST " + Plan + "/appeal",
                [reason, AdminField.Flag("--reject", "accepted", "Turn it down; without this it is accepted, and the strike is taken back.", value: false, otherwise: true)], Status)
            .Command;
    }

    private static DateTimeOffset Now => TimeProvider.System.GetUtcNow();

    private static int List(PlatformSession session)
    {
        PlanRules rules = session.Plans.Rules;
        string currency = session.Options.BillingCurrency.Code;
        foreach (Plan plan in rules.Plans)
        {
            IEnumerable<string> prices = Enum.GetValues<PlanCycle>().Select(cycle => (cycle, Price: rules.PriceOf(plan.Code, cycle, currency)))
                .Where(item => item.Price is not null).Select(item => string.Create(CultureInfo.InvariantCulture, $"{item.cycle.ToString().ToLowerInvariant()} {item.Price:0.00} {currency}"));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{plan.Code,-6}  {plan.WindowUnits / PlanRules.UnitsPerPrompt} prompts per {rules.Window.TotalHours:0} h, {plan.WeekUnits / PlanRules.UnitsPerPrompt} a week, {plan.ToolCalls} tool calls a month  {string.Join(", ", prices)}"));
        }

        return 0;
    }

    private static int Status(AdminAnswer answer)
    {
        (PlatformSession session, AccountEntry account, _) = answer;
        Subscription subscription = session.Plans.Of(account.PublicId);
        PlanCalendar calendar = session.Plans.Rules.Calendar;
        if (subscription.Terms.IsEmpty)
        {
            Console.WriteLine($"{account.PublicId} never had a plan.");
            return 0;
        }

        foreach (PlanTerm term in subscription.Terms.Where(term => term.End > Now))
            Console.WriteLine($"{term.Plan,-6}  {calendar.Write(term.Start)} to {calendar.Write(term.End)}{(term.Granted ? "  free" : "")}{(term.Cohort is { } cohort ? "  " + cohort : "")}");
        Console.WriteLine($"renewal {(subscription.AutoRenew ? "on" : "off")}, strikes {subscription.Strikes}{(subscription.Banned ? ", benefits ended" : "")}");
        if (session.Plans.Standing(account.PublicId, Now) is { } standing)
        {
            Show("window", standing.Window, PlanRules.UnitsPerPrompt, "prompts");
            Show("week", standing.Week, PlanRules.UnitsPerPrompt, "prompts");
            Show("month", standing.Month, 1, "tool calls");
        }

        return 0;

        void Show(string what, QuotaStanding standing, int unit, string of) => Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{what,-6}  {(decimal)standing.Used / unit:0.##} of {(standing.Limit is { } limit ? (limit / unit).ToString(CultureInfo.InvariantCulture) : "any")} {of}{(standing.ResetsAt is { } at ? ", resets " + calendar.Write(at) : "")}"));
    }

    private static int History(AdminAnswer answer)
    {
        foreach (JsonNode? line in answer.Json["data"]!.AsArray())
        {
            JsonObject item = line!.AsObject();
            string author = item["author"]!.GetValue<string>();
            item.Remove("author");
            Console.WriteLine($"{answer.Session.Plans.Rules.Calendar.Write(item["at"]!.GetValue<DateTimeOffset>())}  {author}  {item.ToJsonString()}");
        }

        return 0;
    }

    private static int Ordered(AdminAnswer answer)
    {
        JsonNode order = answer.Json["order"]!;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{order["kind"]}: price {Amount("price"):0.00}, old plan's rest {Amount("rest_value"):0.00}, paid {Amount("paid"):0.00}, back as credits {Amount("credit_back"):0.00} {order["currency"]}"));
        return Status(answer);

        decimal Amount(string name) => order[name]!.GetValue<decimal>();
    }
}
