using System.CommandLine;
using System.Globalization;
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
        Option<string> data = DataOption.Create();
        data.Recursive = true;
        Option<string?> account = new("--account") { Description = "Public id of the account; the machine's owner when not given.", Recursive = true };
        Argument<string> plan = new("PLAN") { Description = "lite, pro, max, or another one of `glimmer plans list`." };
        Option<string> reason = new("--reason") { Description = "Why, for the history.", DefaultValueFactory = _ => "" };

        Command list = new("list", "List what is sold and for how much.");
        list.SetAction(result => PlatformSession.RunAsync(Name, result.GetValue(data)!, session => Task.FromResult(List(session))));

        Command status = new("status", "Show an account's plan and what is used of it.");
        status.SetAction(result => On(result, (session, entry) => Task.FromResult(Status(session, entry))));
        Command history = new("history", "Show all that happened to an account's plan.");
        history.SetAction(result => On(result, HistoryAsync));

        Option<PlanCycle> cycle = new("--cycle") { Description = "month, quarter or year.", DefaultValueFactory = _ => PlanCycle.Month };
        Option<bool> once = new("--no-renew") { Description = "Do not renew at the end." };
        Command order = new("order", "Order a plan; it is paid from the account's credits, then its cash.") { plan, cycle, once };
        order.SetAction(result => On(result, (session, entry) => OrderAsync(session, entry, result.GetValue(plan)!, result.GetValue(cycle), !result.GetValue(once))));

        Command cancel = new("cancel", "End renewal; the plan stays until its end.");
        cancel.SetAction(result => On(result, async (session, entry) =>
            await session.Subscriptions.CancelAsync(entry.PublicId, Author) ? Status(session, entry) : Fail("renewal is not on.")));

        Option<int> months = new("--months") { Description = "Months, 1 to 120.", DefaultValueFactory = _ => 1 };
        months.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > 120)
                result.AddError("--months must be 1 to 120.");
        });
        Command grant = new("grant", "Give free months.") { plan, months, reason };
        grant.SetAction(result => On(result, async (session, entry) =>
        {
            if (session.Plans.Rules.Find(result.GetValue(plan)!) is not { } given)
                return Fail($"there is no plan {result.GetValue(plan)}; `glimmer plans list` shows them.");
            int count = result.GetValue(months);
            decimal value = (session.Plans.Rules.PriceOf(given.Code, PlanCycle.Month, session.Options.BillingCurrency.Code) ?? 0) * count;
            return await AddAsync(session, entry, new SubscriptionEvent(SubscriptionEventKind.Granted, Now)
            {
                Plan = given.Code,
                Months = count,
                Value = value,
                Currency = session.Options.BillingCurrency.Code,
                Reason = result.GetValue(reason),
            });
        }));

        Command strike = new("strike", "Note a breach of fair use: cuts the rate; the last one ends the plan.") { reason };
        strike.SetAction(result => On(result, (session, entry) => AddAsync(session, entry, new SubscriptionEvent(SubscriptionEventKind.Struck, Now) { Reason = result.GetValue(reason) })));
        Option<bool> reject = new("--reject") { Description = "Turn it down; without this it is accepted, and the strike is taken back." };
        Command appeal = new("appeal", "Decide an appeal against a strike.") { reason, reject };
        appeal.SetAction(result => On(result, (session, entry) => AddAsync(
            session, entry, new SubscriptionEvent(SubscriptionEventKind.AppealDecided, Now) { Accepted = !result.GetValue(reject), Reason = result.GetValue(reason) })));

        return new Command(Name, "Order, give, cancel and watch coding plans.") { data, account, list, status, history, order, cancel, grant, strike, appeal };

        Task<int> On(ParseResult result, Func<PlatformSession, AccountEntry, Task<int>> action) => PlatformSession.RunAsync(
            Name,
            result.GetValue(data)!,
            session => session.Account(result.GetValue(account)) is { } entry ? action(session, entry) : Task.FromResult(Fail($"there is no account {result.GetValue(account)}.")));
    }

    private const string Author = "command line";

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

    private static int Status(PlatformSession session, AccountEntry account)
    {
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

    private static async Task<int> HistoryAsync(PlatformSession session, AccountEntry account)
    {
        foreach ((SubscriptionEvent item, string author) in await session.Subscriptions.HistoryAsync(account.PublicId))
            Console.WriteLine($"{session.Plans.Rules.Calendar.Write(item.At)}  {author}  {item.ToJson()}");
        return 0;
    }

    private static async Task<int> OrderAsync(PlatformSession session, AccountEntry account, string plan, PlanCycle cycle, bool renew)
    {
        OrderResult result = await session.Subscriptions.OrderAsync(account.PublicId, plan, cycle, session.Options.BillingCurrency, Author, renew);
        if (result.Quote is not { } quote)
            return Fail(result.Error!.Message);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{quote.Kind}: price {quote.Price:0.00}, old plan's rest {quote.RestValue:0.00}, paid {quote.Due:0.00}, back as credits {quote.CreditBack:0.00} {session.Options.BillingCurrency.Code}"));
        return Status(session, account);
    }

    private static async Task<int> AddAsync(PlatformSession session, AccountEntry account, SubscriptionEvent item)
    {
        await session.Subscriptions.AddAsync(account.PublicId, item, Author);
        return Status(session, account);
    }

    private static int Fail(string problem)
    {
        Console.Error.WriteLine($"{Name}: {problem}");
        return 1;
    }
}
