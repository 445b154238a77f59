namespace Glimmer.Platform.Ledger;

/// <summary>A reservation, and after its settlement the record that the writer stores: one object per request.</summary>
internal sealed class LedgerReservation(Payer payer, Quote quote, string requestId, Wallet wallet, KeySpend? key)
    : Reservation(payer, quote, requestId)
{
    private int _ended;

    public Wallet Wallet { get; } = wallet;

    public KeySpend? Key { get; } = key;

    /// <summary>Money set aside.</summary>
    public long HeldUnits;

    /// <summary>Units of use set aside in packs.</summary>
    public List<(Lot Pack, int Quantity)>? HeldPacks;

    /// <summary>The settled record.</summary>
    public Charge Charge;

    /// <summary>Whether it comes out of a journal, so that the store may have it already.</summary>
    public bool IsReplay { get; init; }

    /// <summary>This node's part of the account's funds that it was set aside from; null where nobody shares them.</summary>
    public Nodes.Slice? Funds;

    /// <summary>This node's part of the key's cap, likewise.</summary>
    public Nodes.Slice? Cap;

    /// <summary>Completes when the record is durable.</summary>
    public Task? Durable;

    /// <summary>Whether this call is the one that ends it.</summary>
    public bool TryEnd() => Interlocked.Exchange(ref _ended, 1) == 0;
}

/// <summary>What a settled request used and paid.</summary>
internal struct Charge
{
    /// <summary>Unique for ever: the run's number and a count.</summary>
    public long Id;

    /// <summary>Milliseconds since 1970.</summary>
    public long At;

    public Price Price;
    public UsageUnits Units;
    public ChargeMode Mode;
    public long PlanUnits;
    public string? Surface;
    public bool Failed;

    /// <summary>Whether a request of this id is charged once only, whoever settles it.</summary>
    public bool Once;

    /// <summary>What cash paid.</summary>
    public long Cash;

    /// <summary>What credits paid.</summary>
    public long Credit;

    /// <summary>What the used units of packs had cost.</summary>
    public long PackValue;

    /// <summary>Units that packs paid.</summary>
    public long PackQuantity;

    /// <summary>Credits' and packs' parts; null when cash paid everything.</summary>
    public List<Draw>? Draws;
}
