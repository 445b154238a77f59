using Glimmer.Platform.Store;

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

    /// <summary>
    /// Most bytes of the journal that keeps settled requests while PostgreSQL is away; 0 for none: then whoever is answered waits for the
    /// database. About 250 bytes are a request.
    /// </summary>
    public long JournalBytes { get; init; }

    /// <summary>How long a commit may take before the journal makes durable what waits for it.</summary>
    public TimeSpan JournalAfter { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>What is done with new requests while the database is away.</summary>
    public StoreAwayPolicy WhenAway { get; init; } = StoreAwayPolicy.Admit;

    /// <summary>How long requests are let in on what is known.</summary>
    public TimeSpan AdmitFor { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most money that one account may be charged meanwhile, in the currency of its requests; running ones can go beyond it by less than one worst case.</summary>
    public decimal AdmitAmount { get; init; } = 10;

    /// <summary>How often expired credits and packs are looked for.</summary>
    public TimeSpan SweepEvery { get; init; } = TimeSpan.FromMinutes(1);
}
