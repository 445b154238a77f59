using System.Collections.Frozen;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;
using Glimmer.Shared.Yaml;

namespace Glimmer.Platform.Plans;

/// <summary>What the file said so far.</summary>
internal sealed class PlanDraft
{
    public string Version { get; set; } = "";

    public TimeSpan Offset { get; set; } = TimeSpan.FromHours(8);

    public TimeSpan Window { get; set; } = TimeSpan.FromHours(5);

    public TimeSpan Week { get; set; } = TimeSpan.FromDays(7);

    public int CallsPerPrompt { get; set; } = 20;

    public TimeSpan CancelNotice { get; set; } = TimeSpan.FromHours(24);

    public decimal CardMinimum { get; set; }

    public TimeSpan RenewalLead { get; set; }

    public TimeSpan RenewalRetry { get; set; } = TimeSpan.FromHours(24);

    public int RenewalRetries { get; set; }

    public bool OffsetGrantedMonths { get; set; } = true;

    public bool BalanceWithoutPlan { get; set; }

    public FairUseRules FairUse { get; set; } = new(3, TimeSpan.FromDays(7), 2);

    public InvitationRules Invitation { get; set; } = new();

    public decimal InviteeDiscount { get; set; }

    public decimal InviteePayableMinimum { get; set; }

    public List<Plan> Plans { get; } = [];

    public List<PlanPrice> Prices { get; } = [];

    public List<PlanFactor> Factors { get; } = [];

    public List<PlanCohort> Cohorts { get; } = [];

    public List<DayHours> Peak { get; } = [];
}

/// <summary>Reads a file of plans.</summary>
internal sealed class PlanFile(string file)
{
    private static readonly Dictionary<string, PlanCycle> Cycles = new(StringComparer.Ordinal)
    {
        ["month"] = PlanCycle.Month,
        ["quarter"] = PlanCycle.Quarter,
        ["year"] = PlanCycle.Year,
    };

    private static readonly Dictionary<string, ApiSurface> Surfaces = new(StringComparer.Ordinal)
    {
        ["general"] = ApiSurface.General,
        ["coding"] = ApiSurface.Coding,
        ["anthropic"] = ApiSurface.Anthropic,
    };

    private static readonly Dictionary<string, bool> WithoutPlan = new(StringComparer.Ordinal) { ["balance"] = true, ["refuse"] = false };

    private readonly YamlFields _fields = new(file);

    public PlanRules Read(YamlTree root, string version)
    {
        var draft = new PlanDraft { Version = version };
        List<(string Key, YamlTree Value)> sections = _fields.Members(root, "the plans");

        // The rules first, wherever they stand: prompts become units by them, days become moments.
        foreach ((string key, YamlTree value) in sections)
        {
            if (key == "rules")
                ReadRules(draft, value);
            else if (key is not ("plans" or "peak" or "prices" or "factors" or "cohorts"))
                throw _fields.At(value, $"\"{key}\" is not known here; use rules, plans, peak, prices, factors or cohorts.");
        }

        foreach ((string key, YamlTree value) in sections)
        {
            if (key == "plans")
            {
                foreach ((string code, YamlTree plan) in _fields.Members(value, key))
                    draft.Plans.Add(ReadPlan(draft, code.ToLowerInvariant(), plan));
            }
        }

        foreach ((string key, YamlTree value) in sections)
        {
            if (key is "rules" or "plans")
                continue;
            foreach (YamlTree item in _fields.Items(value, key))
                ReadItem(draft, key, item);
        }

        return draft.Plans.Count == 0 ? throw _fields.At(root, "there is no plan; add one under plans.") : new PlanRules(draft);
    }

