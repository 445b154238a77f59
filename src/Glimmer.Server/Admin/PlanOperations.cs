using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>Coding plans: what is sold, and the plan of any account.</summary>
internal static class PlanOperations
{
    private static readonly string[] _cycles = ["month", "quarter", "year"];

    public static AdminOperation[] All { get; } =
    [
        new("GET", "/plans", "Lists what is sold and for how much.", call => Task.FromResult<Outcome<JsonNode?>>(Offers(call))),
        new("GET", "/accounts/{account}/plan", "Shows an account's plan and what is used of it.", async call => await StandingAsync(call)),
        new("GET", "/accounts/{account}/plan/history", "Lists all that happened to an account's plan, with who did it.", HistoryAsync),
        new("POST", "/accounts/{account}/plan/order", "Orders a plan, paid from the account's credits, then cash: plan, cycle, auto_renew.", OrderAsync),
        new("POST", "/accounts/{account}/plan/change", "Notes what is to begin with the next renewal, or takes that back: plan (null for none), cycle.", ChangeAsync),
        new("POST", "/accounts/{account}/plan/cancel", "Ends renewal; the plan stays until its end.", CancelAsync),
        new("POST", "/accounts/{account}/plan/renew", "Switches renewal on.", call => call.Platform.Plans.Of(call.Account.PublicId).End > call.Now
            ? AddAsync(call, "plan.renew", new SubscriptionEvent(SubscriptionEventKind.RenewalOn, call.Now))
            : Refused("The account has no plan that could renew", "该账户没有可续订的套餐")),
        new("POST", "/accounts/{account}/plan/grant", "Gives free months: plan, months, reason.", GrantAsync),
        new("POST", "/accounts/{account}/plan/discount", "Gives a personal discount: rate (0 to 1), until; rate 0 takes it back.", DiscountAsync),
        new("POST", "/accounts/{account}/plan/strike", "Notes a breach of fair use: reason.", async call =>
        {
            string? reason = call.Body.Text("reason", max: 500);
            return call.Error ?? await AddAsync(call, "plan.strike", new SubscriptionEvent(SubscriptionEventKind.Struck, call.Now) { Reason = reason });
        }),
        new("POST", "/accounts/{account}/plan/appeal", "Decides an appeal against a strike: accepted, reason.", async call =>
        {
            bool? accepted = call.Body.Flag("accepted");
            string? reason = call.Body.Text("reason", max: 500);
            if (call.Error is null && accepted is null)
                return PlatformError.Missing("accepted", "Send true or false");
            return call.Error ?? await AddAsync(call, "plan.appeal", new SubscriptionEvent(SubscriptionEventKind.AppealDecided, call.Now) { Accepted = accepted ?? false, Reason = reason });
        }),
    ];

    /// <summary>How an account's plan stands, over all nodes.</summary>
    public static async Task<JsonObject> StandingAsync(AdminCall call)
    {
        Subscription state = call.Platform.Plans.Of(call.Account.PublicId);
        DateTimeOffset now = call.Now;
        JsonObject json = Of(state, now);
        if (await call.Platform.Plans.StandingAsync(call.Account.PublicId, now, call.Cancel) is { } standing)
        {
            json["window"] = Quota(standing.Window, PlanRules.UnitsPerPrompt);
            json["week"] = Quota(standing.Week, PlanRules.UnitsPerPrompt);
            json["month"] = Quota(standing.Month, 1);
            json["in_flight"] = new JsonObject { ["used"] = call.Platform.InFlightOnPlan(call.Account.PublicId) + standing.InFlightElsewhere, ["limit"] = standing.Concurrency };
        }

        return json;
    }

    private static JsonObject Of(Subscription state, DateTimeOffset now) => new()
    {
        ["plan"] = state.TermAt(now)?.Plan,
        ["end"] = Ms(state.End),
        ["auto_renew"] = state.AutoRenew,
        ["next"] = state.Next is { } next ? new JsonObject { ["plan"] = next.Plan, ["cycle"] = Word(next.Cycle) } : null,
        ["discount"] = state.Discount is { } discount ? new JsonObject { ["rate"] = discount.Rate, ["until"] = Ms(discount.Until) } : null,
        ["strikes"] = state.Strikes,
        ["restricted_until"] = Ms(state.RestrictedUntil),
        ["banned"] = state.Banned,
        ["appeal_open"] = state.AppealOpen,
        ["terms"] = new JsonArray([.. state.Terms.Where(term => term.End > now).Select(term => new JsonObject
        {
            ["plan"] = term.Plan,
            ["cycle"] = Word(term.Cycle),
            ["start"] = Ms(term.Start),
            ["end"] = Ms(term.End),
            ["value"] = term.Value,
            ["granted"] = term.Granted,
            ["cohort"] = term.Cohort,
        })]),
    };

