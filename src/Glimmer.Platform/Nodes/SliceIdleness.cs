namespace Glimmer.Platform.Nodes;

/// <summary>Finds what has been idle for some looks and gives it back. Under the trader's lock, but for <see cref="Settle"/>.</summary>
internal sealed class SliceIdleness(SliceAgenda agenda)
{
    private readonly List<Slice> _active = [];

    /// <summary>The limits that are looked after.</summary>
    public IReadOnlyList<Slice> Active => _active;

    /// <summary>Looks after a limit from now on.</summary>
    public void Watch(Slice slice)
    {
        if (slice.IsActive)
            return;
        slice.IsActive = true;
        _active.Add(slice);
    }

    /// <summary>Lets owners give back what time has freed. Their locks are taken, so the trader's must not be held.</summary>
    public static void Settle(IEnumerable<Slice> slices)
    {
        foreach (Slice slice in slices)
            slice.Settling?.Invoke();
    }

    /// <summary>One look at all of them.</summary>
    public void Look()
    {
        for (int i = _active.Count - 1; i >= 0; i--)
        {
            Slice slice = _active[i];
            long spare = slice.Spare;
            slice.LeastSpare = Math.Min(slice.LeastSpare, spare);
            slice.Looks++;
            bool changed = slice.Owed > 0;
            if (slice.Looks >= SliceSizes.LooksBeforeReturn)
            {
                // Charges that were booked leave the books at once, and what the node holds when it says so.
                changed |= slice.HasConsumed;
                long idle = slice.LeastSpare - (slice.Looks >= SliceSizes.LooksBeforeAll ? 0 : SliceSizes.Headroom(slice));
                if (idle > 0 && slice.Seize(idle) is > 0 and var given)
                {
                    slice.Holding -= given;
                    changed = true;
                }

                if (slice.Looks >= SliceSizes.LooksBeforeAll)
                {
                    if (slice.Spare <= 0 && slice.Owed == 0 && (slice.Holding == 0 || slice.Terms.Kind == SliceKind.Period))
                    {
                        // Nothing left to look after; a use brings it back.
                        slice.IsActive = false;
                        _active.RemoveAt(i);
                        changed = true;
                    }

                    slice.Looks = 0;
                    slice.LeastSpare = long.MaxValue;
                }
            }

            if (changed)
                agenda.Add(slice);
        }
    }
}
