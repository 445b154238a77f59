using System.Collections.Frozen;
using System.Reflection;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Catalog;

namespace Glimmer.Platform.Plans;

/// <summary>How long one payment of a plan lasts.</summary>
public enum PlanCycle
{
    /// <summary>One month.</summary>
    Month,

    /// <summary>Three months.</summary>
    Quarter,

    /// <summary>Twelve months.</summary>
    Year,
}

/// <summary>Which base address a call came by.</summary>
public enum ApiSurface
{
    /// <summary>The general base: charged to the balance.</summary>
    General,

    /// <summary>The coding base.</summary>
    Coding,

    /// <summary>The Anthropic base.</summary>
    Anthropic,
}

/// <summary>One plan.</summary>
/// <param name="Code">Its code: <c>pro</c>.</param>
/// <param name="Level">The word of the monitor API.</param>
/// <param name="Rank">Order of the tiers; a higher one is an upgrade.</param>
/// <param name="WindowUnits">Quota units of the rolling window (see <see cref="PlanRules.UnitsPerPrompt"/>).</param>
/// <param name="WeekUnits">Quota units of a week.</param>
/// <param name="ToolCalls">Calls of the remote tools per month.</param>
/// <param name="Concurrency">Requests in flight in peak hours.</param>
/// <param name="OffPeakConcurrency">Requests in flight at other times.</param>
/// <param name="Surfaces">Bases on which its quota counts.</param>
/// <param name="Models">Codes it may call, lower case.</param>
/// <param name="ToolModels">Codes that its vision tools call; they draw prompts like the others.</param>
public sealed record Plan(
    string Code,
    string Level,
    int Rank,
    long WindowUnits,
    long WeekUnits,
    int ToolCalls,
    int Concurrency,
    int OffPeakConcurrency,
    IReadOnlyList<ApiSurface> Surfaces,
    FrozenSet<string> Models,
    FrozenSet<string> ToolModels);

/// <summary>What a cycle of a plan costs.</summary>
public readonly record struct PlanPrice(string Plan, PlanCycle Cycle, string Currency, decimal Amount);

/// <summary>Subscribers of an earlier generation of plans.</summary>
/// <param name="Name">Its name.</param>
/// <param name="OrderedBefore">Orders before this moment belong to it.</param>
/// <param name="WeekLimit">Whether the week is limited.</param>
/// <param name="AutoRenewEnds">When renewal stops and the free months are given.</param>
/// <param name="FreeMonths">How many.</param>
/// <param name="Discount">Part of the price that falls away for current plans afterwards.</param>
/// <param name="DiscountMonths">Months after the end of the legacy term in which it does.</param>
public sealed record PlanCohort(
    string Name, DateTimeOffset OrderedBefore, bool WeekLimit, DateTimeOffset AutoRenewEnds, int FreeMonths, decimal Discount, int DiscountMonths);

/// <summary>Rules of fair use.</summary>
public sealed record FairUseRules(int StrikesToBan, TimeSpan Restriction, int CallsPerMinute);

/// <summary>
/// Everything the plan engine follows: plans, prices, windows, factors, cohorts. Read from <c>plans.yaml</c>; immutable.
/// </summary>
public sealed class PlanRules
{
    /// <summary>Quota units of one prompt: windows count millionths of a prompt.</summary>
    public const int UnitsPerPrompt = 1_000_000;

    /// <summary>Name of the file in the data folder that replaces the built-in plans.</summary>
    public const string FileName = "plans.yaml";

    private readonly Dictionary<string, Plan> _plans;
    private readonly FrozenDictionary<string, PlanFactor[]> _factors;