    private static JsonObject Quota(in QuotaStanding standing, int unit) => new()
    {
        ["used"] = (decimal)standing.Used / unit,
        ["limit"] = standing.Limit is { } limit ? (decimal)limit / unit : null,
        ["resets"] = Ms(standing.ResetsAt),
    };

    private static JsonObject Offers(AdminCall call)
    {
        PlanRules rules = call.Platform.Plans.Rules;
        string currency = call.Platform.Currency.Code;
        return new JsonObject
        {
            ["version"] = rules.Version,
            ["data"] = new JsonArray([.. rules.Plans.Select(plan =>
            {
                var json = new JsonObject
                {
                    ["plan"] = plan.Code,
                    ["window_prompts"] = plan.WindowUnits / PlanRules.UnitsPerPrompt,
                    ["week_prompts"] = plan.WeekUnits / PlanRules.UnitsPerPrompt,
                    ["tool_calls"] = plan.ToolCalls,
                    ["currency"] = currency,
                };
                foreach (PlanCycle cycle in Enum.GetValues<PlanCycle>())
                    json[Word(cycle)] = rules.PriceOf(plan.Code, cycle, currency);
                return json;
            })]),
        };
    }

    private static async Task<Outcome<JsonNode?>> HistoryAsync(AdminCall call)
    {
        IReadOnlyList<(SubscriptionEvent Event, string Author)> history = await call.Platform.Subscriptions.HistoryAsync(call.Account.PublicId, call.Cancel);
        return new JsonObject
        {
            ["data"] = new JsonArray([.. history.Select(item =>
            {
                JsonObject json = JsonNode.Parse(item.Event.ToJson())!.AsObject();
                json["author"] = item.Author;
                return json;
            })]),
        };
    }

    private static async Task<Outcome<JsonNode?>> OrderAsync(AdminCall call)
    {
        string? plan = call.Body.Text("plan", required: true, max: 100);
        PlanCycle cycle = Cycle(call.Body);
        bool renew = call.Body.Flag("auto_renew") ?? true;
        if (call.Error is { } error)
            return error;
        if (Closed(call) is { } closed)
            return closed;
        JsonObject before = State(call);
        OrderResult result = await call.Platform.Subscriptions.OrderAsync(call.Account.PublicId, plan!, cycle, call.Platform.Currency, call.Actor.Name, renew);
        if (result.Quote is not { } quote)
            return result.Error!;
        await call.AuditAsync("plan.order", call.Account.PublicId, before, State(call));
        JsonObject json = await StandingAsync(call);
        json["order"] = new JsonObject
        {
            ["kind"] = quote.Kind switch { OrderKind.New => "new", OrderKind.Queued => "queued", OrderKind.Upgrade => "upgrade", _ => "next_period" },
            ["currency"] = call.Platform.Currency.Code,
            ["list_price"] = quote.ListPrice,
            ["price"] = quote.Price,
            ["rest_value"] = quote.RestValue,
            ["paid"] = quote.Due,
            ["credit_back"] = quote.CreditBack,
        };
        return json;
    }

    private static async Task<Outcome<JsonNode?>> ChangeAsync(AdminCall call)
    {
        string? plan = call.Body.Text("plan", max: 100);
        PlanCycle cycle = Cycle(call.Body);
        if (call.Error is { } error)
            return error;
        if (plan is not null && Find(call, plan, cycle) is { } wrong)
            return wrong;
        if (!(call.Platform.Plans.Of(call.Account.PublicId).End > call.Now))
            return await Refused("The account has no plan that could change", "该账户没有可变更的套餐");
        return await AddAsync(call, "plan.change", new SubscriptionEvent(SubscriptionEventKind.ChangeScheduled, call.Now) { Plan = plan is null ? null : call.Platform.Plans.Rules.Find(plan)!.Code, Cycle = cycle });
    }

