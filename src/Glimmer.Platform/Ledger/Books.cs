namespace Glimmer.Platform.Ledger;

/// <summary>
/// The accounts of the books. Customers' books say what the platform owes them (above nothing is theirs); the entries
/// of every transaction add up to nothing in each currency. The numbers are stored.
/// </summary>
public enum Book
{
    /// <summary>A customer's cash. Below nothing it is arrears, what the customer owes.</summary>
    Cash = 1,

    /// <summary>A customer's credits (bonus balance), each grant its own lot.</summary>
    Credit = 2,

    /// <summary>What a customer paid for packs and has not used, each pack its own lot.</summary>
    Pack = 3,

    /// <summary>Money that payment providers or the bank took in (below nothing) and paid back.</summary>
    Clearing = 10,

    /// <summary>Credits given away.</summary>
    Promotion = 11,

    /// <summary>Charges given back to the balance.</summary>
    Refund = 12,

    /// <summary>Credits and packs that expired unused.</summary>
    Breakage = 13,

    /// <summary>Sales of plans.</summary>
    PlanRevenue = 20,

    /// <summary>Corrections by an administrator.</summary>
    Adjustment = 30,

    /// <summary>Revenue of metered use: this number plus the <see cref="UnitKind"/>.</summary>
    UsageRevenue = 100,
}

/// <summary>What a transaction is. The numbers are stored.</summary>
public enum TransactionKind
{
    /// <summary>Requests settled in one group commit; its usage rows tell each.</summary>
    Usage = 1,

    /// <summary>A recharge.</summary>
    Deposit = 2,

    /// <summary>Credits granted.</summary>
    Grant = 3,

    /// <summary>A pack bought.</summary>
    PackPurchase = 4,

    /// <summary>A plan bought, renewed or upgraded.</summary>
    PlanPurchase = 5,

    /// <summary>A recharge paid back to where it came from.</summary>
    PaymentRefund = 6,

    /// <summary>A charge given back to the balance.</summary>
    ChargeRefund = 7,

    /// <summary>Credits or a pack expired.</summary>
    Expiry = 8,

    /// <summary>Credits taken back.</summary>
    ClawBack = 9,

    /// <summary>A correction.</summary>
    Adjustment = 10,
}

/// <summary>What a lot holds. The numbers are stored and equal the customer's books.</summary>
internal enum LotKind
{
    Cash = 1,
    Credit = 2,
    Pack = 3,
}
