using System.Collections.Concurrent;
using Glimmer.Platform.Nodes;

namespace Glimmer.Platform.Admission;

/// <summary>Which bound was met.</summary>
internal enum PlaceKind
{
    None,
    Platform,
    Key,
    Model,
    Plan,
}

/// <summary>A bounded count, without a lock; where the limit is shared with other nodes, also within this node's slice.</summary>
internal struct PlaceCount
{
    private int _count;

    /// <summary>This node's slice; null where nobody shares the limit.</summary>
    public Slice? Slice;

    public readonly int Count => Volatile.Read(in _count);

    public bool TryTake(int limit)
    {
        int seen = Volatile.Read(ref _count);
        while (seen < limit)
        {
            int before = Interlocked.CompareExchange(ref _count, seen + 1, seen);
            if (before == seen)
                return Slice is not { } slice || TakeSlice(slice);
            seen = before;
        }

        return false;
    }

    public void Free()
    {
        Slice?.Give(1);
        Interlocked.Decrement(ref _count);
    }

    private bool TakeSlice(Slice slice)
    {
        if (slice.TryTake(1))
            return true;
        Interlocked.Decrement(ref _count);
        return false;
    }
}

/// <summary>Places of one key.</summary>
internal sealed class KeyPlaces(string id)
{
    public PlaceCount Open;

    public string Id => id;

    /// <summary>Its part of the line.</summary>
    public LinkedList<FairAdmission.Lease> Line { get; } = [];

    public Turn Turn;
}

/// <summary>Places of one model of an account.</summary>
internal sealed class ModelPlaces
{
    public PlaceCount Open;
}

/// <summary>Places of one account.</summary>
internal sealed class AccountPlaces(string id)
{
    private readonly ConcurrentDictionary<string, KeyPlaces> _keys = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ModelPlaces> _models = new(StringComparer.Ordinal);

    public PlaceCount Plan;

    public Turn Turn;

    public string Id => id;

    /// <summary>Its part of the line.</summary>
    public AccountLine Line { get; } = new();

    public KeyPlaces KeyOf(string key) => _keys.GetOrAdd(key, static id => new KeyPlaces(id));

    public ModelPlaces ModelOf(string model) => _models.GetOrAdd(model, static _ => new ModelPlaces());
}

/// <summary>An account's part of the line: its keys that wait, in turn.</summary>
internal sealed class AccountLine
{
    public LinkedList<KeyPlaces> Keys { get; } = [];

    /// <summary>Where it stands among the accounts; null while it is parked or has nothing in the line.</summary>
    public LinkedListNode<AccountPlaces>? Node { get; set; }

    public int Count { get; set; }
}

/// <summary>Where a flow stands in deficit round robin.</summary>
internal struct Turn
{
    /// <summary>Tokens it may still bring in this turn.</summary>
    public long Deficit { get; set; }

    /// <summary>Whether its turn has begun.</summary>
    public bool Begun { get; set; }

    public void Begin(int quantum)
    {
        if (Begun)
            return;
        Begun = true;
        Deficit += quantum;
    }

    public void End() => Begun = false;

    public void Clear() => this = default;
}
