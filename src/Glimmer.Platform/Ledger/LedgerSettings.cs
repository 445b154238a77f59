namespace Glimmer.Platform.Ledger;

/// <summary>How the ledger works.</summary>
public sealed record LedgerSettings
{
    /// <summary>What days, months and hours of bills are reckoned in; whole hours.</summary>
    public TimeSpan BillingOffset { get; init; } = TimeSpan.FromHours(8);

    /// <summary>
    /// Whether a request needs funds for its whole worst case. Otherwise it needs funds above nothing, and the running
    /// answers can take the account below nothing by less than one worst case.
    /// </summary>
    public bool CoverWorstCase { get; init; }

    /// <summary>Most settled requests that may wait for the store; beyond it requests are refused with 1120.</summary>
    public int BacklogLimit { get; init; } = 200_000;

    /// <summary>How often expired credits and packs are looked for.</summary>
    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromMinutes(1);
}