    private void ReadItem(PlanDraft draft, string section, YamlTree item)
    {
        Dictionary<string, YamlTree> values = _fields.Members(item, $"an entry of {section}").ToDictionary(member => member.Key, member => member.Value, StringComparer.Ordinal);
        switch (section)
        {
            case "peak":
                Only(values, section, "from", "to");
                draft.Peak.Add(Hours(values, item)!.Value);
                break;
            case "prices":
                Only(values, section, "plan", "cycle", "currency", "amount");
                draft.Prices.Add(ReadPrice(draft, values, item));
                break;
            case "factors":
                Only(values, section, "models", "from", "to", "since", "until", "factor");
                draft.Factors.Add(new PlanFactor(
                    _fields.Words(Need(values, item, "models"), "models"),
                    (int)(_fields.Exact(Need(values, item, "factor"), "factor", 1000) * PlanRules.UnitsPerPrompt / draft.CallsPerPrompt),
                    values.ContainsKey("from") || values.ContainsKey("to") ? Hours(values, item) : null,
                    values.TryGetValue("since", out YamlTree? since) ? _fields.Day(since, "since").ToDateTime(TimeOnly.MinValue) : null,
                    values.TryGetValue("until", out YamlTree? until) ? _fields.Day(until, "until").ToDateTime(TimeOnly.MinValue) : null));
                break;
            default:
                Only(values, section, "name", "ordered_before", "week_limit", "auto_renew_ends", "free_months", "discount", "discount_months");
                var calendar = new PlanCalendar(draft.Offset);
                draft.Cohorts.Add(new PlanCohort(
                    _fields.Text(Need(values, item, "name")),
                    calendar.StartOf(_fields.Day(Need(values, item, "ordered_before"), "ordered_before")),
                    _fields.Flag(Need(values, item, "week_limit"), "week_limit"),
                    calendar.StartOf(_fields.Day(Need(values, item, "auto_renew_ends"), "auto_renew_ends")),
                    (int)_fields.Whole(Need(values, item, "free_months"), "free_months", 0, 120),
                    _fields.Exact(Need(values, item, "discount"), "discount", 1),
                    (int)_fields.Whole(Need(values, item, "discount_months"), "discount_months", 0, 120)));
                break;
        }
    }

    private PlanPrice ReadPrice(PlanDraft draft, Dictionary<string, YamlTree> values, YamlTree item)
    {
        string plan = _fields.Text(Need(values, item, "plan")).ToLowerInvariant();
        if (!draft.Plans.Exists(known => known.Code == plan))
            throw _fields.At(item, $"plan: \"{plan}\" is not a plan of this file.");
        string currency = _fields.Text(Need(values, item, "currency"));
        if (currency.Length != 3 || !currency.All(char.IsAsciiLetterUpper))
            throw _fields.At(item, $"currency must be three capitals such as USD, not \"{currency}\".");
        PlanCycle cycle = _fields.OneOf(Need(values, item, "cycle"), "cycle", Cycles);
        if (draft.Prices.Exists(price => price.Plan == plan && price.Cycle == cycle && price.Currency == currency))
            throw _fields.At(item, $"the price of {plan} for this cycle in {currency} comes twice.");
        YamlTree amount = Need(values, item, "amount");
        decimal money = _fields.Exact(amount, "amount", 1_000_000);
        return decimal.Round(money, 2) == money
            ? new PlanPrice(plan, cycle, currency, money)
            : throw _fields.At(amount, $"amount must have at most two decimals, not \"{amount.Scalar}\".");
    }

    private Plan ReadPlan(PlanDraft draft, string code, YamlTree item)
    {
        Dictionary<string, YamlTree> values = _fields.Members(item, $"the plan {code}").ToDictionary(member => member.Key, member => member.Value, StringComparer.Ordinal);
        Only(values, "plans", "level", "rank", "window_prompts", "week_prompts", "tool_calls", "concurrency", "off_peak_concurrency", "surfaces", "models", "tool_models");
        if (draft.Plans.Exists(known => known.Code == code))
            throw _fields.At(item, $"the plan {code} comes twice.");
        return new Plan(
            code,
            values.TryGetValue("level", out YamlTree? level) ? _fields.Text(level) : code,
            (int)Whole("rank", 0, 1000),
            Whole("window_prompts", 1, 1_000_000_000) * PlanRules.UnitsPerPrompt,
            Whole("week_prompts", 1, 1_000_000_000) * PlanRules.UnitsPerPrompt,
            (int)Whole("tool_calls", 0, 1_000_000_000),
            (int)Whole("concurrency", 1, 100_000),
            (int)Whole("off_peak_concurrency", 1, 100_000),
            [.. _fields.Items(Need(values, item, "surfaces"), "surfaces").Select(word => _fields.OneOf(word, "surfaces", Surfaces))],
            _fields.Words(Need(values, item, "models"), "models").ToFrozenSet(StringComparer.OrdinalIgnoreCase),
            values.TryGetValue("tool_models", out YamlTree? tools) ? _fields.Words(tools, "tool_models").ToFrozenSet(StringComparer.OrdinalIgnoreCase) : []);

        long Whole(string key, long min, long max) => _fields.Whole(Need(values, item, key), key, min, max);
    }

