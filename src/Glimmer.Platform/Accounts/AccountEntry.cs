using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>Whether an account may call. The numbers are the business codes that refuse it (spec: api.md §4.3).</summary>
public enum AccountState
{
    /// <summary>It may call.</summary>
    Active = 0,

    /// <summary>Not yet, or no longer, in use: for example its e-mail address is not confirmed (1110).</summary>
    Inactive = 1110,

    /// <summary>Closed for good; nothing personal of it is left (1111).</summary>
    Closed = 1111,

    /// <summary>Locked by an operator (1112).</summary>
    Locked = 1112,

    /// <summary>In arrears by an operator's word (1113); the ledger finds arrears by itself.</summary>
    InArrears = 1113,

    /// <summary>Not now: for example it is being moved (1120).</summary>
    Unavailable = 1120,

    /// <summary>Locked for irregular activity (1121).</summary>
    Irregular = 1121,
}

/// <summary>An account: who owns projects and keys, and who pays. Immutable; a change makes another.</summary>
/// <param name="Id">Number in the store. Never shown outside: it counts.</param>
/// <param name="PublicId">What it is called outside: <c>acc-…</c>.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="State">Whether it may call.</param>
/// <param name="StateUntil">When the state ends by itself and the account is active again; null for never.</param>
/// <param name="Tier">User tier, 0 to 3 (V0 to V3).</param>
/// <param name="Language">Language of mails: <c>en</c> or <c>zh</c>.</param>
/// <param name="IsDefault">Whether it is the one that the keys of the machine's owner belong to (<c>glimmer keys</c>).</param>
/// <param name="Created">When it was made.</param>
public sealed record AccountEntry(
    long Id, string PublicId, string Name, AccountState State, DateTimeOffset? StateUntil, int Tier, string Language, bool IsDefault, DateTimeOffset Created)
{
    /// <summary>Why it was put into its state, for operators.</summary>
    public string StateReason { get; init; } = "";

    /// <summary>Requests of one model that it may have in flight, in place of what its tier gives; 0 for no limit, null for the tier's.</summary>
    public int? Concurrency { get; init; }

    /// <summary>The state that holds at an instant.</summary>
    public AccountState StateAt(DateTimeOffset now) => State is not AccountState.Closed && StateUntil <= now ? AccountState.Active : State;

    /// <summary>Why it may not call at an instant; null when it may.</summary>
    public PlatformError? Refusal(DateTimeOffset now)
    {
        AccountState state = StateAt(now);
        return state == AccountState.Active
            ? null
            : PlatformError.Of((BusinessCode)state) with { RetryAfter = StateUntil is { } until ? until - now : null };
    }
}
