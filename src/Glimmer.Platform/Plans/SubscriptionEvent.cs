using System.Text.Json;
using System.Text.Json.Serialization;

namespace Glimmer.Platform.Plans;

/// <summary>What can happen to a subscription.</summary>
public enum SubscriptionEventKind
{
    /// <summary>A term was bought: it begins at once, or behind those that are paid.</summary>
    Ordered,

    /// <summary>A higher tier was bought: all terms end and the new one begins.</summary>
    Upgraded,

    /// <summary>Renewal was paid.</summary>
    Renewed,

    /// <summary>Renewal could not be paid.</summary>
    RenewalFailed,

    /// <summary>Renewal was switched on.</summary>
    RenewalOn,

    /// <summary>Renewal was cancelled by its owner; <see cref="SubscriptionEvent.Late"/> lets one more bill pass.</summary>
    Cancelled,

    /// <summary>Renewal was ended by the platform.</summary>
    RenewalEnded,

    /// <summary>Another plan or cycle is to begin with the next renewal; without a plan the change is taken back.</summary>
    ChangeScheduled,

    /// <summary>Free months were given.</summary>
    Granted,

    /// <summary>A personal discount was given.</summary>
    DiscountGiven,

    /// <summary>Fair use was violated.</summary>
    Struck,

    /// <summary>The owner asks for release.</summary>
    Appealed,

    /// <summary>The appeal was decided.</summary>
    AppealDecided,
}

/// <summary>One fact about a subscription. The sum of its facts is the subscription; nothing else is stored.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="At">When.</param>
public sealed record SubscriptionEvent(SubscriptionEventKind Kind, DateTimeOffset At)
{
    /// <summary>The plan's code.</summary>
    public string? Plan { get; init; }

    /// <summary>The cycle.</summary>
    public PlanCycle Cycle { get; init; }

    /// <summary>Months of the term.</summary>
    public int Months { get; init; }

    /// <summary>What the term is worth when it is pro-rated: its price, or the list price of free months.</summary>
    public decimal Value { get; init; }

    /// <summary>Currency of <see cref="Value"/>.</summary>
    public string? Currency { get; init; }

    /// <summary>Whether renewal is on, for orders and upgrades.</summary>
    public bool AutoRenew { get; init; }

    /// <summary>Generation of the term; null for the current one.</summary>
    public string? Cohort { get; init; }

    /// <summary>Part of the price that falls away.</summary>
    public decimal Rate { get; init; }

    /// <summary>Until when the discount holds.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>Whether a cancellation came after its notice.</summary>
    public bool Late { get; init; }

    /// <summary>How the appeal was decided.</summary>
    public bool Accepted { get; init; }

    /// <summary>For people: the reason of a strike, an appeal or a decision.</summary>
    public string? Reason { get; init; }

    /// <summary>As one line of JSON.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, SubscriptionJson.Default.SubscriptionEvent);

    /// <summary>From its line of JSON.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static SubscriptionEvent FromJson(string text) =>
        JsonSerializer.Deserialize(text, SubscriptionJson.Default.SubscriptionEvent) ?? throw new JsonException("An event must be an object.");
}

[JsonSourceGenerationOptions(UseStringEnumConverter = true, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SubscriptionEvent))]
internal sealed partial class SubscriptionJson : JsonSerializerContext;
