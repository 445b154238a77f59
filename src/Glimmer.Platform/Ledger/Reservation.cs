namespace Glimmer.Platform.Ledger;

/// <summary>What a running request has set aside. Lives in memory only: a restart forgets it, and charges nothing.</summary>
public abstract class Reservation
{
    private protected Reservation(Payer payer, Quote quote, string requestId)
    {
        Payer = payer;
        Quote = quote;
        RequestId = requestId;
    }

    /// <summary>Who pays.</summary>
    public Payer Payer { get; }

    /// <summary>Price and worst case.</summary>
    public Quote Quote { get; }

    /// <summary>The request's id.</summary>
    public string RequestId { get; }
}