    private static async Task<Outcome<JsonNode?>> CancelAsync(AdminCall call)
    {
        JsonObject before = State(call);
        if (!await call.Platform.Subscriptions.CancelAsync(call.Account.PublicId, call.Actor.Name))
            return await Refused("Renewal is not on", "自动续订未开启");
        await call.AuditAsync("plan.cancel", call.Account.PublicId, before, State(call));
        return await StandingAsync(call);
    }

    private static async Task<Outcome<JsonNode?>> GrantAsync(AdminCall call)
    {
        string? plan = call.Body.Text("plan", required: true, max: 100);
        int months = (int)(call.Body.Whole("months", 1, 120) ?? 1);
        string? reason = call.Body.Text("reason", max: 500);
        if (call.Error is { } error)
            return error;
        if (Find(call, plan!, null) is { } wrong)
            return wrong;
        Plan given = call.Platform.Plans.Rules.Find(plan!)!;
        string currency = call.Platform.Currency.Code;
        return await AddAsync(call, "plan.grant", new SubscriptionEvent(SubscriptionEventKind.Granted, call.Now)
        {
            Plan = given.Code,
            Months = months,
            Value = (call.Platform.Plans.Rules.PriceOf(given.Code, PlanCycle.Month, currency) ?? 0) * months,
            Currency = currency,
            Reason = reason,
        });
    }

    private static async Task<Outcome<JsonNode?>> DiscountAsync(AdminCall call)
    {
        double? rate = call.Body.Number("rate", 0, 1);
        DateTimeOffset? until = call.Coming("until");
        if (call.Error is null && rate is null)
            return PlatformError.Missing("rate", "Send the part of the price that falls away, from 0 to 1");
        if (call.Error is null && rate > 0 && until is null)
            return PlatformError.Missing("until", "Send the instant at which the discount ends, in milliseconds since 1970");
        return call.Error ?? await AddAsync(call, "plan.discount", new SubscriptionEvent(SubscriptionEventKind.DiscountGiven, call.Now) { Rate = (decimal)rate!, Until = rate > 0 ? until : null });
    }

    private static async Task<Outcome<JsonNode?>> AddAsync(AdminCall call, string action, SubscriptionEvent item)
    {
        if (Closed(call) is { } closed)
            return closed;
        JsonObject before = State(call);
        await call.Platform.Subscriptions.AddAsync(call.Account.PublicId, item, call.Actor.Name);
        JsonObject after = State(call);
        if (item.Reason is { Length: > 0 } reason)
            after["reason"] = reason;
        await call.AuditAsync(action, call.Account.PublicId, before, after);
        return await StandingAsync(call);
    }

    private static JsonObject State(AdminCall call) => Of(call.Platform.Plans.Of(call.Account.PublicId), call.Now);

    private static PlatformError? Closed(AdminCall call) => call.Account.State == AccountState.Closed ? AdminErrors.Conflict("The account is closed", "账户已注销") : null;

    private static PlatformError? Find(AdminCall call, string plan, PlanCycle? cycle)
    {
        PlanRules rules = call.Platform.Plans.Rules;
        if (rules.Find(plan) is not { } known)
            return PlatformError.Invalid("plan", $"\"{plan}\" is not a plan", $"Use one of {string.Join(", ", rules.Plans.Select(each => each.Code))}");
        return cycle is { } wanted && rules.PriceOf(known.Code, wanted, call.Platform.Currency.Code) is null
            ? PlatformError.Invalid("cycle", $"{known.Code} is not sold for this cycle in {call.Platform.Currency.Code}", "Choose another cycle")
            : null;
    }

    private static Task<Outcome<JsonNode?>> Refused(string english, string chinese) => Task.FromResult<Outcome<JsonNode?>>(AdminErrors.Conflict(english, chinese));

    private static PlanCycle Cycle(FieldReader body) => body.Word("cycle", false, _cycles) switch { "quarter" => PlanCycle.Quarter, "year" => PlanCycle.Year, _ => PlanCycle.Month };

    private static string Word(PlanCycle cycle) => _cycles[(int)cycle];
}
