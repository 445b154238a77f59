using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>A transaction on its way to the store. What it takes from lots was taken in memory before; what it gives is given once stored.</summary>
internal sealed class Posting
{
    public required long Seq { get; init; }

    /// <summary>Makes it happen once: a second transaction of the same id does nothing.</summary>
    public required string Id { get; init; }

    public required TransactionKind Kind { get; init; }

    public required Wallet Wallet { get; init; }

    public required long At { get; init; }

    public string Memo { get; init; } = "";

    public string Reference { get; init; } = "";

    /// <summary>What was taken from lots, as positive amounts.</summary>
    public List<Draw> Draws { get; init; } = [];

    /// <summary>What lots are given; new lots are made.</summary>
    public List<PostingGift> Gifts { get; init; } = [];

    /// <summary>The platform's side.</summary>
    public List<(Book Book, long Units)> Others { get; init; } = [];

    /// <summary>Runs first in the transaction; false refuses the posting, with nothing written by it.</summary>
    public Func<StoreSession, bool>? Guard { get; init; }

    public TaskCompletionSource<PostingOutcome> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What became of it in the transaction that is being tried.</summary>
    public PostingOutcome Outcome;

    /// <summary>What the entries add up to: nothing, or it is wrong.</summary>
    public long Sum()
    {
        long sum = 0;
        checked
        {
            foreach (Draw draw in Draws)
                sum -= draw.Units;
            foreach (PostingGift gift in Gifts)
                sum += gift.Units;
            foreach ((_, long units) in Others)
                sum += units;
        }

        return sum;
    }
}

/// <summary>What a posting gives a lot.</summary>
internal readonly record struct PostingGift(Lot Lot, long Units, long Quantity = 0);

/// <summary>What became of a posting.</summary>
internal enum PostingOutcome
{
    Stored,

    /// <summary>There was one of the same id before; nothing was changed.</summary>
    Duplicate,

    /// <summary>Its guard refused it; nothing was changed.</summary>
    Refused,
}