    internal PlanRules(PlanDraft draft)
    {
        Version = draft.Version;
        Calendar = new PlanCalendar(draft.Offset);
        Window = draft.Window;
        Week = draft.Week;
        CallsPerPrompt = draft.CallsPerPrompt;
        CancelNotice = draft.CancelNotice;
        CardMinimum = draft.CardMinimum;
        RenewalLead = draft.RenewalLead;
        RenewalRetry = draft.RenewalRetry;
        RenewalRetries = draft.RenewalRetries;
        OffsetGrantedMonths = draft.OffsetGrantedMonths;
        BalanceWithoutPlan = draft.BalanceWithoutPlan;
        FairUse = draft.FairUse;
        Invitation = draft.Invitation;
        InviteeDiscount = draft.InviteeDiscount;
        InviteePayableMinimum = draft.InviteePayableMinimum;
        Prices = draft.Prices;
        Cohorts = draft.Cohorts;
        Peak = draft.Peak;
        Plans = draft.Plans;
        _plans = draft.Plans.ToDictionary(plan => plan.Code, StringComparer.OrdinalIgnoreCase);
        _factors = draft.Factors.SelectMany(factor => factor.Models).Distinct(StringComparer.Ordinal)
            .ToFrozenDictionary(model => model, model => draft.Factors.Where(factor => factor.Models.Contains(model)).ToArray(), StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Names this text in ledger rows: the version's name, or a digest of the built-in file.</summary>
    public string Version { get; }

    /// <summary>Dates of terms and times of day.</summary>
    public PlanCalendar Calendar { get; }

    /// <summary>Length of the rolling window.</summary>
    public TimeSpan Window { get; }

    /// <summary>Length of the week from the order's time on.</summary>
    public TimeSpan Week { get; }

    /// <summary>Calls that count as one prompt when their factor is 1.</summary>
    public int CallsPerPrompt { get; }

    /// <summary>How long before a bill cancelling still stops it.</summary>
    public TimeSpan CancelNotice { get; }

    /// <summary>Least amount a card is charged.</summary>
    public decimal CardMinimum { get; }

    /// <summary>How long before the end of a plan it is renewed.</summary>
    public TimeSpan RenewalLead { get; }

    /// <summary>How long after a failed renewal it is tried again.</summary>
    public TimeSpan RenewalRetry { get; }

    /// <summary>How often it is tried again.</summary>
    public int RenewalRetries { get; }

    /// <summary>Whether free months in hand count when an upgrade ends them.</summary>
    public bool OffsetGrantedMonths { get; }

    /// <summary>Whether accounts that never had a plan are charged on the plan's bases; otherwise they are refused (1113).</summary>
    public bool BalanceWithoutPlan { get; }

    /// <summary>Fair use.</summary>
    public FairUseRules FairUse { get; }

    /// <summary>What invitations earn.</summary>
    public InvitationRules Invitation { get; }

    /// <summary>Part of the price that falls away for an invited account's first order.</summary>
    public decimal InviteeDiscount { get; }

    /// <summary>Least amount that is left of it.</summary>
    public decimal InviteePayableMinimum { get; }

    /// <summary>All plans in the file's order.</summary>
    public IReadOnlyList<Plan> Plans { get; }

    /// <summary>List prices.</summary>
    public IReadOnlyList<PlanPrice> Prices { get; }

    /// <summary>Earlier generations.</summary>
    public IReadOnlyList<PlanCohort> Cohorts { get; }

    internal IReadOnlyList<DayHours> Peak { get; }

    /// <summary>Quota units of one call whose factor is 1; rounded down, so that the full number of calls fits a prompt.</summary>
    public int UnitsPerCall => UnitsPerPrompt / CallsPerPrompt;

    /// <summary>The plan of a code in any case; null when there is none.</summary>
    public Plan? Find(string code) => _plans.GetValueOrDefault(code);

    /// <summary>The list price of a cycle; null when it is not sold in that currency.</summary>
    public decimal? PriceOf(string plan, PlanCycle cycle, string currency)
    {
        foreach (PlanPrice price in Prices)
        {
            if (price.Cycle == cycle && price.Plan == plan && price.Currency == currency)
                return price.Amount;
        }

        return null;
    }

    /// <summary>Quota units that a call of a model costs at a moment. Allocates nothing.</summary>
    public int UnitsOf(string model, DateTimeOffset at)
    {
        if (!_factors.TryGetValue(model, out PlanFactor[]? factors))
            return UnitsPerCall;
        DateTime local = Calendar.Local(at);
        foreach (PlanFactor factor in factors)
        {
            if (factor.Covers(local))
                return factor.Units;
        }

        return UnitsPerCall;
    }

    /// <summary>Whether a moment lies in peak hours.</summary>
    public bool IsPeak(DateTimeOffset at)
    {
        var time = TimeOnly.FromDateTime(Calendar.Local(at));
        foreach (DayHours hours in Peak)
        {
            if (hours.Covers(time))
                return true;
        }

        return false;
    }

    /// <summary>Requests that a plan may have in flight at a moment.</summary>
    public int ConcurrencyOf(Plan plan, DateTimeOffset at)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return IsPeak(at) ? plan.Concurrency : plan.OffPeakConcurrency;
    }

    /// <summary>Months of a cycle.</summary>
    public static int MonthsOf(PlanCycle cycle) => cycle switch { PlanCycle.Month => 1, PlanCycle.Quarter => 3, _ => 12 };

    /// <summary>The built-in plans, or those of a file when it exists.</summary>
    /// <exception cref="CatalogException">The file is wrong; the message names file and line.</exception>
    public static PlanRules Load(string? path = null)
    {
        if (path is null || !File.Exists(path))
        {
            using var builtIn = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
            const string Name = "built-in plans";
            return new PlanFile(Name).Read(LineForm.Read(builtIn, Name), "built-in");
        }

        try
        {
            using var text = new StreamReader(path);
            return Parse(text, path, "file");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new CatalogException($"The plans {path} cannot be read: {fault.Message}", fault);
        }
    }

    /// <summary>Parses a text.</summary>
    /// <param name="text">YAML.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="version">Name of the version.</param>
    /// <exception cref="CatalogException">The text is wrong.</exception>
    public static PlanRules Parse(TextReader text, string name, string version) =>
        new PlanFile(name).Read(CatalogText.Read(text, name) ?? throw new CatalogException(name, 1, "it is empty; it needs plans."), version);
}

/// <summary>Hours of a day; the end is excluded, and may lie past midnight.</summary>
internal readonly record struct DayHours(TimeOnly From, TimeOnly To)
{
    public bool Covers(TimeOnly time) => From < To ? time >= From && time < To : time >= From || time < To;
}

/// <summary>What calls of some models count at some times.</summary>
internal sealed record PlanFactor(string[] Models, int Units, DayHours? Hours, DateTime? Since, DateTime? Until)
{
    public bool Covers(DateTime local) =>
        !(local < Since) && !(local >= Until) && (Hours is not { } hours || hours.Covers(TimeOnly.FromDateTime(local)));
}
