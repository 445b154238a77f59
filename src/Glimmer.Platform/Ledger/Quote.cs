namespace Glimmer.Platform.Ledger;

/// <summary>What pays for a request. The numbers are stored.</summary>
public enum ChargeMode
{
    /// <summary>Packs, then credits, then cash.</summary>
    Balance = 0,

    /// <summary>A plan's quota: recorded with a charge of nothing and the plan's units.</summary>
    Plan = 1,
}

/// <summary>The most that a request can cost: its price and the most units it can use.</summary>
/// <param name="Price">What its model costs.</param>
/// <param name="WorstCase">The most it can use: its input, no cache hit, and the most output it may make.</param>
/// <param name="Mode">What pays for it.</param>
public readonly record struct Quote(Price Price, UsageUnits WorstCase, ChargeMode Mode = ChargeMode.Balance)
{
    /// <summary>What the worst case costs at the list price; nothing for a plan's request.</summary>
    public Money Amount => Mode == ChargeMode.Plan ? Money.Zero(Price.Currency) : Price.Cost(WorstCase);
}

/// <summary>How often a spend cap starts anew, in the billing time zone.</summary>
public enum CapPeriod
{
    /// <summary>Never.</summary>
    Total = 0,

    /// <summary>Each day.</summary>
    Day = 1,

    /// <summary>Each calendar month.</summary>
    Month = 2,
}

/// <summary>The most a key may spend of the balance; plan and free requests don't count.</summary>
/// <param name="Amount">The most; in the currency of what it limits.</param>
/// <param name="Period">How often it starts anew.</param>
public readonly record struct SpendCap(Money Amount, CapPeriod Period);

/// <summary>Who a request is charged to.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="ProjectId">The project that the key belongs to.</param>
/// <param name="KeyId">The key; empty for requests of a session (playground).</param>
/// <param name="Cap">The key's spend cap; null for none.</param>
public readonly record struct Payer(string AccountId, string ProjectId, string KeyId, SpendCap? Cap = null);
