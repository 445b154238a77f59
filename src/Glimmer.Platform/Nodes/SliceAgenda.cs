using System.Collections.Concurrent;

namespace Glimmer.Platform.Nodes;

/// <summary>
/// What the next messages are to say: limits of which callers found few or none, and those that have something to give back or are to be
/// asked for again after a pause. Only <see cref="Want"/> may be called without the trader's lock.
/// </summary>
internal sealed class SliceAgenda
{
    private readonly ConcurrentQueue<Slice> _wanted = new();
    private readonly SortedDictionary<string, Slice> _later = new(StringComparer.Ordinal);

    /// <summary>Notes that callers found few or none of a limit; false when that is noted already.</summary>
    public bool Want(Slice slice)
    {
        if (!slice.Enlist())
            return false;
        _wanted.Enqueue(slice);
        return true;
    }

    /// <summary>Has a limit said when it is due.</summary>
    public void Add(Slice slice) => _later.TryAdd(slice.Terms.Id, slice);

    /// <summary>Takes over what callers noted.</summary>
    public void Gather()
    {
        while (_wanted.TryDequeue(out Slice? slice))
        {
            slice.Delist();
            slice.IsLow = true;
            Add(slice);
        }
    }

    /// <summary>Takes off the limits that are due, in the order of their ids.</summary>
    public Slice[] TakeDue(long now, int most)
    {
        var due = new List<Slice>();
        foreach (Slice slice in _later.Values)
        {
            if (due.Count >= most)
                break;
            if (DueAt(slice) <= now)
                due.Add(slice);
        }

        foreach (Slice slice in due)
            _later.Remove(slice.Terms.Id);
        return [.. due];
    }

    /// <summary>When the first of them is due; a given time when that is sooner.</summary>
    public long FirstDue(long latest)
    {
        foreach (Slice slice in _later.Values)
            latest = Math.Min(latest, DueAt(slice));
        return latest;
    }

    /// <summary>A limit that has nothing left is asked for again after a pause; what is to be given back goes at once.</summary>
    private static long DueAt(Slice slice) =>
        slice.Holding < slice.Told || (slice.IsPressed && (slice.Spare > 0 || slice.HasConsumed)) || (slice.Owed > 0 && slice.Spare > -slice.Owed) ? 0
        : slice.Terms.IsMoney && !slice.HasMissed ? slice.LackedUntil
        : slice.DryUntil;
}