    private void ReadRules(PlanDraft draft, YamlTree tree)
    {
        foreach ((string group, YamlTree item) in _fields.Members(tree, "rules"))
        {
            foreach ((string key, YamlTree value) in _fields.Members(item, group))
            {
                FairUseRules fair = draft.FairUse;
                InvitationRules invite = draft.Invitation;
                switch (group, key)
                {
                    case ("quota", "calls_per_prompt"): draft.CallsPerPrompt = (int)_fields.Whole(value, key, 1, 1000); break;
                    case ("quota", "window_hours"): draft.Window = Hours(value, key, 1, 168); break;
                    case ("quota", "week_days"): draft.Week = TimeSpan.FromDays(_fields.Whole(value, key, 1, 366)); break;
                    case ("quota", "utc_offset_hours"): draft.Offset = Hours(value, key, 0, 14); break;
                    case ("renewal", "cancel_notice_hours"): draft.CancelNotice = Hours(value, key, 0, 720); break;
                    case ("renewal", "card_minimum"): draft.CardMinimum = _fields.Exact(value, key, 1000); break;
                    case ("renewal", "retry_hours"): draft.RenewalRetry = Hours(value, key, 1, 720); break;
                    case ("renewal", "lead_minutes"): draft.RenewalLead = TimeSpan.FromMinutes(_fields.Whole(value, key, 0, 1440)); break;
                    case ("renewal", "retries"): draft.RenewalRetries = (int)_fields.Whole(value, key, 0, 30); break;
                    case ("upgrade", "offset_granted_months"): draft.OffsetGrantedMonths = _fields.Flag(value, key); break;
                    case ("no_plan", "on_plan_bases"): draft.BalanceWithoutPlan = _fields.OneOf(value, key, WithoutPlan); break;
                    case ("fair_use", "strikes_to_ban"): draft.FairUse = fair with { StrikesToBan = (int)_fields.Whole(value, key, 1, 1000) }; break;
                    case ("fair_use", "restrict_days"): draft.FairUse = fair with { Restriction = TimeSpan.FromDays(_fields.Whole(value, key, 0, 3660)) }; break;
                    case ("fair_use", "calls_per_minute"): draft.FairUse = fair with { CallsPerMinute = (int)_fields.Whole(value, key, 1, 1_000_000) }; break;
                    case ("invitation", "invitee_discount"): draft.InviteeDiscount = _fields.Exact(value, key, 1); break;
                    case ("invitation", "payable_minimum"): draft.InviteePayableMinimum = _fields.Exact(value, key, 1000); break;
                    case ("invitation", "first_payment_hours"): draft.Invitation = invite with { Attribution = Hours(value, key, 0, 8784) }; break;
                    case ("invitation", "inviter_rate"): draft.Invitation = invite with { ShareThousandths = Thousandths(value, key) }; break;
                    case ("invitation", "threshold"): draft.Invitation = invite with { Threshold = (int)_fields.Whole(value, key, 1, 1_000_000) }; break;
                    case ("invitation", "round"): draft.Invitation = invite with { Round = (int)_fields.Whole(value, key, 1, 1_000_000) }; break;
                    case ("invitation", "round_rate"): draft.Invitation = invite with { RoundThousandths = Thousandths(value, key) }; break;
                    case ("invitation", "issue_hours"): draft.Invitation = invite with { Review = Hours(value, key, 0, 8784) }; break;
                    default: throw _fields.At(value, $"\"{key}\" is not known in {group}.");
                }
            }
        }
    }

    private DayHours? Hours(Dictionary<string, YamlTree> values, YamlTree item)
    {
        TimeOnly from = _fields.TimeOfDay(Need(values, item, "from"), "from");
        TimeOnly to = _fields.TimeOfDay(Need(values, item, "to"), "to");
        return from == to ? throw _fields.At(item, "from and to are the same time; leave both out for the whole day.") : new DayHours(from, to);
    }

    private TimeSpan Hours(YamlTree value, string key, int min, int max) => TimeSpan.FromHours(_fields.Whole(value, key, min, max));

    private int Thousandths(YamlTree value, string key)
    {
        decimal parts = _fields.Exact(value, key, 1) * 1000;
        return parts == decimal.Truncate(parts) ? (int)parts : throw _fields.At(value, $"{key} must have at most three decimals, not \"{value.Scalar}\".");
    }

    private YamlTree Need(Dictionary<string, YamlTree> values, YamlTree item, string key) =>
        values.TryGetValue(key, out YamlTree? value) ? value : throw _fields.At(item, $"{key} is missing.");

    private void Only(Dictionary<string, YamlTree> values, string section, params ReadOnlySpan<string> known)
    {
        foreach ((string key, YamlTree value) in values)
        {
            if (!known.Contains(key))
                throw _fields.At(value, $"\"{key}\" is not known in {section}; use {string.Join(", ", known.ToArray())}.");
        }
    }
}
